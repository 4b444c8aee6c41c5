"""TensorBoard: scalars, a sheet of the batch, and how far faces are from their own class and from the others."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from train.logs.record import Record


class Board:
    """Writes events into a folder; ``after`` is the step a resumed run begins after."""

    def __init__(self, folder: Path, after: int):
        self._writer = tf.summary.create_file_writer(str(folder), filename_suffix=f".{after}")

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()

    def record(self, record: Record) -> None:
        """Scalars of a stretch of training."""
        self._scalars("train", {key: value for key, value in record.row().items() if key != "step"}, record.step)

    def verified(self, step: int, name: str, figures: dict[str, float]) -> None:
        """Scalars of a verification set."""
        self._scalars(f"verification/{name}", figures, step)
        self._writer.flush()

    def batch(self, step: int, sheet: np.ndarray, angles: dict[str, np.ndarray]) -> None:
        """A sheet uint8 ``[h, w, 3]`` RGB, and angles in degrees by their name."""
        with self._writer.as_default(step=step):
            tf.summary.image("batch", sheet[None])
            for name, degrees in angles.items():
                tf.summary.histogram(f"angles/{name}", degrees)
        self._writer.flush()

    def _scalars(self, part: str, values: dict[str, float], step: int) -> None:
        with self._writer.as_default(step=step):
            for key, value in values.items():
                tf.summary.scalar(f"{part}/{key}", value)
