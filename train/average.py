"""An exponential moving average of the network's weights, which often verifies better than the weights themselves."""

import keras
import tensorflow as tf

from train.heads.replicas import assign


class Average:
    """Follows all floating-point variables of ``model``, moving statistics included.

    The share of the old average is min(decay, (1 + t) / (10 + t)) after t updates, so that the start is soon forgotten.
    """

    def __init__(self, model: keras.Model, decay: float):
        self._decay = decay
        self.followed = [variable for variable in model.variables if "float" in str(variable.dtype)]
        self.averages = [
            keras.Variable(keras.ops.convert_to_numpy(variable), trainable=False, dtype=variable.dtype, name="average")
            for variable in self.followed
        ]
        self._updates = keras.Variable(0, trainable=False, dtype="int64", name="averaged_steps")

    @property
    def variables(self) -> list[keras.Variable]:
        """All of its state."""
        return [*self.averages, self._updates]

    def restart(self) -> None:
        """Begin from the weights as they are now; called outside of replicas."""
        for average, variable in zip(self.averages, self.followed):
            average.assign(variable.value)
        self._updates.assign(0)

    def update(self) -> None:
        """Take in the weights of this step; called in every replica."""
        count = tf.convert_to_tensor(self._updates.value) + 1
        passed = tf.cast(count, tf.float32)
        keep = tf.minimum(self._decay, (1.0 + passed) / (10.0 + passed))
        for average, variable in zip(self.averages, self.followed):
            old = tf.convert_to_tensor(average.value)
            assign(average, old + (1.0 - keep) * (tf.convert_to_tensor(variable.value) - old))
        assign(self._updates, count)
