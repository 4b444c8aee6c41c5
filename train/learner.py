"""The network, its head and all that moves with a step, made on the devices of a run."""

from typing import Any

import numpy as np
import tensorflow as tf

from networks.importing import load_into, recalibrate
from train import parts
from train.average import Average
from train.config import Config
from train.distribution import Devices
from train.evaluating import Evaluated
from train.heads.partial_fc import PartialFC
from train.loss_scale import LossScale
from train.optimizers.decay import rule
from train.precision import policy
from train.state import State, value_of
from train.step import Feeding, Step
from train.synchronized import synchronized


class Learner:
    """Takes batches and learns.

    Attributes:
        model, head: the network and the head, under the strategy.
        state: all variables, for checkpoints.
    """

    def __init__(self, config: Config, devices: Devices, classes: int):
        self._config, self._strategy = config, devices.strategy
        self.feed = Feeding(config.data.colour, config.data.mean, config.data.scale)
        with self._strategy.scope(), policy(config.training.precision):
            self.model = parts.backbone(config)
            self.head = parts.head(config, classes)
            if config.training.sync_batch_norm and devices.all_replicas > 1:
                self.model = synchronized(self.model)  # after the head: copying draws random numbers
            self._average = Average(self.model, config.training.ema) if config.training.ema else None
            self._step = self._made_step()
        self._run = tf.function(self._on_all, autograph=False)

    def step(self, pictures: Any, labels: Any, learning_rate: float, number: int) -> dict[str, tf.Tensor]:
        """Learn from a batch as the strategy hands it out; returns the scalars of ``train.step.Step``."""
        return self._run(pictures, labels, tf.constant(learning_rate, tf.float32), tf.constant(number, tf.int64))

    def load_weights(self, source: str, faces: np.ndarray) -> None:
        """Begin with the weights of a bundle, a model of the zoo or a file.

        Args:
            faces: some hundred, float32 ``[n, h, w, 3]`` as the network takes them. Normalisations that stand folded in
                the source get their statistics from these; otherwise the first step would undo what the network knows.
        """
        plain = self.evaluated().model
        if load_into(plain, source).folded:
            recalibrate(plain, faces)
        for variable, loaded in zip(self.model.variables, plain.variables, strict=True):
            variable.assign(value_of(loaded))
        if self._average:
            self._average.restart()

    def evaluated(self) -> Evaluated:
        """A copy of the network for measuring, without weights yet."""
        return Evaluated(lambda: parts.backbone(self._config), self.feed)

    def weights(self) -> list[np.ndarray]:
        """What the network would be handed on with: the averaged weights where there are any."""
        averages = {} if self._average is None else dict(zip(map(id, self._average.followed), self._average.averages))
        return [value_of(averages.get(id(variable), variable)) for variable in self.model.variables]

    def _made_step(self) -> Step:
        training = self._config.training
        optimizer, scale = parts.optimizer(self._config), None
        if training.precision == "mixed_float16":
            scale = LossScale()
        loss = parts.loss(self._config)
        loss.reduce = getattr(self.head, "reduce", loss.reduce)  # what is done with the slices, the head says
        sampler = self._config.partial_fc and PartialFC(self.head, self._config.partial_fc.rate, self._config.seed)
        step = Step(
            self.model,
            self.head,
            loss,
            optimizer,
            decays=rule(optimizer.decay_rule, self.model, self.head),
            feed=self.feed,
            batch=self._config.data.batch,
            accumulate=training.accumulate,
            sampler=sampler,
            loss_scale=scale,
            average=self._average,
            compile=training.xla,
        )
        self.state = State(
            {
                "model": self.model.variables,
                "head": self.head.variables,
                "optimizer": optimizer.variables,
                "loss_scale": scale.variables if scale else [],
                "average": self._average.variables if self._average else [],
            }
        )
        return step

    def _on_all(self, pictures: Any, labels: Any, learning_rate: tf.Tensor, number: tf.Tensor) -> dict[str, tf.Tensor]:
        outcome = self._strategy.run(self._step, args=(pictures, labels, learning_rate, number))
        return {key: self._strategy.experimental_local_results(value)[0] for key, value in outcome.items()}
