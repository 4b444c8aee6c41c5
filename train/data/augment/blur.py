"""Random blur."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from train.data.augment.base import Augmentation, between


@dataclass(frozen=True, kw_only=True)
class Blur(Augmentation):
    """A Gaussian blur, as of a face out of focus.

    Attributes:
        sigma: least and greatest standard deviation in pixels of a picture 112 high; it grows with the picture.
    """

    name: ClassVar[str] = "blur"
    probability: float = 0.1
    sigma: tuple[float, float] = (0.3, 2.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_pair("sigma", 0.01, 50)

    @property
    def draws(self) -> int:
        """How much."""
        return 1

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """Blur; beyond its edges the picture is taken as mirrored."""
        return cv2.GaussianBlur(picture, (0, 0), between(self.sigma, numbers[0]) * picture.shape[0] / 112)
