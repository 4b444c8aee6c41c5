"""Lengths of time in a training configuration: steps, epochs or images, turned into steps in one place."""

import re
from dataclasses import dataclass
from math import ceil

from common.errors import BadConfig

UNITS = {
    "step": "steps",
    "steps": "steps",
    "epoch": "epochs",
    "epochs": "epochs",
    "image": "images",
    "images": "images",
}
_WRITTEN = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE]\+?[0-9]+)?)\s*([a-z]+)\s*")


@dataclass(frozen=True)
class Duration:
    """So many ``unit`` ("steps", "epochs" or "images"); a bare whole number in a file means steps."""

    amount: float
    unit: str = "steps"

    @classmethod
    def read(cls, value: object, where: str) -> "Duration":
        """From what a file says: ``500``, ``"500 steps"``, ``"1.5 epochs"``, ``"2e6 images"``.

        Raises:
            BadConfig: anything else; the message names ``where``.
        """
        if type(value) is int and value >= 0:
            return cls(value)
        found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
        if not found or found[2] not in UNITS:
            raise BadConfig(
                f"{where} is a duration: steps as a whole number, or text such as '2000 steps', '1.5 epochs' or "
                f"'2e6 images'; not {value!r}."
            )
        amount, unit = float(found[1].replace("_", "")), UNITS[found[2]]
        if unit != "epochs" and amount != int(amount):
            raise BadConfig(f"{where}: {unit} come whole, not {found[1]}.")
        return cls(amount, unit)

    def steps(self, batch: int, images: int) -> int:
        """How many steps that is, rounded up, with ``batch`` pictures a step and ``images`` an epoch."""
        if self.unit == "steps":
            return int(self.amount)
        total = self.amount if self.unit == "images" else self.amount * images
        return ceil(round(total / batch, 6))  # 3 * (1 / 3) epochs are whole steps again

    def __str__(self) -> str:
        return f"{self.amount:g} {self.unit}"


def is_duration(value: object) -> bool:
    """Whether it is text that :meth:`Duration.read` understands."""
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    return bool(found) and found[2] in UNITS
