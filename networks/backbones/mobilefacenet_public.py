"""The MobileFaceNet of the zoo's public file, a variant of the paper's, so that its weights can be trained on.

Source: sirius-ai/MobileFaceNet_TF (Apache-2.0); Chen et al., MobileFaceNets, 2018 (arXiv:1804.07573).

It differs from ``mobilefacenet``: TensorFlow's padding (right and below, where a convolution strides), a linear 1x1
convolution after the first depthwise one and after the global one, and an embedding that comes from a convolution.
``networks.importing`` fills it with the file's weights; the file has an embedding of 192.
"""

import keras
from keras import layers

from networks.backbones.blocks import Normalisation, prelu
from networks.backbones.settings import Settings

MOMENTUM, EPSILON = 0.995, 2e-5
DROP_RATE = 0.0
INITIALIZER = "glorot_normal"
NAME = "mobilefacenet_public"
STAGES = ((64, 2, 4), (128, 4, 6), (128, 4, 2))  # channels, widening of the striding bottleneck, bottlenecks after it


def mobilefacenet_public(settings: Settings) -> keras.Model:
    """The public file's network, its batch normalisations unfolded."""
    settings.require_multiple_of(16, NAME)
    normalise = Normalisation(MOMENTUM, EPSILON)
    faces = keras.Input((*settings.input_size, 3), name="faces")
    x = _activated(faces, settings.channels(64), 3, 2, "stem", normalise)
    x = _depthwise(x, 1, "stage1_depthwise", normalise)
    x = _linear(x, settings.channels(64), "stage1_project", normalise)
    for stage, (channels, widening, count) in enumerate(STAGES, 2):
        channels = settings.channels(channels)
        x = _bottleneck(x, widening, channels, 2, f"stage{stage}_opening", normalise)
        for number in range(1, count + 1):
            name = f"stage{stage}_unit{number}"
            x = layers.Add(name=f"{name}_add")([_bottleneck(x, 2, channels, 1, name, normalise), x])
    x = _activated(x, settings.channels(512), 1, 1, "final", normalise)
    x = layers.DepthwiseConv2D(
        tuple(x.shape[1:3]),
        use_bias=False,
        depthwise_initializer=_depthwise_initializer(),
        name="embedding_depthwise_conv",
    )(x)
    x = normalise(x, "embedding_depthwise_norm")
    x = _linear(x, settings.channels(512), "embedding_project", normalise)
    x = layers.Dropout(settings.drop_rate(DROP_RATE), name="embedding_dropout")(x)
    x = layers.Flatten(name="embedding_flatten")(x)
    x = layers.Dense(
        settings.embedding_size,
        use_bias=False,
        kernel_initializer=INITIALIZER,
        dtype="float32",
        name="embedding_dense",
    )(x)
    return keras.Model(faces, normalise(x, "embedding_norm", dtype="float32"), name=NAME)


def _bottleneck(
    x: keras.KerasTensor, widening: int, channels: int, stride: int, name: str, normalise: Normalisation
) -> keras.KerasTensor:
    x = _activated(x, x.shape[-1] * widening, 1, 1, f"{name}_expand", normalise)
    x = _depthwise(x, stride, f"{name}_depthwise", normalise)
    return _linear(x, channels, f"{name}_project", normalise)


def _activated(
    x: keras.KerasTensor, filters: int, size: int, stride: int, name: str, normalise: Normalisation
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters, size, stride, "same", use_bias=False, kernel_initializer=INITIALIZER, name=f"{name}_conv"
    )(x)
    return prelu(normalise(x, f"{name}_norm"), f"{name}_activation")


def _depthwise(x: keras.KerasTensor, stride: int, name: str, normalise: Normalisation) -> keras.KerasTensor:
    x = layers.DepthwiseConv2D(
        3, stride, "same", use_bias=False, depthwise_initializer=_depthwise_initializer(), name=f"{name}_conv"
    )(x)
    return prelu(normalise(x, f"{name}_norm"), f"{name}_activation")


def _linear(x: keras.KerasTensor, filters: int, name: str, normalise: Normalisation) -> keras.KerasTensor:
    x = layers.Conv2D(filters, 1, use_bias=False, kernel_initializer=INITIALIZER, name=f"{name}_conv")(x)
    return normalise(x, f"{name}_norm")


def _depthwise_initializer() -> keras.initializers.Initializer:
    """Xavier's would count the inputs of all channels, of which each output reads one."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
