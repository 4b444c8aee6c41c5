"""A network small enough to be computed by hand, with every kind of layer whose export could go wrong."""

import numpy as np
import pytest


class ByHand:
    """Convolution, normalisation, PReLU, depthwise convolution, dense: a Keras model and the same in NumPy, float64."""

    def __init__(self, policy="float32", synchronized=False):
        keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")
        layers = keras.layers
        keras.utils.set_random_seed(7)
        faces = keras.Input((8, 6, 3))
        x = layers.Conv2D(4, 1, use_bias=False, dtype=policy, name="conv")(faces)
        x = layers.BatchNormalization(epsilon=2e-5, synchronized=synchronized, dtype=policy, name="norm")(x)
        x = layers.PReLU(shared_axes=[1, 2], dtype=policy, name="activation")(x)
        x = layers.DepthwiseConv2D((8, 6), use_bias=False, dtype=policy, name="depthwise")(x)
        x = layers.Dropout(0.5, dtype=policy)(layers.Flatten(dtype=policy)(x))
        self.model = keras.Model(faces, layers.Dense(5, dtype="float32", name="embedding_dense")(x), name="tiny")
        random = np.random.default_rng(3)
        for layer in self.model.layers:
            layer.set_weights([self._drawn(layer.name, w.shape, random) for w in layer.weights if w.dtype == "float32"])

    @staticmethod
    def _drawn(name, shape, random):
        if name == "norm":
            return random.uniform(0.5, 1.5, shape).astype(np.float32)
        return random.normal(0, 0.5, shape).astype(np.float32)

    def __call__(self, faces):
        weights = {layer.name: [np.float64(w) for w in layer.get_weights()] for layer in self.model.layers}
        gamma, beta, mean, variance = weights["norm"]
        x = np.float64(faces) @ weights["conv"][0][0, 0]
        x = (x - mean) / np.sqrt(variance + 2e-5) * gamma + beta
        x = np.where(x > 0, x, x * weights["activation"][0])
        x = np.einsum("nhwc,hwc->nc", x, weights["depthwise"][0][..., 0])
        return x @ weights["embedding_dense"][0] + weights["embedding_dense"][1]


@pytest.fixture
def by_hand():
    """A function from a dtype policy to such a network."""
    pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
    return ByHand
