"""The vision transformers of InsightFace's PyTorch training, for data sets of tens of millions of faces.

Sources: deepinsight/insightface, arcface_torch (``vit_t``, ``vit_s``, ``vit_b``, ``vit_l``); Dosovitskiy et al., An
Image is Worth 16x16 Words, 2021 (arXiv:2010.11929); An et al., Killing Two Birds with One Stone, 2022
(arXiv:2203.15565).

Patches of 9x9 pixels (rows and columns that fill none are not seen), learned positions, no class token: the embedding
is read from all patches at once. The bias of the patches' projection and the positions are one variable here, a bias
per patch: they are only ever added. The masking of patches during training is left out, as in ``vit_t_dp005_mask0``.
"""

from functools import partial

import keras
from keras import layers, ops

from common.errors import BadArgument
from networks.backbones.blocks import Normalisation
from networks.backbones.settings import Settings

PATCH = 9
HEADS = 8
WIDENING = 4
DROP_RATE = 0.0
MOMENTUM, EPSILON, LAYER_EPSILON = 0.9, 2e-5, 1e-5


def _vit(name: str, size: int, depth: int, settings: Settings, *, drop_path: float = 0.05) -> keras.Model:
    if not isinstance(drop_path, float | int) or isinstance(drop_path, bool) or not 0 <= drop_path < 1:
        raise BadArgument(f"{name}: drop_path must be a rate from 0 to below 1, not {drop_path!r}.")
    rows, columns = (side // PATCH for side in settings.input_size)
    if not rows or not columns:
        raise BadArgument(f"{name} takes inputs of at least {PATCH}x{PATCH} pixels, not {settings.input_size}.")
    size, drop = settings.channels(size), settings.drop_rate(DROP_RATE)
    faces = keras.Input((*settings.input_size, 3), name="faces")
    x = layers.EinsumDense(
        "npc,cd->npd", (rows * columns, size), bias_axes="pd", kernel_initializer=_initializer(),
        bias_initializer=_initializer(), name="patches",
    )(_patches(faces, rows, columns))  # fmt: skip
    x = layers.Dropout(drop, name="patches_dropout")(x)
    for number in range(1, depth + 1):
        path = drop_path * (number - 1) / (depth - 1)
        x = block(x, f"block{number}", drop, path)
    x = layers.LayerNormalization(epsilon=LAYER_EPSILON, dtype="float32", name="final_norm")(x)
    x = layers.Flatten(dtype="float32", name="embedding_flatten")(x)
    normalise = Normalisation(MOMENTUM, EPSILON)
    x = _linear(x, size, "embedding_reduce", use_bias=False, dtype="float32")
    x = normalise(x, "embedding_reduce_norm", dtype="float32")
    x = _linear(x, settings.embedding_size, "embedding_dense", use_bias=False, dtype="float32")
    return keras.Model(faces, normalise(x, "embedding_norm", dtype="float32"), name=name)


def block(x: keras.KerasTensor, name: str, drop: float, drop_path: float) -> keras.KerasTensor:
    """Attention and a perceptron of two layers, each on the normalised input and added to it."""
    size = x.shape[-1]
    y = layers.LayerNormalization(epsilon=LAYER_EPSILON, name=f"{name}_norm1")(x)
    y = _attention(y, name)
    y = layers.Dropout(drop, name=f"{name}_attention_dropout")(y)
    x = layers.Add(name=f"{name}_add1")([x, _dropped_path(y, drop_path, f"{name}_drop_path1")])
    y = layers.LayerNormalization(epsilon=LAYER_EPSILON, name=f"{name}_norm2")(x)
    y = layers.ReLU(6.0, name=f"{name}_activation")(_linear(y, size * WIDENING, f"{name}_dense1"))
    y = layers.Dropout(drop, name=f"{name}_dropout1")(y)
    y = layers.Dropout(drop, name=f"{name}_dropout2")(_linear(y, size, f"{name}_dense2"))
    return layers.Add(name=f"{name}_add2")([x, _dropped_path(y, drop_path, f"{name}_drop_path2")])


def _attention(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Softmax attention of 8 heads, computed in float32 under any policy."""
    patches, size = x.shape[1:]
    x = _linear(x, 3 * size, f"{name}_attention", use_bias=False)
    x = ops.cast(ops.reshape(x, (-1, patches, 3, HEADS, size // HEADS)), "float32")
    x = ops.dot_product_attention(x[:, :, 0], x[:, :, 1], x[:, :, 2])
    return _linear(ops.reshape(x, (-1, patches, size)), size, f"{name}_attention_dense")


def _patches(faces: keras.KerasTensor, rows: int, columns: int) -> keras.KerasTensor:
    """``[n, rows * columns, 9 * 9 * 3]``, each patch in the order row, column, channel."""
    x = faces[:, : rows * PATCH, : columns * PATCH]
    x = ops.reshape(x, (-1, rows, PATCH, columns, PATCH, 3))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows * columns, PATCH * PATCH * 3))


def _dropped_path(x: keras.KerasTensor, rate: float, name: str) -> keras.KerasTensor:
    """Stochastic depth: the whole branch is dropped for a share of the faces (Huang et al. 2016, arXiv:1603.09382)."""
    return layers.Dropout(rate, noise_shape=(None, 1, 1), name=name)(x)


def _linear(x: keras.KerasTensor, units: int, name: str, **options) -> keras.KerasTensor:
    return layers.Dense(units, kernel_initializer=_initializer(), name=name, **options)(x)


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.TruncatedNormal(0.0, 0.02)


vit_t = partial(_vit, "vit_t", 256, 12)
vit_s = partial(_vit, "vit_s", 512, 12)
vit_b = partial(_vit, "vit_b", 512, 24)
vit_l = partial(_vit, "vit_l", 768, 24)
