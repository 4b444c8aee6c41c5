"""YAML configuration files: found by name in ``configs/`` or by path, checked key by key."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from common.errors import BadConfig

MAX_BYTES = 4 * 2**20  # a configuration is kilobytes; more is a wrong file


def find(name: str | Path) -> Path:
    """The file ``name`` stands for: an existing path wins over a file of that name in ``configs/``."""
    path = Path(name)
    if path.is_file():
        return path
    packaged = Path(str(files("configs"))) / path.name
    if str(path) == path.name and packaged.is_file():
        return packaged
    known = sorted(p.name for p in packaged.parent.glob("*.yaml"))
    raise BadConfig(f"No configuration file {str(name)!r}: give a path, or one of: {', '.join(known)}.")


def load(name: str | Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        BadConfig: no such file, not YAML, not a mapping, or a key that stands twice.
    """
    path = find(name)
    if path.stat().st_size > MAX_BYTES:
        raise BadConfig(f"{path} is larger than {MAX_BYTES} bytes: that is no configuration file.")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise BadConfig(f"{path} must hold a mapping (key: value), not {type(content).__name__}.")
    return content


def check_keys(mapping: dict, where: str, required: set[str], optional: frozenset[str] | set[str] = frozenset()) -> None:
    """Refuse unknown and missing keys, naming the first of each; ``where`` says which part of which file it is."""
    if not isinstance(mapping, dict):
        raise BadConfig(f"{where} must be a mapping (key: value), not {type(mapping).__name__}.")
    for key in mapping:
        if key not in required and key not in optional:
            raise BadConfig(f"{where}: unknown key {key!r}. Expected: {', '.join(sorted(required | optional))}.")
    for key in sorted(required):
        if key not in mapping:
            raise BadConfig(f"{where}: the key {key!r} is missing.")


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice (YAML keeps the last one silently) and aliases (billion laughs)."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} stands twice")
        return super().construct_mapping(node, deep)
