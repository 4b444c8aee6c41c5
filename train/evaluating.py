"""The network as it would be handed on: a float32 copy that is not spread over devices."""

from collections.abc import Callable
from math import ceil

import keras
import numpy as np
import tensorflow as tf

from train.precision import policy
from train.state import value_of
from train.step import Feeding

BATCH = 64


class Evaluated:
    """A copy of the network that takes on the weights it is given.

    Args:
        build: makes the network anew; called under the float32 policy and outside of any strategy.
        feed: as in training.
    """

    def __init__(self, build: Callable[[], keras.Model], feed: Feeding):
        with policy("float32"):
            self.model = build()
        self._run = tf.function(lambda pictures: self.model(feed(pictures), training=False), autograph=False)

    def take(self, variables: list[keras.Variable]) -> None:
        """Take over the values of the variables of a network of the same form."""
        self.take_arrays([value_of(variable) for variable in variables])

    def take_arrays(self, arrays: list[np.ndarray]) -> None:
        """Take over values in the order of the model's variables."""
        for variable, array in zip(self.model.variables, arrays, strict=True):
            variable.assign(array)

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """Embeddings float32 ``[n, d]``, not normalised, of faces uint8 ``[n, h, w, 3]`` BGR."""
        padded = np.zeros((ceil(len(pictures) / BATCH) * BATCH, *pictures.shape[1:]), np.uint8)  # one shape, one trace
        padded[: len(pictures)] = pictures[..., ::-1]
        parts = [self._run(tf.constant(padded[i : i + BATCH])).numpy() for i in range(0, len(padded), BATCH)]
        return np.concatenate(parts)[: len(pictures)]
