"""Random brightness, contrast, saturation and hue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from train.data.augment import colours
from train.data.augment.base import Augmentation, between


@dataclass(frozen=True, kw_only=True)
class Colour(Augmentation):
    """Brightness, contrast, saturation and hue, each drawn evenly around what it was.

    The four are one linear change of the colours, so values are clipped once, at the end, and hue turns about the axis
    of greys; torchvision's ColorJitter clips after each and turns in HSV.

    Attributes:
        brightness, contrast, saturation: s gives a factor of 1 - s to 1 + s.
        hue: h turns the colours by -h to h of a whole turn.
    """

    name: ClassVar[str] = "colour"
    probability: float = 0.2
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.3
    hue: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for option in ("brightness", "contrast", "saturation"):
            self.check_number(option, 0, 1)
        self.check_number("hue", 0, 0.5)

    @property
    def draws(self) -> int:
        """One for each."""
        return 4

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """Multiply the four changes, and apply them at once."""
        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        light, contrast, saturation, hue = (
            between((-strength, strength), number) for strength, number in zip(strengths, numbers)
        )
        middle = colours.mean_grey(picture) * (1 + light)
        matrix = colours.contrast(1 + contrast, middle) @ colours.brightness(1 + light)
        return colours.apply(picture, colours.hue(hue) @ colours.saturation(1 + saturation) @ matrix)
