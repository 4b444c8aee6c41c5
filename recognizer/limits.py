"""Groups of limits in the settings: a mapping of numbers, or null where nothing is asked."""

from collections.abc import Mapping
from dataclasses import fields
from math import isfinite
from typing import Any, TypeVar

from common.config import check_keys
from common.errors import BadConfig

Limits = TypeVar("Limits")


def from_mapping(kind: type[Limits], mapping: Mapping[str, Any], where: str) -> Limits:
    """A dataclass of numbers, of a mapping; what it lacks is the dataclass' default, None asks nothing.

    Args:
        kind: its fields hold a number that is not negative, or None.
        where: names the file and key in errors.

    Raises:
        BadConfig: an unknown key, or a value that is neither such a number nor null.
    """
    check_keys(mapping, where, set(), {field.name for field in fields(kind)})
    for key, value in mapping.items():
        if value is not None and not _is_limit(value):
            raise BadConfig(f"{where}: {key} must be a number, 0 or more, or null, not {str(value)[:40]!r}.")
    return kind(**mapping)


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
