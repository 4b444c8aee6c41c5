"""Statistics for batch normalisations that came without any."""

import keras
import numpy as np

from common.errors import BadArgument
from networks.importing.weights import Norm, norm_arrays

BATCH = 32


def recalibrate(model, faces: np.ndarray) -> tuple[str, ...]:
    """See ``networks.importing.recalibrate``."""
    faces = np.asarray(faces, np.float32)
    if faces.ndim != 4 or len(faces) < 2:
        raise BadArgument(f"recalibrate needs at least two faces float32 [n, h, w, 3], not {faces.shape}.")
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    scaled = [layer for layer in norms if layer.scale]
    for layer, (mean, variance) in zip(scaled, _statistics(model, scaled, faces), strict=True):
        gamma, beta, old_mean, old_variance = (np.float64(w) for w in layer.get_weights())
        scale, shift = Norm(gamma, beta, old_mean, old_variance, layer.epsilon).as_affine()
        gamma = scale * np.sqrt(variance + layer.epsilon)
        layer.set_weights(norm_arrays(layer, Norm(gamma, shift + scale * mean, mean, variance, layer.epsilon)))
    return tuple(layer.name for layer in norms if not layer.scale)


def _statistics(model, norms: list, faces: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Mean and variance per channel of what reaches each layer, over all faces and places."""
    probe = keras.Model(model.inputs, [layer.input for layer in norms])
    sums = [np.zeros((3, layer.input.shape[-1])) for layer in norms]
    for start in range(0, len(faces), BATCH):
        outputs = keras.tree.flatten(probe([faces[start : start + BATCH]], training=False))
        for total, values in zip(sums, outputs, strict=True):
            values = np.float64(keras.ops.convert_to_numpy(keras.ops.cast(values, "float32"))).reshape(
                -1, values.shape[-1]
            )
            total += [np.full(values.shape[-1], len(values)), values.sum(0), (values**2).sum(0)]
    means = [total[1] / total[0] for total in sums]
    return [(mean, np.maximum(total[2] / total[0] - mean**2, 0)) for mean, total in zip(means, sums, strict=True)]
