"""Batch normalisation by the statistics of the whole batch, over all replicas.

Keras has this too (``synchronized=True``). Under MirroredStrategy TensorFlow then walks back through the whole graph of
the other replica at each exchange: two replicas of a small MobileFaceNet were not traced after five minutes. Here what
is exchanged is cut off from the graph behind it, and its gradient said by hand.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from train.heads.replicas import assign


class SynchronizedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, for use inside ``strategy.run``; with one replica it gives the same."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Keras' hook."""
        if not training or not self.trainable:
            return super().call(inputs, training=False, mask=mask)
        x = ops.cast(inputs, "float32")
        mean, variance = _moments(x, self.axis % len(x.shape))
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = tf.convert_to_tensor(moving.value)
            assign(moving, old * self.momentum + tf.stop_gradient(batch) * (1.0 - self.momentum))
        normalised = ops.batch_normalization(
            x,
            mean,
            variance,
            axis=self.axis,
            offset=None if self.beta is None else ops.cast(self.beta, "float32"),
            scale=None if self.gamma is None else ops.cast(self.gamma, "float32"),
            epsilon=self.epsilon,
        )
        return ops.cast(normalised, self.compute_dtype)


def synchronized(model: keras.Model) -> keras.Model:
    """The same network, its weights copied, its batch normalisations replaced by synchronised ones."""

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if type(layer) is keras.layers.BatchNormalization:
            return SynchronizedBatchNormalization.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    for variable, original in zip(copy.variables, model.variables, strict=True):
        variable.assign(original.value)
    return copy


def summed(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """The sums over all replicas, in each of them; nothing is differentiated through them."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return tensors
    # Without stop_gradient TensorFlow looks for variables in the graph of the other replicas, at every call.
    return context.all_reduce(tf.distribute.ReduceOp.SUM, [tf.stop_gradient(tensor) for tensor in tensors])


@tf.custom_gradient
def _sum_to_differentiate(x: tf.Tensor) -> tuple:
    """The sum over all replicas. Each loss depends on the ``x`` of each replica: so the gradients are summed too."""
    return summed([x])[0], lambda upstream: summed([upstream])[0]


def _moments(x: tf.Tensor, axis: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance, float32, over all axes but ``axis`` and over all replicas, whose shares are of one size."""
    others = [i for i in range(len(x.shape)) if i != axis]
    own = tf.stack([tf.reduce_mean(x, others), tf.reduce_mean(tf.square(x), others)])
    count = tf.distribute.get_replica_context().num_replicas_in_sync
    both = own if count == 1 else _sum_to_differentiate(own / count)
    return both[0], tf.maximum(both[1] - tf.square(both[0]), 0.0)
