"""Random loss of resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from train.data.augment.base import Augmentation, between

ENLARGING = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


@dataclass(frozen=True, kw_only=True)
class Resolution(Augmentation):
    """The picture reduced and enlarged again, as of a face far away (Kim et al. 2022, AdaFace).

    Attributes:
        scale: least and greatest factor of the sides in between. How it is enlarged is drawn from nearest, linear and
            cubic.
    """

    name: ClassVar[str] = "resolution"
    probability: float = 0.2
    scale: tuple[float, float] = (0.2, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_pair("scale", 0.01, 1)

    @property
    def draws(self) -> int:
        """How much, and how it is enlarged."""
        return 2

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """Reduce, and enlarge to the size it had."""
        height, width = picture.shape[:2]
        scale = between(self.scale, numbers[0])
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        reduced = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return cv2.resize(reduced, (width, height), interpolation=ENLARGING[int(numbers[1] * len(ENLARGING))])
