"""Values of a YAML file made into dataclasses, each key checked against its annotation."""

import types
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from common import config
from common.errors import BadConfig
from train.config.durations import Duration


def build(cls: type, mapping: Any, where: str) -> Any:
    """An instance of the dataclass ``cls``.

    Raises:
        BadConfig: an unknown or missing key or a value of another type; the message names ``where.key``.
    """
    own = [field for field in fields(cls) if field.init]
    required = {field.name for field in own if field.default is MISSING and field.default_factory is MISSING}
    config.check_keys(mapping, where, required, {field.name for field in own} - required)
    hints = get_type_hints(cls)
    made = cls(**{key: convert(value, hints[key], f"{where}.{key}") for key, value in mapping.items()})
    if hasattr(made, "check"):
        made.check(where)
    return made


def convert(value: Any, hint: Any, where: str) -> Any:
    """``value`` as ``hint`` wants it: whole numbers pass for floats, durations and sections are built."""
    if hint is Any:
        return value
    if hasattr(hint, "from_mapping"):
        return hint.from_mapping(value, where)
    if is_dataclass(hint):
        return Duration.read(value, where) if hint is Duration else build(hint, value, where)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(value, arguments, where)
    if origin is Literal:
        if value not in arguments or type(value) not in {type(choice) for choice in arguments}:
            raise BadConfig(f"{where} is {value!r}. Expected one of: {', '.join(map(str, arguments))}.")
        return value
    if origin in (list, tuple):
        return _sequence(value, origin, arguments, where)
    if origin is dict or hint is dict:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise BadConfig(f"{where} must be a mapping (key: value), not {value!r}.")
        return value
    return _scalar(value, hint, where)


def _one_of(value: Any, hints: tuple, where: str) -> Any:
    if value is None and type(None) in hints:
        return None
    hints = [hint for hint in hints if hint is not type(None)]
    errors = []
    for hint in hints:
        try:
            return convert(value, hint, where)
        except BadConfig as error:
            errors.append(error)
    raise errors[0] if len(hints) == 1 else BadConfig(f"{where} must be {_named(hints)}, not {value!r}.")


def _sequence(value: Any, origin: type, hints: tuple, where: str) -> list | tuple:
    fixed = origin is tuple and Ellipsis not in hints
    if not isinstance(value, (list, tuple)) or (fixed and len(value) != len(hints)):
        raise BadConfig(f"{where} must be a list{f' of {len(hints)}' if fixed else ''}, not {value!r}.")
    each = hints if fixed else [hints[0] if hints else Any] * len(value)
    return origin(convert(item, hint, f"{where}[{i}]") for i, (item, hint) in enumerate(zip(value, each)))


def _scalar(value: Any, hint: type, where: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and number and isfinite(value):
        return float(value)
    if hint is int and type(value) is int:
        return value
    if hint in (bool, str) and type(value) is hint:
        return value
    if hint not in (bool, str, int, float):
        return value  # an annotation of a library's own: whoever takes the value checks it
    if hint is float and isinstance(value, str) and _is_number(value):
        return float(value)  # YAML takes 5e-4, without a point, for text
    raise BadConfig(f"{where} must be {_named([hint])}, not {value!r}.")


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _named(hints: list) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Duration: "a duration"}
    return " or ".join(names.get(hint, getattr(hint, "__name__", str(hint))) for hint in hints)
