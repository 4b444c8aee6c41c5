"""A training configuration: its file, the files it is based on, and changes from the command line, checked at once."""

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from common import config as files
from common.errors import BadConfig
from train.config.choice import Choice
from train.config.durations import Duration
from train.config.sections import Config
from train.config.typed import build

DEEPEST = 5


def load(name: str | Path, changes: list[str] | tuple[str, ...] = ()) -> Config:
    """Read the configuration ``name`` (a path, or a file of ``configs/``) with ``changes`` such as "head.margin=0.4".

    A file may say ``base: OTHER.yaml``, found beside it or in ``configs/``: then it holds only what differs.

    Raises:
        BadConfig: no such file; an unknown key, a wrong type or a combination that cannot be; the key is named.
    """
    content = _with_base(name)
    for change in changes:
        _apply(content, change)
    return build(Config, content, str(name))


def to_mapping(value: Any) -> Any:
    """The configuration as plain YAML values, every default included; ``from_mapping`` reads it back."""
    if isinstance(value, Choice):
        return value.to_mapping()
    if isinstance(value, Duration):
        return str(value)
    if is_dataclass(value):
        return {field.name: to_mapping(getattr(value, field.name)) for field in fields(value)}
    return list(value) if isinstance(value, tuple) else value


def from_mapping(content: dict[str, Any], where: str) -> Config:
    """A configuration out of what :func:`to_mapping` gave, as a bundle or a run's folder holds it."""
    return build(Config, content, where)


def _with_base(name: str | Path, beside: Path | None = None, depth: int = 0) -> dict[str, Any]:
    if depth > DEEPEST:
        raise BadConfig(f"{name}: more than {DEEPEST} configurations are based on one another. Is there a circle?")
    path = beside / name if beside and (beside / name).is_file() else files.find(name)
    content = files.load(path)
    base = content.pop("base", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise BadConfig(f"{path}: base must be the name of a configuration, not {base!r}.")
    return _merged(_with_base(base, path.parent, depth + 1), content)


def _merged(base: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """``delta`` over ``base``, key by key. Another name in a part takes the options of the old one away."""
    merged = dict(base)
    for key, value in delta.items():
        old = merged.get(key)
        renamed = (
            isinstance(old, dict) and isinstance(value, dict) and value.get("name", old.get("name")) != old.get("name")
        )
        merged[key] = (
            _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) and not renamed else value
        )
    return merged


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise BadConfig(f"--set takes KEY=VALUE, such as head.margin=0.4, not {change!r}.")
    try:
        value = yaml.safe_load(text) if text.strip() else None
    except (yaml.YAMLError, ValueError):
        raise BadConfig(f"--set {key}: {text!r} is not a value YAML knows; quote it.") from None
    place = content
    for depth, part in enumerate(parts[:-1]):
        inner = place.get(part)
        if isinstance(inner, str) and depth == 0:
            inner = {"name": inner}  # head: arcface
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            raise BadConfig(f"--set {key}: {'.'.join(parts[: depth + 1])} is {inner!r}, which has no parts.")
        place[part] = dict(inner)
        place = place[part]
    if parts[-1] == "name" and place.get("name") not in (None, value) and len(parts) == 2 and parts[0] != "backbone":
        place.clear()
    place[parts[-1]] = value
