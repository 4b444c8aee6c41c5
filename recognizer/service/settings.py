"""The service's settings: ``service:`` of ``recognizer.yaml``, each key also ``RECOGNIZER_SERVICE_<KEY>``."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args, get_origin

from common.config import check_keys
from common.errors import BadConfig
from recognizer.environment import parsed

PREFIX = "RECOGNIZER_SERVICE_"
CHOICES = {"keys": ("required", "off")}
# The smallest and largest that a number may be.
RANGES = {
    "port": (0, 65535),
    "workers": (1, 256),
    "inference_threads": (1, 256),
    "batch": (1, 64),
    "queue": (1, 10_000),
    "max_body_mb": (0.01, 4096),
    "max_video_mb": (1, 65536),
    "max_photos": (1, 1000),
    "max_pixels": (10_000, 1_000_000_000),
    "max_faces": (1, 10_000),
    "max_connections": (1, 100_000),
    "body_seconds": (1, 3600),
    "failures_per_minute": (1, 1_000_000),
    "shutdown_seconds": (1, 3600),
    "audit_days": (1, 36_500),
    "max_jobs": (1, 100_000),
    "open_galleries": (1, 1000),
    "undo_seconds": (1, 604_800),
}


@dataclass(frozen=True)
class ServiceSettings:
    """See ``service:`` of ``configs/recognizer.yaml``, which says what each is."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    keys: str = "off"
    trusted_proxies: tuple[str, ...] = ()
    tls_certificate: str | None = None
    tls_key: str | None = None
    failures_per_minute: int = 10
    max_connections: int = 512
    max_body_mb: float = 32
    max_video_mb: float = 512
    body_seconds: float = 30
    max_photos: int = 32
    max_pixels: int = 50_000_000
    max_faces: int = 200
    inference_threads: int | None = None
    batch: int = 8
    queue: int = 64
    open_galleries: int = 8
    max_jobs: int = 100
    jobs_folder: str | None = None
    undo_seconds: float = 60
    audit_days: float | None = None
    shutdown_seconds: float = 30
    pages: bool = True

    @property
    def max_body(self) -> int:
        """Bytes."""
        return int(self.max_body_mb * 2**20)

    @property
    def max_video(self) -> int:
        """Bytes."""
        return int(self.max_video_mb * 2**20)


def from_mapping(mapping: Mapping[str, Any], where: str = "service") -> ServiceSettings:
    """Settings of a mapping; what it lacks is as installed. The environment wins over it.

    Raises:
        BadConfig: an unknown key, or a value of the wrong type or out of its range.
    """
    kinds = {field.name: field.type for field in fields(ServiceSettings)}
    check_keys(mapping, where, set(), kinds.keys())
    values = {key: _checked(f"{where}: {key}", key, kinds[key], value) for key, value in mapping.items()}
    for key, kind in kinds.items():
        text = os.environ.get(PREFIX + key.upper())
        if text:
            values[key] = _checked(PREFIX + key.upper(), key, kind, parsed(text, *_kinds(kind)))
    settings = ServiceSettings(**values)
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise BadConfig(f"{where}: tls_certificate and tls_key are given together, or neither.")
    return settings


def read(config: str | Path | None = None) -> ServiceSettings:
    """The service's part of a settings file, see :func:`recognizer.settings.read`. Raises BadConfig."""
    from recognizer import settings

    return settings.read(config).service_settings()


def _kinds(kind: Any) -> tuple[Any, ...]:
    """The types that a field may have."""
    return (tuple,) if get_origin(kind) is tuple else get_args(kind) or (kind,)


def _checked(where: str, key: str, kind: Any, value: Any) -> Any:
    if key in CHOICES:
        value = "off" if value is False else value  # what YAML makes of a bare off
        if value not in CHOICES[key]:
            raise BadConfig(f"{where} must be one of {', '.join(CHOICES[key])}, not {str(value)[:40]!r}.")
        return value
    if tuple in _kinds(kind):
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise BadConfig(f"{where} must be a list of texts, not {str(value)[:40]!r}.")
        return tuple(value)
    if not _fits(kind, value):
        raise BadConfig(f"{where} must be {_called(kind)}, not {str(value)[:40]!r}.")
    low, high = RANGES.get(key, (None, None))
    if low is not None and value is not None and not low <= value <= high:
        raise BadConfig(f"{where} must be from {low} to {high}, not {value}.")
    return value


def _fits(kind: Any, value: Any) -> bool:
    kinds = _kinds(kind)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (float in kinds and isinstance(value, int))


def _called(kind: Any) -> str:
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return " or ".join(names[each] for each in _kinds(kind))
