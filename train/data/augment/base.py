"""What all augmentations share: a probability, checked options, and random numbers that are given, never drawn.

An augmentation is a function of a picture and of numbers 0 <= x < 1, so the same numbers give the same picture, on
any thread and any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np

from common.errors import BadConfig


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """One way of changing a picture.

    Attributes:
        name: its key in the registry.
        probability: how often a picture is changed, 0..1.
    """

    name: ClassVar[str]
    probability: float = 0.5

    def __post_init__(self) -> None:
        self.check_number("probability", 0, 1)

    @property
    def draws(self) -> int:
        """How many numbers ``apply`` takes."""
        return 0

    def __call__(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """The picture, changed or as it was.

        Args:
            picture: uint8 ``[h, w, 3]`` RGB; it is left as it is.
            numbers: ``1 + draws`` of them, 0 <= x < 1; the first decides whether anything is done.

        Returns:
            uint8 ``[h, w, 3]``.
        """
        return self.apply(picture, numbers[1:]) if numbers[0] < self.probability else picture

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """The changed picture, uint8 ``[h, w, 3]``."""
        raise NotImplementedError

    def check_number(self, option: str, lowest: float, highest: float = inf) -> None:
        """Refuse an option that is no number in this range."""
        if not _is_number(value := getattr(self, option), lowest, highest):
            raise BadConfig(f"{self._where(option)} must be a number {_range(lowest, highest)}, not {value!r}.")

    def check_pair(self, option: str, lowest: float, highest: float = inf) -> None:
        """Refuse an option that is no (least, greatest) in this range."""
        value = getattr(self, option)
        good = isinstance(value, Sequence) and len(value) == 2 and all(_is_number(v, lowest, highest) for v in value)
        if not good or value[0] > value[1]:
            expected = f"two numbers {_range(lowest, highest)}, the smaller one first"
            raise BadConfig(f"{self._where(option)} must be {expected}, not {value!r}.")

    def _where(self, option: str) -> str:
        return f"augment.{self.name}.{option}"


def between(pair: Sequence[float], number: float) -> float:
    """0 gives the first of the pair, 1 the second."""
    return pair[0] + (pair[1] - pair[0]) * number


def _is_number(value: Any, lowest: float, highest: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and lowest <= value <= highest and value < inf


def _range(lowest: float, highest: float) -> str:
    return f"from {lowest:g} up" if highest == inf else f"from {lowest:g} to {highest:g}"
