"""The few parts that the backbones are made of."""

import keras
from keras import layers

from networks.backbones.settings import Settings

SQUEEZE_RATIO = 16


def torch_default() -> keras.initializers.Initializer:
    """What PyTorch gives convolutions and dense layers when told nothing: uniform, +-1 / sqrt(fan in).

    A new object each time: one object gives layers of the same shape the same weights.
    """
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


class Normalisation:
    """Batch normalisation as one network has it; calling it adds a layer.

    Args:
        momentum: share of the old moving statistics that is kept at each step (PyTorch counts the share of the new).
        epsilon: added to the variance.
    """

    def __init__(self, momentum: float, epsilon: float):
        self.momentum, self.epsilon = momentum, epsilon

    def __call__(self, x: keras.KerasTensor, name: str, **options) -> keras.KerasTensor:
        """Normalise; ``options`` are Keras' (``scale=False``, ``dtype``)."""
        return layers.BatchNormalization(momentum=self.momentum, epsilon=self.epsilon, name=name, **options)(x)


def convolution(
    x: keras.KerasTensor,
    filters: int,
    size: int,
    stride: int,
    name: str,
    *,
    initializer,
    bias: bool = False,
    groups: int = 1,
) -> keras.KerasTensor:
    """A convolution padded by (size - 1) / 2 on all sides, also where it strides.

    Keras' "same" would pad only right and below there, which shifts the map by half a pixel.
    """
    if stride > 1 and size > 1:
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    padding = "same" if stride == 1 else "valid"
    if groups > 1 and groups == filters == x.shape[-1]:
        return layers.DepthwiseConv2D(
            size, stride, padding, use_bias=bias, depthwise_initializer=initializer, name=name
        )(x)
    return layers.Conv2D(
        filters, size, stride, padding, groups=groups, use_bias=bias, kernel_initializer=initializer, name=name
    )(x)


def prelu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """PReLU with one slope per channel, 0.25 at first (He et al. 2015, arXiv:1502.01852)."""
    shared = list(range(1, len(x.shape) - 1))
    return layers.PReLU(keras.initializers.Constant(0.25), shared_axes=shared, name=name)(x)


def subsample(x: keras.KerasTensor, stride: int, name: str) -> keras.KerasTensor:
    """Every ``stride``-th row and column: a 1x1 max-pool, without weights."""
    return x if stride == 1 else layers.MaxPooling2D(1, stride, name=name)(x)


def squeeze_excite(x: keras.KerasTensor, name: str, *, initializer) -> keras.KerasTensor:
    """Channels weighted by what all of the map holds: ratio 16, no biases (Hu et al. 2018, arXiv:1709.01507)."""
    channels = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_pool")(x)
    weights = convolution(
        weights, max(1, channels // SQUEEZE_RATIO), 1, 1, f"{name}_squeeze_conv", initializer=initializer
    )
    weights = layers.ReLU(name=f"{name}_squeeze_activation")(weights)
    weights = convolution(weights, channels, 1, 1, f"{name}_excite_conv", initializer=initializer)
    weights = layers.Activation("sigmoid", name=f"{name}_excite_activation")(weights)
    return layers.Multiply(name=f"{name}_multiply")([x, weights])


def embedding(
    x: keras.KerasTensor,
    settings: Settings,
    normalise: Normalisation,
    *,
    drop_rate: float,
    initializer,
    bias: bool = True,
    channels_first: bool = False,
    scale: bool = False,
) -> keras.KerasTensor:
    """Dropout, flatten, dense and batch normalisation: what makes the embedding, in float32 under any policy.

    Args:
        x: the last map.
        settings, normalise: of the backbone.
        drop_rate: rate of units dropped.
        initializer: of the dense kernel.
        bias: whether the dense layer has one.
        channels_first: flatten in the order channel, row, column, as networks of PyTorch do.
        scale: whether the last normalisation has a trainable gamma; without, it is 1.
    """
    x = layers.Dropout(drop_rate, name="embedding_dropout")(x)
    if channels_first:
        x = layers.Permute((3, 1, 2), name="embedding_permute")(x)
    x = layers.Flatten(name="embedding_flatten")(x)
    x = layers.Dense(
        settings.embedding_size, use_bias=bias, kernel_initializer=initializer, dtype="float32", name="embedding_dense"
    )(x)
    return normalise(x, "embedding_norm", scale=scale, dtype="float32")
