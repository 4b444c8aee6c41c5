"""What every backbone can be told, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from common.errors import BadArgument

CHANNEL_STEP = 8


@dataclass(frozen=True)
class Settings:
    """The arguments that all backbones share; see :func:`networks.backbones.get`.

    Raises:
        BadArgument: one of the wrong type or out of its range.
    """

    embedding_size: int = 512
    input_size: tuple[int, int] = (112, 112)
    width: float = 1.0
    dropout: float | None = None

    def __post_init__(self):
        if type(self.embedding_size) is not int or self.embedding_size < 1:
            raise BadArgument(f"embedding_size must be a positive whole number, not {self.embedding_size!r}.")
        object.__setattr__(self, "input_size", _size(self.input_size))
        if not _is_number(self.width) or self.width <= 0:
            raise BadArgument(f"width must be a number above 0, not {self.width!r}.")
        if self.dropout is not None and not (_is_number(self.dropout) and 0 <= self.dropout < 1):
            raise BadArgument(f"dropout must be a rate of units dropped, from 0 to below 1, not {self.dropout!r}.")

    def channels(self, count: int) -> int:
        """``count`` times the width, as a multiple of 8 and at least 8."""
        return max(CHANNEL_STEP, round(count * self.width / CHANNEL_STEP) * CHANNEL_STEP)

    def drop_rate(self, default: float) -> float:
        """The rate asked for, or the default of the network's source."""
        return default if self.dropout is None else self.dropout

    def require_multiple_of(self, step: int, name: str) -> None:
        """Refuse an input size whose sides ``step`` does not divide."""
        if any(side % step for side in self.input_size):
            height, width = self.input_size
            raise BadArgument(f"{name} takes inputs whose sides are multiples of {step}, not {height}x{width}.")


def choice(value: Any, choices: Sequence, option: str, name: str) -> Any:
    """``value``, where it is one of the choices of an option.

    Raises:
        BadArgument: it is none.
    """
    for each in choices:
        if type(value) is type(each) and value == each:
            return value
    raise BadArgument(f"{name}: {option} is {value!r}. Expected one of: {', '.join(map(repr, choices))}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _size(value: Any) -> tuple[int, int]:
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(side) is int and side > 0 for side in value):
        return (value[0], value[1])
    raise BadArgument(f"input_size must be two positive whole numbers (height, width), not {value!r}.")
