"""Learning rates by step: constant, step, piecewise, polynomial, cosine, each with a linear warm-up.

A schedule is a pure function of the number of steps already made. Given a whole number it returns a float, given a
tensor a float32 scalar: the same number, from the same lines.

With ``base_batch`` the rates are those for a batch of that size, and are multiplied by batch / base_batch
(Goyal et al. 2017, arXiv:1706.02677).
"""

from collections.abc import Sequence
from math import pi
from numbers import Integral
from typing import Any

import numpy as np
from keras import ops

from common.errors import BadArgument
from common.registry import Registry
from train import arguments
from train.arguments import check_options

SCHEDULES = Registry(
    "schedule",
    {
        "constant": "train.schedules:Constant",
        "step": "train.schedules:Step",
        "piecewise": "train.schedules:Piecewise",
        "polynomial": "train.schedules:Polynomial",
        "cosine": "train.schedules:Cosine",
    },
)


def get(name: str, **options: Any) -> "Schedule":
    """The schedule of that name.

    Raises:
        UnknownChoice: no such schedule. BadArgument: an option it does not take, or a value out of range.
    """
    schedule_class = SCHEDULES[name]
    check_options(name, schedule_class, options)
    return schedule_class(**options)


class Schedule:
    """The shared part: warm-up and scaling.

    Args:
        warmup: steps over which the rate grows in a line from 0 to what it is at their end.
        batch: pictures in a global batch; needed with ``base_batch``.
        base_batch: the batch the rates are meant for; None: rates are taken as they are.
        total: steps of the whole run, warm-up included; only the schedules that end need it.

    Raises:
        BadArgument: an argument of the wrong type or out of its range.
    """

    def __init__(self, warmup: int, batch: int | None, base_batch: int | None, total: int | None):
        self.warmup = arguments.whole("warmup", warmup, at_least=0)
        self.total = None if total is None else arguments.whole("total", total, at_least=1)
        self.factor = 1.0
        if base_batch is not None:
            if batch is None:
                raise BadArgument("base_batch needs the batch as well: rates are multiplied by batch / base_batch.")
            base_batch = arguments.whole("base_batch", base_batch, at_least=1)
            self.factor = arguments.whole("batch", batch, at_least=1) / base_batch

    def __call__(self, step: Any) -> Any:
        """The rate for the step after ``step`` others: a float for a whole number, float32 for an integer tensor."""
        if isinstance(step, Integral):
            return float(np.float32(self._at(np, np.float64(step))))
        return ops.cast(self._at(ops, ops.cast(step, "float64")), "float32")

    def rate(self, numeric: Any, step: Any) -> Any:
        """The rate without warm-up and scaling. ``numeric`` is numpy or keras.ops, ``step`` a float64 of it."""
        raise NotImplementedError

    def _at(self, numeric: Any, step: Any) -> Any:
        rate = self.factor * self.rate(numeric, numeric.maximum(step, float(self.warmup)))
        return rate * numeric.minimum(step / self.warmup, 1.0) if self.warmup else rate


class Constant(Schedule):
    """One rate."""

    def __init__(
        self,
        learning_rate: float,
        warmup: int = 0,
        batch: int | None = None,
        base_batch: int | None = None,
        total: int | None = None,
    ):
        super().__init__(warmup, batch, base_batch, total)
        self.learning_rate = _rate(learning_rate)

    def rate(self, numeric: Any, step: Any) -> Any:
        """See :class:`Schedule`."""
        return self.learning_rate + 0.0 * step


class Piecewise(Schedule):
    """``values[i]`` before the step ``boundaries[i]``, the last value from the last boundary on.

    Args:
        boundaries: steps, growing, none of them in the warm-up.
        values: rates, one more than boundaries.
    """

    def __init__(
        self,
        boundaries: list,
        values: list[float],
        warmup: int = 0,
        batch: int | None = None,
        base_batch: int | None = None,
        total: int | None = None,
    ):
        super().__init__(warmup, batch, base_batch, total)
        self.boundaries, self.values = _boundaries(boundaries, self.warmup), _list("values", values)
        if len(self.values) != len(self.boundaries) + 1:
            raise BadArgument(
                f"values must be one more than boundaries ({len(self.boundaries)}), not {len(self.values)}."
            )
        self.values = [_rate(value, "values") for value in self.values]

    def rate(self, numeric: Any, step: Any) -> Any:
        """See :class:`Schedule`."""
        rate = self.values[0] + 0.0 * step
        for boundary, value in zip(self.boundaries, self.values[1:]):
            rate = numeric.where(step >= float(boundary), value + 0.0 * step, rate)
        return rate


