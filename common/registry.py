"""Choices by name: ``{name: "package.module:attribute"}``, imported when first asked for.

Looking a name up costs the import of that one choice only, and an unknown name lists the choices.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from common.errors import UnknownChoice


class Registry(Mapping):
    """A mapping of names to lazily imported objects; ``kind`` names them in errors ("detector")."""

    def __init__(self, kind: str, targets: dict[str, str]):
        self.kind = kind
        self._targets = dict(targets)

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str) or name not in self._targets:
            raise UnknownChoice(f"Unknown {self.kind} {name!r}. Expected one of: {', '.join(self._targets)}.")
        module, attribute = self._targets[name].split(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)
