"""The recognizer's settings: ``configs/recognizer.yaml``, then the environment, then the call's arguments."""

import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from common import config
from common.errors import BadConfig
from common.folders import data_folder

DEFAULT = "recognizer.yaml"
# Keys that version 0.1.0 did not have: a file of that time may lack them, and then means what is installed.
LATER = {
    "database_password_file", "database_timeout", "store_crops", "matching", "index", "index_options", "snapshot",
}  # fmt: skip
CHOICES = {
    "matching": ("template", "photo"),
    "index": ("auto", "exact", "int8", "hnsw", "milvus"),
    "snapshot": ("auto", "always", "never"),
}


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


def read(path: str | Path | None = None, **given: Any) -> Settings:
    """Settings of a YAML file (``recognizer.yaml`` of ``configs/`` when None), overridden by what is given.

    ``RECOGNIZER_DATABASE`` stands between the two. Arguments that are None count as not given.

    Raises:
        BadConfig: an unknown or missing key, or a value of the wrong type.
    """
    source = path or os.environ.get("RECOGNIZER_CONFIG") or DEFAULT
    values = config.load(source)
    config.check_keys(values, str(source), {field.name for field in fields(Settings)} - LATER, LATER)
    if LATER - values.keys():
        installed = config.load(config.packaged(DEFAULT))
        values = {key: installed[key] for key in LATER} | values
    _check(values, str(source))
    if os.environ.get("RECOGNIZER_DATABASE"):
        values["database"] = os.environ["RECOGNIZER_DATABASE"]
    values.update({key: value for key, value in given.items() if value is not None})
    for key, choices in CHOICES.items():
        if values[key] not in choices:
            raise BadConfig(f"{key} must be one of {', '.join(choices)}, not {str(values[key])[:40]!r}.")
    if values["database"] == "default":
        values["database"] = f"sqlite:///{(data_folder() / 'people.db').absolute()}"
    return Settings(**values)


def _check(values: dict[str, Any], source: str) -> None:
    kinds = {
        "model": str, "detector": str, "detector_options": dict, "database": str,
        "database_password_file": (str, type(None)), "database_timeout": (int, float), "gallery": str,
        "store_crops": bool, "matching": str, "index": str, "index_options": dict, "snapshot": str,
        "threshold": (int, float, type(None)), "device": str, "precision": str, "threads": (int, type(None)),
    }  # fmt: skip
    for key, kind in kinds.items():
        if not isinstance(values[key], kind) or (isinstance(values[key], bool) and kind is not bool):
            expected = " or ".join(k.__name__ for k in kind) if isinstance(kind, tuple) else kind.__name__
            came = type(values[key]).__name__  # not the value: a database URL may hold a password
            raise BadConfig(f"{source}: {key} must be {expected.replace('NoneType', 'null')}, not {came}.")
    for key in ("detector_options", "index_options"):
        for option in values[key]:
            if not isinstance(option, str):
                raise BadConfig(f"{source}: {key}: the key {option!r} must be text.")
