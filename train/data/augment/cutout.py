"""A square cut out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from train.data.augment.base import Augmentation


@dataclass(frozen=True, kw_only=True)
class Cutout(Augmentation):
    """A square of one grey, its centre anywhere in the picture, as of a hand or a mask (DeVries & Taylor 2017).

    Attributes:
        size: side of the square, as a share of the picture's shorter side; it may reach beyond the edges.
        fill: its grey, 0..255.
    """

    name: ClassVar[str] = "cutout"
    size: float = 0.3
    fill: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number("size", 0, 1)
        self.check_number("fill", 0, 255)

    @property
    def draws(self) -> int:
        """Where."""
        return 2

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """Fill the square."""
        height, width = picture.shape[:2]
        side = round(self.size * min(height, width))
        top, left = int(numbers[0] * height) - side // 2, int(numbers[1] * width) - side // 2
        covered = picture.copy()
        covered[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = self.fill
        return covered
