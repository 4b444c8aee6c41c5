"""Loss scaling for mixed float16: small gradients are lifted into its range, and the scale finds its own height."""

import keras
import tensorflow as tf

from train.heads.replicas import assign

LARGEST, SMALLEST = 2.0**24, 2.0**-6


class LossScale:
    """Doubles after ``patience`` steps without an overflow, halves at each one (whose update is left out).

    Source: Micikevicius et al., Mixed Precision Training, 2018 (arXiv:1710.03740).
    """

    def __init__(self, start: float = 2.0**15, patience: int = 2000):
        self._patience = patience
        self.scale = keras.Variable(start, trainable=False, dtype="float32", name="loss_scale")
        self._good = keras.Variable(0, trainable=False, dtype="int64", name="steps_without_overflow")

    @property
    def variables(self) -> list[keras.Variable]:
        """All of its state."""
        return [self.scale, self._good]

    def scaled(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss to differentiate."""
        return loss * self.scale.value

    def unscaled(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        """The gradients of the loss itself."""
        factor = 1.0 / self.scale.value
        return [gradient * factor for gradient in gradients]

    def is_lowest(self) -> tf.Tensor:
        """Whether it can be halved no more: gradients that overflow now are not those of a scale too high."""
        return tf.convert_to_tensor(self.scale.value) <= SMALLEST

    def adjust(self, finite: tf.Tensor) -> None:
        """Move the scale after a step; ``finite`` says whether its gradients were."""
        good, scale = tf.convert_to_tensor(self._good.value), tf.convert_to_tensor(self.scale.value)
        raise_it = finite & (good + 1 >= self._patience)
        grown = tf.where(raise_it, tf.minimum(scale * 2, LARGEST), scale)
        assign(self.scale, tf.where(finite, grown, tf.maximum(scale / 2, SMALLEST)))
        assign(self._good, tf.where(finite & ~raise_it, good + 1, 0))
