"""What is measured and written down while a run goes on; done by the first worker alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from common.errors import BadCheckpoint, BadEmbedding
from eval.roc import FARS
from networks.card import Threshold
from train import checkpoints, verification
from train.logs import batch as looks
from train.logs.bar import Bar
from train.logs.board import Board
from train.logs.record import Record
from train.logs.table import Table

if TYPE_CHECKING:
    from train.trainer import Trainer

CLASSES_LOOKED_AT = 2000
COLUMNS = ["step", "set", "accuracy", "std", "auc", "eer", *(f"tar@far={far:.0e}" for far in FARS)]


class Measuring:
    """The table, TensorBoard and verification of a run.

    Attributes:
        best: step, score and figures of the weights that verified best, or None.
    """

    def __init__(self, trainer: "Trainer", bar: Bar):
        self._trainer, self._bar, self.best = trainer, bar, trainer.best
        self._board, self._sets, self._last = None, [], {}
        if not trainer.devices.is_chief:
            return
        folder, config, step = trainer.folder.path, trainer.config, trainer.step
        self._table = Table(folder / "log.csv", Record.names(), step)
        self._verified = Table(folder / "verification.csv", COLUMNS, step)
        self._board = Board(folder / "tensorboard", step) if config.log.tensorboard else None
        self._sets = verification.find(config.verification, config.data.image_size, bar.say)
        self._network = trainer.learner.evaluated()

    def close(self) -> None:
        """Write what is left."""
        if self._board:
            self._board.close()

    def record(self, record: Record) -> None:
        """Write a record down."""
        if self._trainer.devices.is_chief:
            self._table.add(record.row())
        if self._board:
            self._board.record(record)

    def look(self, step: int) -> None:
        """A sheet of a batch and its angles to the classes, for TensorBoard."""
        if not self._board:
            return
        trainer = self._trainer
        pipeline = trainer.pipeline_of_all()
        pictures, labels = pipeline.at((step - 1) * pipeline.batch, min(pipeline.batch, looks.LARGEST))
        self._network.take_arrays(trainer.learner.weights())
        embeddings = self._network.embed(pictures[..., ::-1])
        kernel, places = self._classes(labels, step)
        self._board.batch(step, looks.sheet(pictures), looks.angles(embeddings, kernel, places))

    def verify(self, step: int) -> None:
        """Measure on all sets; keep the weights if they are the best so far."""
        if not self._sets or step in self._last:
            return
        self._network.take_arrays(self._trainer.learner.weights())
        try:
            flip = self._trainer.config.verification.flip
            rates = [each.measure(self._network.embed, flip) for each in self._sets]
        except BadEmbedding as error:  # a network that has just begun may give zeros
            self._bar.say(f"step {step}: not measured: {error}")
            return
        figures = {each.name: verification.figures(rate) for each, rate in zip(self._sets, rates)}
        self._last = {step: (figures, rates)}
        for name, values in figures.items():
            self._verified.add({"step": step, "set": name, **values})
            self._bar.say(f"step {step}: {name}: {', '.join(f'{key} {value:.4f}' for key, value in values.items())}")
            if self._board:
                self._board.verified(step, name, values)
        self._keep_if_best(step, figures, rates)

    def final(self, path: Path, which: str) -> tuple[keras.Model, int]:
        """The network to hand on and the step its weights are of: the best if it is wanted and there, else the last."""
        self._network.take_arrays(self._trainer.learner.weights())
        self._chosen = {
            "step": self._trainer.step,
            "figures": self._figures_of_last(),
            "threshold": self._threshold_of_last(),
        }
        if which == "best" and self.best:
            try:
                arrays = checkpoints.read(path).arrays
                self._network.take_arrays(list(arrays.values()))
                self._chosen = self.best
            except BadCheckpoint as error:
                self._bar.say(f"{error} The last weights are handed on.")
        return self._network.model, self._chosen["step"]

    def figures(self) -> dict[str, dict[str, float]]:
        """By set, the figures of what ``final`` gave."""
        return self._chosen["figures"]

    def threshold(self) -> Threshold | None:
        """The threshold that belongs to what ``final`` gave; None where nothing was measured."""
        return Threshold(**self._chosen["threshold"]) if self._chosen["threshold"] else None

    def _keep_if_best(self, step: int, figures: dict, rates: list) -> None:
        score = verification.score(rates)
        if self.best and score < self.best["score"]:  # of equals the one that has learned longer
            return
        arrays = dict(enumerate(self._trainer.learner.weights()))
        try:
            checkpoints.write(
                self._trainer.folder.best, {str(key): value for key, value in arrays.items()}, {"step": step}
            )
        except BadCheckpoint as error:
            self._bar.say(str(error))
            return
        self.best = {"step": step, "score": score, "figures": figures, "threshold": self._threshold_of_last()}

    def _figures_of_last(self) -> dict[str, dict[str, float]]:
        return next(iter(self._last.values()))[0] if self._last else {}

    def _threshold_of_last(self) -> dict | None:
        """Of the first set, as plain values that JSON can hold."""
        if not self._last:
            return None
        _, rates = next(iter(self._last.values()))
        found = verification.threshold(self._sets[0].name, rates[0], self._trainer.config.verification.far)
        return found and {"similarity": found.similarity, "far": found.far, "measured_on": found.measured_on}

    def _classes(self, labels: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The weights of the batch's classes and of up to 2000 others, and where among them each label is."""
        import tensorflow as tf

        count = self._trainer.dataset.classes
        others = np.random.default_rng(step).choice(count, min(count, CLASSES_LOOKED_AT), replace=False)
        rows = np.union1d(labels, others)
        kernel = tf.gather(self._trainer.learner.head.class_variables[0].value, rows).numpy()
        return kernel, np.searchsorted(rows, labels)
