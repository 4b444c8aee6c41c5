"""What is known of a stretch of training."""

import time
from dataclasses import dataclass, fields
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Record:
    """Means over the steps since the record before it, up to and with ``step``.

    ``skipped``: steps whose gradients overflowed in float16, which changed nothing.
    """

    step: int
    epoch: float
    loss: float
    accuracy: float
    learning_rate: float
    gradient_norm: float
    images_per_second: float
    skipped: int

    @classmethod
    def names(cls) -> list[str]:
        """The columns of the table."""
        return [field.name for field in fields(cls)]

    def row(self) -> dict[str, Any]:
        """Column and value."""
        return {name: getattr(self, name) for name in self.names()}


@dataclass(frozen=True)
class Broken:
    """A step, counted from 0, whose outcome was not finite."""

    step: int
    figures: dict[str, float]


class Window:
    """Collects the outcomes of steps without waiting for the device, until somebody wants to know them."""

    def __init__(self, batch: int, images: int):
        self._batch, self._images = batch, images
        self._outcomes: list[tuple[dict, float]] = []
        self._since = time.perf_counter()

    def __bool__(self) -> bool:
        return bool(self._outcomes)

    def restart_clock(self) -> None:
        """Count from now on: something else was done meanwhile."""
        self._since = time.perf_counter()

    def add(self, outcome: dict, learning_rate: float) -> None:
        """The scalars of one step, still on the device."""
        self._outcomes.append((outcome, learning_rate))

    def close(self, step: int) -> tuple[Record, Broken | None]:
        """The record up to ``step``, and the first step that training cannot go on from."""
        rows = [{key: float(value) for key, value in outcome.items()} for outcome, _ in self._outcomes]
        rates = [rate for _, rate in self._outcomes]
        seconds = time.perf_counter() - self._since
        bad = [bool(row["broken"]) for row in rows]
        broken = None
        if any(bad):
            first = bad.index(True)
            figures = {key: rows[first][key] for key in ("loss", "gradient_norm")} | {"learning_rate": rates[first]}
            broken = Broken(step - len(rows) + first, figures)
        record = Record(
            step=step,
            epoch=step * self._batch / self._images,
            loss=float(np.mean([row["loss"] for row in rows])),
            accuracy=float(np.mean([row["accuracy"] for row in rows])),
            learning_rate=rates[-1],
            gradient_norm=float(np.mean([row["gradient_norm"] for row in rows])),
            images_per_second=len(rows) * self._batch / max(seconds, 1e-9),
            skipped=int(sum(row["skipped"] for row in rows)),
        )
        self._outcomes.clear()
        self._since = time.perf_counter()
        return record, broken
