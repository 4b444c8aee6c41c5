"""Random crop, enlarged again or left on black."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import ClassVar

import cv2
import numpy as np

from common.errors import BadConfig
from train.data.augment.base import Augmentation, between


@dataclass(frozen=True, kw_only=True)
class Crop(Augmentation):
    """A random part of the picture (Szegedy et al. 2015).

    Attributes:
        area: least and greatest share of the picture's area that is kept.
        ratio: least and greatest width : height of the part, relative to the picture's.
        resize: enlarge the part to the whole picture; otherwise it stays where it was and the rest becomes black, so
            that the face keeps its alignment (Kim et al. 2022, AdaFace, with an area of 0.2 to 1).
    """

    name: ClassVar[str] = "crop"
    probability: float = 0.2
    area: tuple[float, float] = (0.7, 1.0)
    ratio: tuple[float, float] = (0.75, 4 / 3)
    resize: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_pair("area", 0.01, 1)
        self.check_pair("ratio", 0.1, 10)
        if not isinstance(self.resize, bool):
            raise BadConfig(f"augment.crop.resize must be true or false, not {self.resize!r}.")

    @property
    def draws(self) -> int:
        """Area, ratio, and where."""
        return 4

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """Cut, and enlarge or lay on black."""
        height, width = picture.shape[:2]
        top, left, tall, wide = self.box(height, width, numbers)
        part = picture[top : top + tall, left : left + wide]
        if self.resize:
            return cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        canvas = np.zeros_like(picture)
        canvas[top : top + tall, left : left + wide] = part
        return canvas

    def box(self, height: int, width: int, numbers: Sequence[float]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the part; the logarithm of its ratio is uniform."""
        area = between(self.area, numbers[0])
        ratio = exp(between((log(self.ratio[0]), log(self.ratio[1])), numbers[1]))
        tall = min(max(round(height * sqrt(area / ratio)), 1), height)
        wide = min(max(round(width * sqrt(area * ratio)), 1), width)
        return int(numbers[2] * (height - tall + 1)), int(numbers[3] * (width - wide + 1)), tall, wide
