"""The recognizer's settings: ``configs/recognizer.yaml``, then the environment, then the call's arguments."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from common import config
from common.errors import BadConfig
from common.folders import data_folder

DEFAULT = "recognizer.yaml"


@dataclass(frozen=True)
class Settings:
    """See ``configs/recognizer.yaml``, which says what each is."""

    model: str
    detector: str
    detector_options: dict[str, Any]
    database: str
    gallery: str
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
    config.check_keys(values, str(source), {field.name for field in fields(Settings)})
    _check(values, str(source))
    if os.environ.get("RECOGNIZER_DATABASE"):
        values["database"] = os.environ["RECOGNIZER_DATABASE"]
    values.update({key: value for key, value in given.items() if value is not None})
    if values["database"] == "default":
        values["database"] = f"sqlite:///{(data_folder() / 'people.db').absolute()}"
    return Settings(**values)


def _check(values: dict[str, Any], source: str) -> None:
    kinds = {
        "model": str, "detector": str, "detector_options": dict, "database": str, "gallery": str,
        "threshold": (int, float, type(None)), "device": str, "precision": str, "threads": (int, type(None)),
    }  # fmt: skip
    for key, kind in kinds.items():
        if not isinstance(values[key], kind) or isinstance(values[key], bool):
            expected = " or ".join(k.__name__ for k in kind) if isinstance(kind, tuple) else kind.__name__
            came = type(values[key]).__name__  # not the value: a database URL may hold a password
            raise BadConfig(f"{source}: {key} must be {expected.replace('NoneType', 'null')}, not {came}.")
    for option in values["detector_options"]:
        if not isinstance(option, str):
            raise BadConfig(f"{source}: detector_options: the key {option!r} must be text.")