class Step(Piecewise):
    """``learning_rate``, multiplied by ``drop`` at each of the boundaries.

    Args:
        boundaries: steps, growing, none of them in the warm-up.
    """

    def __init__(
        self,
        learning_rate: float,
        boundaries: list,
        drop: float = 0.1,
        warmup: int = 0,
        batch: int | None = None,
        base_batch: int | None = None,
        total: int | None = None,
    ):
        drop = arguments.number("drop", drop, above=0, at_most=1)
        boundaries = _list("boundaries", boundaries)
        values = [_rate(learning_rate) * drop**times for times in range(len(boundaries) + 1)]
        super().__init__(boundaries, values, warmup, batch, base_batch, total)


class Polynomial(Schedule):
    """From ``learning_rate`` at the end of the warm-up to ``end`` at the end of the run, as (1 - progress)^power."""

    def __init__(
        self,
        learning_rate: float,
        total: int,
        end: float = 0.0,
        power: float = 2.0,
        warmup: int = 0,
        batch: int | None = None,
        base_batch: int | None = None,
    ):
        super().__init__(warmup, batch, base_batch, total)
        _check_total(self.total, self.warmup)
        self.learning_rate, self.end = _rate(learning_rate), _end(end, learning_rate)
        self.power = arguments.number("power", power, above=0)

    def rate(self, numeric: Any, step: Any) -> Any:
        """See :class:`Schedule`."""
        left = 1.0 - _progress(numeric, step, self.warmup, self.total)
        return self.end + (self.learning_rate - self.end) * left**self.power


class Cosine(Schedule):
    """From ``learning_rate`` at the end of the warm-up to ``end`` at the end of the run, along half a cosine."""

    def __init__(
        self,
        learning_rate: float,
        total: int,
        end: float = 0.0,
        warmup: int = 0,
        batch: int | None = None,
        base_batch: int | None = None,
    ):
        super().__init__(warmup, batch, base_batch, total)
        _check_total(self.total, self.warmup)
        self.learning_rate, self.end = _rate(learning_rate), _end(end, learning_rate)

    def rate(self, numeric: Any, step: Any) -> Any:
        """See :class:`Schedule`."""
        progress = _progress(numeric, step, self.warmup, self.total)
        return self.end + (self.learning_rate - self.end) * 0.5 * (1.0 + numeric.cos(pi * progress))


def _progress(numeric: Any, step: Any, warmup: int, total: int) -> Any:
    return numeric.minimum((step - float(warmup)) / float(total - warmup), 1.0)


def _rate(value: float, name: str = "learning_rate") -> float:
    return arguments.number(name, value, at_least=0)


def _end(value: float, learning_rate: float) -> float:
    return arguments.number("end", value, at_least=0, at_most=learning_rate)


def _check_total(total: int, warmup: int) -> None:
    if total <= warmup:
        raise BadArgument(f"total must be more steps than warmup ({warmup}), not {total}.")


def _list(name: str, values: Any) -> list:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise BadArgument(f"{name} must be a list, not {values!r}.")
    return list(values)


def _boundaries(values: Any, warmup: int) -> list[int]:
    boundaries = [arguments.whole("boundaries", value, at_least=1) for value in _list("boundaries", values)]
    if boundaries != sorted(set(boundaries)):
        raise BadArgument(f"boundaries must grow, not {boundaries}.")
    if boundaries and boundaries[0] < warmup:
        raise BadArgument(f"The first boundary, {boundaries[0]}, must not lie in the warm-up ({warmup} steps).")
    return boundaries
