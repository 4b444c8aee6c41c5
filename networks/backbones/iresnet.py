"""IResNet: the improved residual networks of InsightFace's PyTorch training, layer for layer.

Sources: deepinsight/insightface, arcface_torch; Deng et al., ArcFace, 2019 (arXiv:1801.07698); Duta et al., Improved
Residual Networks, 2020 (arXiv:2004.04989).

A unit is BN, 3x3, BN, PReLU, 3x3 with the stride, BN, and nothing after the sum; where it strides, the shortcut is a
1x1 convolution with BN. The embedding is read in the order channel, row, column, and its last BN has gamma 1 for good.
``iresnet101`` and ``iresnet152`` have the depths of foamliu/InsightFace-v2 (3-4-23-3 and 3-8-36-3).
"""

from functools import partial

import keras
from keras import layers

from networks.backbones.blocks import (
    Normalisation,
    convolution,
    embedding,
    prelu,
    squeeze_excite,
    torch_default,
)
from networks.backbones.settings import Settings, choice

MOMENTUM, EPSILON = 0.9, 1e-5
DROP_RATE = 0.0
STANDARD_DEVIATION = 0.1
DEPTHS = (64, 128, 256, 512)


def _iresnet(name: str, units: tuple[int, ...], settings: Settings, *, se: bool = False) -> keras.Model:
    choice(se, (False, True), "se", name)
    settings.require_multiple_of(16, name)
    normalise = Normalisation(MOMENTUM, EPSILON)
    faces = keras.Input((*settings.input_size, 3), name="faces")
    x = convolution(faces, settings.channels(64), 3, 1, "stem_conv", initializer=_initializer())
    x = prelu(normalise(x, "stem_norm"), "stem_activation")
    for stage, (count, depth) in enumerate(zip(units, DEPTHS, strict=True), 1):
        for number in range(1, count + 1):
            stride = 2 if number == 1 else 1
            x = unit(x, settings.channels(depth), stride, f"stage{stage}_unit{number}", normalise, se)
    x = normalise(x, "final_norm")
    x = embedding(
        x,
        settings,
        normalise,
        drop_rate=settings.drop_rate(DROP_RATE),
        initializer=torch_default(),
        channels_first=True,
    )
    return keras.Model(faces, x, name=name)


def unit(
    x: keras.KerasTensor, depth: int, stride: int, name: str, normalise: Normalisation, se: bool
) -> keras.KerasTensor:
    """Residual and shortcut of one unit, summed."""
    residual = normalise(x, f"{name}_norm1")
    residual = convolution(residual, depth, 3, 1, f"{name}_conv1", initializer=_initializer())
    residual = prelu(normalise(residual, f"{name}_norm2"), f"{name}_activation")
    residual = convolution(residual, depth, 3, stride, f"{name}_conv2", initializer=_initializer())
    residual = normalise(residual, f"{name}_norm3")
    if se:
        residual = squeeze_excite(residual, f"{name}_se", initializer=torch_default())
    if stride > 1:
        x = convolution(x, depth, 1, stride, f"{name}_shortcut_conv", initializer=_initializer())
        x = normalise(x, f"{name}_shortcut_norm")
    return layers.Add(name=f"{name}_add")([x, residual])


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, STANDARD_DEVIATION)


iresnet18 = partial(_iresnet, "iresnet18", (2, 2, 2, 2))
iresnet34 = partial(_iresnet, "iresnet34", (3, 4, 6, 3))
iresnet50 = partial(_iresnet, "iresnet50", (3, 4, 14, 3))
iresnet100 = partial(_iresnet, "iresnet100", (3, 13, 30, 3))
iresnet101 = partial(_iresnet, "iresnet101", (3, 4, 23, 3))
iresnet152 = partial(_iresnet, "iresnet152", (3, 8, 36, 3))
iresnet200 = partial(_iresnet, "iresnet200", (6, 26, 60, 6))
