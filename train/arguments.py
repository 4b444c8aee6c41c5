"""Checks of the numbers and words that heads, losses, optimizers and schedules are told."""

from collections.abc import Callable, Collection
from inspect import signature
from math import inf, isfinite
from numbers import Integral, Real
from typing import Any

from common.errors import BadArgument


def number(
    name: str,
    value: Any,
    *,
    above: float = -inf,
    at_least: float = -inf,
    below: float = inf,
    at_most: float = inf,
) -> float:
    """``value`` as a float, when it is a finite number in the range; BadArgument otherwise."""
    fits = isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
    if not fits or not (above < value < below and at_least <= value <= at_most):
        limits = {"above": above, "at least": at_least, "below": below, "at most": at_most}
        wanted = " and ".join(f"{word} {limit:g}" for word, limit in limits.items() if isfinite(limit))
        raise BadArgument(f"{name} must be a number{' ' + wanted if wanted else ''}, not {value!r}.")
    return float(value)


def whole(name: str, value: Any, at_least: int) -> int:
    """``value`` as an int, when it is a whole number of at least that; BadArgument otherwise."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < at_least:
        raise BadArgument(f"{name} must be a whole number, at least {at_least}, not {value!r}.")
    return int(value)


def one_of(name: str, value: Any, choices: Collection[str]) -> str:
    """``value``, when it is one of the words; BadArgument, which lists them, otherwise."""
    if not isinstance(value, str) or value not in choices:
        raise BadArgument(f"{name} is {value!r}. Expected one of: {', '.join(choices)}.")
    return value


def flag(name: str, value: Any) -> bool:
    """``value``, when it is true or false; BadArgument otherwise."""
    if not isinstance(value, bool):
        raise BadArgument(f"{name} must be true or false, not {value!r}.")
    return value


def check_options(what: str, target: Callable, options: Collection[str]) -> None:
    """Refuse an option that the class or function ``target`` does not take; ``what`` names it in the error."""
    parameters = signature(target).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return  # it passes options on, and whoever takes them checks
    known = [each.name for each in parameters]
    for option in options:
        if option not in known:
            raise BadArgument(f"{what} has no option {option!r}. Expected some of: {', '.join(known)}.")
