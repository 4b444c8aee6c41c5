"""A training run from its configuration to its bundle."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from common.errors import BadCheckpoint, BadConfig
from networks import bundle
from train import checkpoints, divergence, handing_on, parts
from train.config import Config
from train.config.durations import Duration
from train.data import open_dataset
from train.data.pipeline import Pipeline
from train.distribution import Devices
from train.learner import Learner
from train.logs.bar import Bar
from train.logs.record import Window
from train.measuring import Measuring
from train.run_folder import RunFolder
from train.stopping import Stopping

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """How a run ended: after ``step`` of ``total`` steps; the bundle is there when all were made.

    ``exit_code`` is 0, or what a signal that ended it early asks for.
    """

    step: int
    total: int
    bundle: Path | None
    exit_code: int = 0


class Trainer:
    """One run in one process; with several workers, each makes its own and the first writes the files.

    Args:
        config: what to do.
        devices: where.
        output: the run's folder.
        resume: go on with the run that is there.

    Raises:
        BadConfig, BadDataset, BadArgument, BadCheckpoint: each says what to do.
    """

    def __init__(self, config: Config, devices: Devices, output: Path, resume: bool = False):
        parts.check(config)
        self.config, self.devices, self.folder = config, devices, RunFolder(output)
        self._check_devices()
        keras.utils.set_random_seed(config.seed)
        if config.training.deterministic:
            tf.config.experimental.enable_op_determinism()
        self.dataset = open_dataset(config.data.train)
        self.pipeline = self._pipeline()
        self.total = self._steps(config.training.duration)
        self.schedule = parts.schedule(config, self.dataset.images, self.total)
        self.learner = Learner(config, devices, self.dataset.classes)
        self._store = checkpoints.Checkpoints(self.folder.checkpoints, config.checkpoints.keep)
        self._begin(resume)

    def run(self) -> Result:
        """Train until the end, a signal or a step that is not finite, whose batch is saved (TrainingDiverged)."""
        with Stopping() as stopping, Bar(self.total, self.step, shown=self.devices.is_chief) as bar:
            self._say = bar.say
            self.measuring = Measuring(self, bar)
            try:
                if self.step == 0:
                    self.measuring.verify(0)  # what there was before, and for fine-tuning perhaps the best
                self._train(bar, stopping)
            finally:
                self.measuring.close()
            if self.step < self.total:
                bar.say(f"Stopped after step {self.step} of {self.total}. Go on with --resume.")
                return Result(self.step, self.total, None, stopping.exit_code)
            path = self._hand_on() if self.devices.is_chief else None
            self.devices.wait_for_all()
            return Result(self.step, self.total, path)

    def _train(self, bar: Bar, stopping: Stopping) -> None:
        window = Window(self.config.data.batch, self.dataset.images)
        every = self._steps(self.config.log.every)
        for pictures, labels in self._batches():
            rate = self.schedule(self.step)
            window.add(self.learner.step(pictures, labels, rate, self.step), rate)
            self.step += 1
            bar.advance(self.step)
            at_border = self.step % every == 0 or self.step == self.total
            saves = self._due(self.config.checkpoints.every) or self.step == self.total
            stop = stopping if self.devices.workers == 1 else at_border and self.devices.any(bool(stopping))
            if at_border or saves or stop or self._verifies():
                self._report(window, bar)  # before anything is saved: it looks whether all was finite
            self._measure()
            if saves or stop:
                self.save()
            if not window:
                window.restart_clock()
            if stop or self.step == self.total:
                return

    def _measure(self) -> None:
        if self._due(self.config.log.pictures):
            self.measuring.look(self.step)
        if self._verifies():
            self.measuring.verify(self.step)

    def _verifies(self) -> bool:
        due = self._due(self.config.verification.every) or self.step == self.total
        return due and bool(self.config.verification.sets)

    def _report(self, window: Window, bar: Bar) -> None:
        """Show and log what was done since the last report; look whether all of it was finite."""
        if not window:
            return
        record, broken = window.close(self.step)
        if broken is not None and self.devices.is_chief:
            divergence.stop(self.folder.path, broken.step, self.pipeline_of_all(), broken.figures)
        if broken is not None:
            raise SystemExit(2)
        self.measuring.record(record)
        bar.show(record)

    def save(self) -> None:
        """Write a checkpoint. A disk that is full costs this one: the run goes on, and so do those before it."""
        arrays = self.learner.state.arrays()
        if not self.devices.is_chief:
            return
        meta = {"fingerprint": self.pipeline.fingerprint, "best": self.measuring.best, "total": self.total}
        try:
            self._store.save(self.step, arrays, meta)
        except BadCheckpoint as error:
            log.warning("%s", error)
            if self.step == self.total or not self._store.paths():
                raise

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        distributed = self.devices.strategy.distribute_datasets_from_function(
            lambda _: self.pipeline.batches(self.step)
        )
        batches = iter(distributed)
        while self.step < self.total:
            with self.pipeline.plain_errors():
                batch = next(batches)
            yield batch

    def _begin(self, resume: bool) -> None:
        self.step, self.best = 0, None
        if not resume:
            if self.devices.is_chief:
                self.folder.begin(self.config)
            self._start_weights()
            return
        if self.devices.is_chief:
            self.folder.go_on(self.config)
        found = self._store.newest()
        if found is None:
            self._start_weights()
        else:
            self._restore(found)
        self.devices.agree(self.step, "begin after the same step: put the run's folder where all of them see it")

    def _start_weights(self) -> None:
        if self.config.backbone.weights:
            faces = bundle.fed(handing_on.faces(self.config, self.dataset), handing_on.card_of(self.config, None))
            self.learner.load_weights(self.config.backbone.weights, faces)

    def _restore(self, found: checkpoints.Checkpoint) -> None:
        if found.meta.get("fingerprint") != self.pipeline.fingerprint:
            raise BadCheckpoint(
                f"{found.path} was written by a run with other pictures, another order or other augmentations: it "
                "cannot be continued with these. Begin another run with --output."
            )
        self.learner.state.restore(found.arrays, str(found.path))
        self.step, self.best = found.step, found.meta.get("best")

    def _hand_on(self) -> Path:
        self._say("Writing the bundle ...")
        model, step = self.measuring.final(self.folder.best, self.config.bundle.weights)
        handing_on.write(
            self.folder.bundle,
            model,
            self.config,
            self.dataset,
            step=step,
            threshold=self.measuring.threshold(),
            verified=self.measuring.figures(),
            say=self._say,
        )
        return self.folder.bundle

    def _due(self, every: Duration) -> bool:
        return self.step % self._steps(every) == 0

    def _steps(self, duration: Duration) -> int:
        return max(1, duration.steps(self.config.data.batch, self.dataset.images))

    def _pipeline(self) -> Pipeline:
        return self._piped(workers=self.devices.workers, worker=self.devices.worker, replicas=self.devices.replicas)

    def pipeline_of_all(self) -> Pipeline:
        """The pipeline that gives whole global batches."""
        return self._piped()

    def _piped(self, **places: int) -> Pipeline:
        data = self.config.data
        return Pipeline(
            self.dataset,
            data.batch,
            image_size=data.image_size,
            seed=self.config.seed,
            augment=data.augment,
            sampling=data.sampling,
            threads=data.threads,
            **places,
        )

    def _check_devices(self) -> None:
        config, count = self.config, self.devices.all_replicas
        if config.data.batch % (count * config.training.accumulate):
            raise BadConfig(
                f"data.batch ({config.data.batch}) must be a multiple of {count} replicas times training.accumulate "
                f"({config.training.accumulate})."
            )
        if config.training.xla and count > 1:
            exchanging = "adaface" in (config.head.name, config.head.options.get("head"))
            if config.training.sync_batch_norm or exchanging:
                raise BadConfig(
                    "training.xla with several replicas needs training.sync_batch_norm: false and another head than "
                    "adaface: XLA cannot compile what is exchanged between replicas inside the network."
                )


def train(config: Config, devices: Devices, output: Path, resume: bool = False) -> Result:
    """Make a trainer and run it."""
    return Trainer(config, devices, output, resume).run()
