"""One training step: forward, loss, gradients, update, on every replica at once.

Every replica computes the gradients of its share of the batch, all add them up, and each applies the same update to its
own copy of the variables. Losses and gradients are those of the global batch, however many replicas it is spread over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from train.heads.partial_fc import PartialFC
from train.heads.replicas import gather
from train.loss_scale import LossScale
from train.synchronized import summed


@dataclass(frozen=True)
class Feeding:
    """How a picture, uint8 RGB, is made into what the network takes: see ``networks.card.ModelCard``."""

    colour: str = "rgb"
    mean: float = 127.5
    scale: float = 127.5

    def __call__(self, pictures: tf.Tensor) -> tf.Tensor:
        """uint8 RGB ``[n, h, w, 3]`` to float32 in the network's colour order."""
        pictures = pictures if self.colour == "rgb" else pictures[..., ::-1]
        return (tf.cast(pictures, tf.float32) - self.mean) / self.scale


class Step:
    """Called inside ``strategy.run``; its variables are made by the constructor, under the strategy's scope.

    Args:
        model: pictures as ``feed`` gives them to embeddings.
        head, loss: of ``train.heads`` and ``train.losses``.
        optimizer: of ``train.optimizers``, not yet built.
        decays: tells of a variable whether weight decay applies to it.
        feed: what turns uint8 pictures into the network's input.
        batch: pictures in a global batch.
        accumulate: parts that a replica's share is cut into, whose gradients are added before the one update.
        sampler: chooses the classes of a step (Partial FC); None for all.
        loss_scale: of mixed float16; None otherwise.
        average: ``train.average.Average`` of the weights, or None.
        compile: let XLA compile the forward and backward pass.
    """

    def __init__(
        self,
        model: keras.Model,
        head: Any,
        loss: Any,
        optimizer: Any,
        *,
        decays: Callable[[keras.Variable], bool],
        feed: Feeding,
        batch: int,
        accumulate: int = 1,
        sampler: PartialFC | None = None,
        loss_scale: LossScale | None = None,
        average: Any = None,
        compile: bool = False,
    ):
        self._model, self._head, self._loss, self._optimizer = model, head, loss, optimizer
        self._feed, self._batch, self._parts, self._sampler = feed, batch, accumulate, sampler
        self._loss_scale, self._average = loss_scale, average
        own = {id(variable) for variable in head.class_variables}
        others = [variable for variable in head.trainable_variables if id(variable) not in own]
        self._dense = [*model.trainable_variables, *others]
        self.trainable = [*self._dense, *head.class_variables]
        self._decay = [decays(variable) for variable in self.trainable]
        optimizer.build(self.trainable)
        self._differentiate = tf.function(self._part, autograph=False, jit_compile=True) if compile else self._part

    def __call__(self, pictures: tf.Tensor, labels: tf.Tensor, learning_rate: tf.Tensor, step: tf.Tensor) -> dict:
        """Learn from this replica's share: pictures uint8 ``[b, h, w, 3]`` RGB, labels ``[b]``.

        Returns:
            Scalars of the global batch: loss, accuracy, gradient_norm; broken: not finite, training has to end;
            skipped: the gradients overflowed in float16, the scale was halved and nothing else changed.
        """
        rows, labels, class_weights = self._classes(labels, step)
        gradients, loss, right = self._gradients(pictures, labels, class_weights)
        gradients = [tf.convert_to_tensor(gradient) for gradient in summed(gradients)]
        if self._loss_scale:
            gradients = self._loss_scale.unscaled(gradients)
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm) & tf.math.is_finite(loss)
        broken, skipped = ~finite, tf.constant(False)
        if self._loss_scale:  # an overflow is part of the method
            broken = ~tf.math.is_finite(loss) | (~finite & self._loss_scale.is_lowest())
            skipped = ~finite
            tf.cond(finite, lambda: self._update(gradients, rows, learning_rate), lambda: None)
            self._loss_scale.adjust(finite)
        else:  # without asking first: where it is not finite, the run ends
            self._update(gradients, rows, learning_rate)
        figures = {"loss": loss, "accuracy": right / self._batch, "gradient_norm": norm}
        return {**figures, "broken": broken, "skipped": skipped}

    def _classes(self, labels: tf.Tensor, step: tf.Tensor) -> tuple:
        """Which classes take part (None: all), the labels among them, and their weights."""
        values = [variable.value for variable in self._head.class_variables]
        if self._sampler is None:
            return None, labels, [tf.convert_to_tensor(value) for value in values]
        rows = self._sampler.sample(gather(labels), step)
        return rows, self._sampler.remap(rows, labels), [tf.gather(value, rows) for value in values]

    def _gradients(self, pictures: tf.Tensor, labels: tf.Tensor, class_weights: list) -> tuple:
        total, loss, right = None, 0.0, 0.0
        for part_pictures, part_labels in zip(tf.split(pictures, self._parts), tf.split(labels, self._parts)):
            after = [] if total is None else total
            with tf.control_dependencies(after):  # one part after the other: the memory of one
                gradients, part_loss, part_right = self._differentiate(
                    tf.identity(part_pictures), part_labels, class_weights
                )
            total = gradients if total is None else [a + b for a, b in zip(total, gradients)]
            loss, right = loss + part_loss, right + part_right
        loss, right = summed([loss, right])
        return total, self._loss.combine(loss), right

    def _part(self, pictures: tf.Tensor, labels: tf.Tensor, class_weights: list) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(class_weights)
            embeddings = self._model(self._feed(pictures), training=True)
            logits = self._head.logits(embeddings, labels, class_weights, training=True)
            share = tf.reduce_sum(self._loss.per_sample(logits, labels)) / self._batch
            target = share * self._slope(share)
            if self._loss_scale:
                target = self._loss_scale.scaled(target)
        variables = [variable.value for variable in self._dense]
        gradients = tape.gradient(target, [*variables, *class_weights], unconnected_gradients="zero")
        return gradients, share, _right(logits, labels)

    def _slope(self, share: tf.Tensor) -> tf.Tensor:
        """How the loss grows with the batch's mean: 1 but for the batch form of focal loss."""
        if not getattr(self._loss, "needs_mean", False):
            return tf.constant(1.0)
        return self._loss.slope(summed([tf.stop_gradient(share)])[0])

    def _update(self, gradients: list, rows: tf.Tensor | None, learning_rate: tf.Tensor) -> None:
        of_classes = len(self._head.class_variables)
        all_rows = [None] * len(self._dense) + [rows] * of_classes
        self._optimizer.apply(gradients, self.trainable, learning_rate, rows=all_rows, decay=self._decay)
        if self._average:
            self._average.update()


def _right(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """How many have their own class first, margins included; slices of MultiFace are added up."""
    logits = logits if logits.shape.rank == 2 else tf.reduce_sum(logits, axis=1)
    return tf.reduce_sum(tf.cast(tf.argmax(logits, axis=1, output_type=labels.dtype) == labels, tf.float32))
