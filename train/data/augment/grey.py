"""Random greying."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from train.data.augment import colours
from train.data.augment.base import Augmentation


@dataclass(frozen=True, kw_only=True)
class Grey(Augmentation):
    """The picture without its colours, as old cameras and infrared ones give it.

    Attributes:
        strength: 1 takes all colour away, 0.5 half of it.
    """

    name: ClassVar[str] = "grey"
    probability: float = 0.1
    strength: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number("strength", 0, 1)

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """Pull every pixel to its grey."""
        return colours.apply(picture, colours.saturation(1 - self.strength))
