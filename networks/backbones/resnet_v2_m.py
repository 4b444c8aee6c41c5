"""ResNet-v2-M: the pre-activation residual networks changed for faces, the first networks of this project's kind.

Sources: luckycallor/InsightFace-tensorflow; He et al., Identity Mappings in Deep Residual Networks, 2016
(arXiv:1603.05027); the embedding is "E" of Deng et al., ArcFace, 2019 (arXiv:1801.07698).

The stem keeps the resolution (3x3, stride 1, with bias, nothing after it), each stage halves it in its first unit, and
the last unit is not followed by an activation. Units of 50 have two 3x3 convolutions, those of 101, 152 and 200 are
bottlenecks.
"""

from functools import partial

import keras
from keras import layers

from networks.backbones.blocks import Normalisation, convolution, embedding, prelu, subsample
from networks.backbones.settings import Settings, choice

MOMENTUM, EPSILON = 0.9, 2e-5
DROP_RATE = 0.6
LEAK = 0.2
INITIALIZER = "glorot_normal"
DEPTHS = (64, 128, 256, 512)
BOTTLENECK_DEPTHS = (256, 512, 1024, 2048)


def _leaky_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LeakyReLU(LEAK, name=name)(x)


ACTIVATIONS = {"leaky_relu": _leaky_relu, "prelu": prelu}


def _resnet_v2_m(
    name: str, units: tuple[int, ...], bottleneck: bool, settings: Settings, *, activation: str = "leaky_relu"
) -> keras.Model:
    choice(activation, tuple(ACTIVATIONS), "activation", name)
    settings.require_multiple_of(16, name)
    normalise, activate = Normalisation(MOMENTUM, EPSILON), ACTIVATIONS[activation]
    unit = bottleneck_unit if bottleneck else basic_unit
    faces = keras.Input((*settings.input_size, 3), name="faces")
    x = convolution(faces, settings.channels(64), 3, 1, "stem_conv", initializer=INITIALIZER, bias=True)
    for stage, (count, depth) in enumerate(zip(units, BOTTLENECK_DEPTHS if bottleneck else DEPTHS, strict=True), 1):
        for number in range(1, count + 1):
            stride = 2 if number == 1 else 1
            x = unit(x, settings.channels(depth), stride, f"stage{stage}_unit{number}", normalise, activate)
    x = normalise(x, "final_norm")
    x = embedding(x, settings, normalise, drop_rate=settings.drop_rate(DROP_RATE), initializer="glorot_uniform")
    return keras.Model(faces, x, name=name)


def basic_unit(
    x: keras.KerasTensor, depth: int, stride: int, name: str, normalise: Normalisation, activate
) -> keras.KerasTensor:
    """Two 3x3 convolutions, the first with the stride; the sum is left as it is."""
    preactivated = activate(normalise(x, f"{name}_norm1"), f"{name}_activation1")
    residual = convolution(preactivated, depth, 3, stride, f"{name}_conv1", initializer=INITIALIZER)
    residual = activate(normalise(residual, f"{name}_norm2"), f"{name}_activation2")
    residual = convolution(residual, depth, 3, 1, f"{name}_conv2", initializer=INITIALIZER, bias=True)
    return layers.Add(name=f"{name}_add")([_shortcut(x, preactivated, depth, stride, name), residual])


def bottleneck_unit(
    x: keras.KerasTensor, depth: int, stride: int, name: str, normalise: Normalisation, activate
) -> keras.KerasTensor:
    """1x1, 3x3 with the stride and 1x1 convolutions, the inner two of a quarter of the depth."""
    inner = max(1, depth // 4)
    preactivated = activate(normalise(x, f"{name}_norm1"), f"{name}_activation1")
    residual = convolution(preactivated, inner, 1, 1, f"{name}_conv1", initializer=INITIALIZER)
    residual = activate(normalise(residual, f"{name}_norm2"), f"{name}_activation2")
    residual = convolution(residual, inner, 3, stride, f"{name}_conv2", initializer=INITIALIZER)
    residual = activate(normalise(residual, f"{name}_norm3"), f"{name}_activation3")
    residual = convolution(residual, depth, 1, 1, f"{name}_conv3", initializer=INITIALIZER, bias=True)
    return layers.Add(name=f"{name}_add")([_shortcut(x, preactivated, depth, stride, name), residual])


def _shortcut(
    x: keras.KerasTensor, preactivated: keras.KerasTensor, depth: int, stride: int, name: str
) -> keras.KerasTensor:
    if x.shape[-1] == depth:
        return subsample(x, stride, f"{name}_shortcut_pool")
    return convolution(preactivated, depth, 1, stride, f"{name}_shortcut_conv", initializer=INITIALIZER, bias=True)


resnet_v2_m_50 = partial(_resnet_v2_m, "resnet_v2_m_50", (3, 4, 14, 3), False)
resnet_v2_m_101 = partial(_resnet_v2_m, "resnet_v2_m_101", (3, 4, 23, 3), True)
resnet_v2_m_152 = partial(_resnet_v2_m, "resnet_v2_m_152", (3, 8, 36, 3), True)
resnet_v2_m_200 = partial(_resnet_v2_m, "resnet_v2_m_200", (3, 24, 36, 3), True)
