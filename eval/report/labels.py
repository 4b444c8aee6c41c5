"""What tells one measured model from another, throughout the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eval.measuring import Measurement


@dataclass(frozen=True)
class Label:
    """A number, which is also that of its curves, counted from 0, and what it stands for."""

    number: int
    model: str
    backend: str
    flip: str


class Labels:
    """A label for each model on each engine and with each flip, in the order they first come up."""

    def __init__(self, measurements: Sequence["Measurement"]):
        keys = dict.fromkeys(map(_key, measurements))
        self._labels = {key: Label(number, key[0], *key[2:]) for number, key in enumerate(keys)}

    def __call__(self, measurement: "Measurement") -> Label:
        """The label of a measurement's model."""
        return self._labels[_key(measurement)]


def _key(measurement: "Measurement") -> tuple[str, str, str, str]:
    return measurement.model, measurement.digest, measurement.backend, measurement.flip
