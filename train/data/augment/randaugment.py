"""RandAugment."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from common.errors import BadConfig
from train.data.augment.base import Augmentation
from train.data.augment.operations import OPERATIONS

SCALE = 30  # the strongest magnitude, as the paper counts


@dataclass(frozen=True, kw_only=True)
class RandAugment(Augmentation):
    """A few operations drawn from a list, one after another, all of one magnitude (Cubuk et al. 2020).

    Attributes:
        layers: how many operations.
        magnitude: how strong they are, 0..30; to which side is drawn.
        operations: names from ``train.data.augment.operations``, or None for all.
    """

    name: ClassVar[str] = "randaugment"
    layers: int = 2
    magnitude: float = 9
    operations: Sequence[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_number("magnitude", 0, SCALE)
        if isinstance(self.layers, bool) or not isinstance(self.layers, int) or not 1 <= self.layers <= 20:
            raise BadConfig(f"augment.randaugment.layers must be a whole number from 1 to 20, not {self.layers!r}.")
        chosen = self.operations
        if chosen is not None and (isinstance(chosen, str) or not isinstance(chosen, Sequence) or not chosen):
            raise BadConfig(f"augment.randaugment.operations must be a list of names, not {chosen!r}.")
        for name in chosen or ():
            if not isinstance(name, str) or name not in OPERATIONS:
                expected = ", ".join(OPERATIONS)
                raise BadConfig(f"augment.randaugment.operations: unknown {name!r}. Expected some of: {expected}.")

    @property
    def draws(self) -> int:
        """For each layer the operation, and the side."""
        return 2 * self.layers

    def apply(self, picture: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
        """One operation after another."""
        names = self.operations or list(OPERATIONS)
        for which, side in zip(numbers[::2], numbers[1::2]):
            level = self.magnitude / SCALE * (1 if side < 0.5 else -1)
            picture = OPERATIONS[names[int(which * len(names))]](picture, level)
        return picture
