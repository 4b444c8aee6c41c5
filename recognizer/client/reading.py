"""JSON of the service as the dataclasses of :mod:`recognizer.client.results`."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from recognizer.client.errors import BadAnswer

Result = TypeVar("Result")


def read(kind: type[Result], value: Any) -> Result:
    """A dataclass of what the service answered. Fields that it does not have are passed over: newer services say more.

    Raises:
        BadAnswer: a field is missing, or is of another kind.
    """
    try:
        found: Result = _built(kind, value)
        return found
    except (TypeError, ValueError, KeyError, AttributeError):
        raise BadAnswer(
            f"The service's answer is no {kind.__name__} that this client can read: use the client of its release."
        ) from None


def _built(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        return _object(kind, value)
    if kind is datetime:
        return datetime.fromisoformat(value)
    if get_origin(kind) is tuple:
        return _items(get_args(kind), value)
    if NoneType in get_args(kind):
        return None if value is None else _built(get_args(kind)[0], value)
    return value


def _object(kind: Any, value: Mapping[str, Any]) -> Any:
    return kind(**{name: _built(each, value[name]) for name, each in _fields(kind).items() if name in value})


def _items(kinds: tuple[Any, ...], values: list[Any]) -> tuple[Any, ...]:
    if kinds[-1] is Ellipsis:
        return tuple(_built(kinds[0], each) for each in values)
    return tuple(_built(kind, each) for kind, each in zip(kinds, values, strict=True))


@cache
def _fields(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
