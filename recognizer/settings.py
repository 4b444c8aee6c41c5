"""The recognizer's settings: ``configs/recognizer.yaml``, then the environment, then the call's arguments."""

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import config
from common.errors import BadConfig
from common.folders import data_folder
from recognizer import limits
from recognizer.environment import parsed
from recognizer.liveness import LivenessLimits
from recognizer.quality import QualityLimits

if TYPE_CHECKING:
    from recognizer.service.settings import ServiceSettings

DEFAULT = "recognizer.yaml"
# Keys that version 0.1.0 did not have: a file of that time may lack them, and then means what is installed.
LATER = {
    "database_password_file", "database_timeout", "store_crops", "matching", "index", "index_options", "snapshot",
    "gates", "quality", "duplicates", "liveness", "liveness_options", "service",
}  # fmt: skip
CHOICES = {
    "matching": ("template", "photo"),
    "index": ("auto", "exact", "int8", "hnsw", "milvus"),
    "snapshot": ("auto", "always", "never"),
    "gates": ("require", "report", "off"),
    "duplicates": ("auto", "always", "never"),
    "liveness": ("off", "report", "require"),
}
KINDS: dict[str, type | tuple[type, ...]] = {
    "model": str, "detector": str, "detector_options": dict, "database": str,
    "database_password_file": (str, type(None)), "database_timeout": (int, float), "gallery": str,
    "store_crops": bool, "matching": str, "index": str, "index_options": dict, "snapshot": str,
    "threshold": (int, float, type(None)), "device": str, "precision": str, "threads": (int, type(None)),
    "gates": str, "quality": dict, "duplicates": str, "liveness": str, "liveness_options": dict,
    "service": dict,
}  # fmt: skip
PREFIX = "RECOGNIZER_"
PASSWORDS = ("RECOGNIZER_DATABASE_PASSWORD", "RECOGNIZER_DATABASE_PASSWORD_FILE")  # read by db.open
ELSEWHERE = {"database_password_file", "service"}  # whose variables are read by db.open and by the service
LIMITS = {"quality": QualityLimits, "liveness_options": LivenessLimits}
MAPPINGS = ("detector_options", "index_options", *LIMITS)  # each of whose keys is a variable, too


@dataclass(frozen=True)
class Settings:
    """See ``configs/recognizer.yaml``, which says what each is."""

    model: str
    detector: str
    detector_options: dict[str, Any]
    database: str = field(repr=False)  # may hold a password
    database_password_file: str | None
    database_timeout: float
    gallery: str
    store_crops: bool
    matching: str
    index: str
    index_options: dict[str, Any] = field(repr=False)  # may hold Milvus' token
    snapshot: str
    threshold: float | None
    device: str
    precision: str
    threads: int | None
    gates: str
    quality: dict[str, float | None]
    duplicates: str
    liveness: str
    liveness_options: dict[str, float | None]
    service: dict[str, Any]

    def quality_limits(self) -> QualityLimits:
        """``quality`` as limits; what it lacks is as installed."""
        return limits.from_mapping(QualityLimits, self.quality, "quality")

    def liveness_limits(self) -> LivenessLimits:
        """``liveness_options`` as limits; what it lacks is as installed."""
        return limits.from_mapping(LivenessLimits, self.liveness_options, "liveness_options")

    def service_settings(self) -> "ServiceSettings":
        """``service`` and the environment as settings; what they lack is as installed. Raises BadConfig."""
        from recognizer.service.settings import from_mapping

        return from_mapping(self.service)


def read(path: str | Path | None = None, **given: Any) -> Settings:
    """Settings of a YAML file (``recognizer.yaml`` of ``configs/`` when None), overridden by what is given.

    The environment stands between the two: ``RECOGNIZER_MODEL`` for ``model``, and so on; of ``MAPPINGS`` each key
    is a variable, too. An empty variable counts as not set, and arguments that are None as not given.

    Raises:
        BadConfig: an unknown or missing key, or a value of the wrong type.
    """
    source = path or os.environ.get("RECOGNIZER_CONFIG") or DEFAULT
    values = config.load(source)
    config.check_keys(values, str(source), {field.name for field in fields(Settings)} - LATER, LATER)
    if LATER - values.keys():
        installed = config.load(config.packaged(DEFAULT))
        values = {key: installed[key] for key in LATER} | values
    values |= {key: "off" for key in ("gates", "liveness") if values[key] is False}  # what YAML makes of a bare off
    _check(values, str(source))
    values |= _from_environment(values)
    _check(values, "The environment")
    values.update({key: value for key, value in given.items() if value is not None})
    for key, choices in CHOICES.items():
        if values[key] not in choices:
            raise BadConfig(f"{key} must be one of {', '.join(choices)}, not {str(values[key])[:40]!r}.")
    if values["database"] == "default":
        values["database"] = f"sqlite:///{(data_folder() / 'people.db').absolute()}"
    return Settings(**values)


def _from_environment(values: dict[str, Any]) -> dict[str, Any]:
    given = {key: os.environ.get(f"{PREFIX}{key.upper()}") for key in KINDS.keys() - ELSEWHERE}
    found = {key: parsed(text, *_kinds(key)) for key, text in given.items() if text}
    for key in MAPPINGS:
        options, whole = _options(key), found.get(key, values[key])
        if options and isinstance(whole, dict):
            found[key] = whole | options
    if any(os.environ.get(name) for name in PASSWORDS):
        found["database_password_file"] = None  # what the file says would win over them
    return found


def _options(key: str) -> dict[str, Any]:
    """What variables say of single keys of a mapping."""
    prefix = f"{PREFIX}{key.upper()}_"
    return {
        name.removeprefix(prefix).lower(): parsed(text, dict)
        for name, text in os.environ.items()
        if name.startswith(prefix) and text
    }


def _kinds(key: str) -> tuple[type, ...]:
    return KINDS[key] if isinstance(KINDS[key], tuple) else (KINDS[key],)


def _check(values: dict[str, Any], source: str) -> None:
    for key, kind in KINDS.items():
        if not isinstance(values[key], kind) or (isinstance(values[key], bool) and kind is not bool):
            expected = " or ".join(k.__name__ for k in kind) if isinstance(kind, tuple) else kind.__name__
            came = type(values[key]).__name__  # not the value: a database URL may hold a password
            raise BadConfig(f"{source}: {key} must be {expected.replace('NoneType', 'null')}, not {came}.")
    for key in ("detector_options", "index_options"):
        for option in values[key]:
            if not isinstance(option, str):
                raise BadConfig(f"{source}: {key}: the key {option!r} must be text.")
    for key, kind in LIMITS.items():
        limits.from_mapping(kind, values[key], f"{source}: {key}")
