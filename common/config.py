"""YAML configuration files: found by name in ``configs/`` or by path, checked key by key."""

from collections.abc import Hashable, Set
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import Any

import yaml

from common.errors import BadConfig

MAX_BYTES = 4 * 2**20  # a configuration is kilobytes; more is a wrong file


def find(name: str | Path) -> Path:
    """The file ``name`` stands for: an existing path wins over a file of that name in ``configs/``."""
    if not isinstance(name, (str, PathLike)):
        raise BadConfig(f"A configuration file is given by name or path, not as {type(name).__name__}.")
    path = Path(name)
    try:
        if path.is_file():
            return path
    except OSError as error:  # too long for the file system
        raise BadConfig(f"No configuration file {str(name)[:80]!r}: {error.strerror}.") from None
    installed = packaged(path.name)
    if str(path) == path.name and installed.is_file():
        return installed
    known = sorted(p.name for p in installed.parent.glob("*.yaml"))
    raise BadConfig(f"No configuration file {str(name)!r}: give a path, or one of: {', '.join(known)}.")


def packaged(name: str) -> Path:
    """Where the file of that name in ``configs/`` is installed, or would be."""
    return Path(str(files("configs"))) / name


def load(name: str | Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        BadConfig: no such file, not YAML, not a mapping, or a key that stands twice.
    """
    path = find(name)
    if path.stat().st_size > MAX_BYTES:
        raise BadConfig(f"{path} is larger than {MAX_BYTES} bytes: that is no configuration file.")
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_aliases(text)
        content = yaml.load(text, Loader=_UniqueKeyLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2001-99-99
        raise BadConfig(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise BadConfig(f"{path} must hold a mapping (key: value), not {type(content).__name__}.")
    return content


def text(content: dict[str, Any]) -> str:
    """YAML that ``load`` reads back, keys in their order. Raises yaml.YAMLError: not plain values."""
    return yaml.dump(content, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)


def check_keys(mapping: dict, where: str, required: Set[str], optional: Set[str] = frozenset()) -> None:
    """Refuse unknown and missing keys, naming the first of each; ``where`` says which part of which file it is."""
    if not isinstance(mapping, dict):
        raise BadConfig(f"{where} must be a mapping (key: value), not {type(mapping).__name__}.")
    for key in mapping:
        if key not in required and key not in optional:
            raise BadConfig(f"{where}: unknown key {key!r}. Expected: {', '.join(sorted(required | optional))}.")
    for key in sorted(required):
        if key not in mapping:
            raise BadConfig(f"{where}: the key {key!r} is missing.")


class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """The safe loader (libyaml's, ten times faster, where it is there) that refuses a key given twice."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable):
                if key in seen:
                    raise yaml.YAMLError(f"the key {key!r} stands twice")
                seen.add(key)
        return super().construct_mapping(node, deep)


class _PlainDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # they are refused when they are read


def _refuse_aliases(text: str) -> None:
    """An alias (``*name``) lets a file of a few lines unfold to gigabytes; no configuration needs one."""
    for event in yaml.parse(text, Loader=_UniqueKeyLoader):
        if isinstance(event, yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
