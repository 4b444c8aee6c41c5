"""IR and IR-SE: the residual networks of TreB1eN/InsightFace_Pytorch, layer for layer.

Source: Deng et al., ArcFace, 2019 (arXiv:1801.07698), as that repository has it.

Unlike IResNet, a unit has no BN after its first convolution, and the shortcut is a 1x1 max-pool wherever the number of
channels stays. The dropout before the embedding is 0.6, its last BN has a trainable gamma.
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
    subsample,
    torch_default,
)
from networks.backbones.settings import Settings

MOMENTUM, EPSILON = 0.9, 1e-5
DROP_RATE = 0.6
DEPTHS = (64, 128, 256, 512)


def _ir(name: str, units: tuple[int, ...], se: bool, settings: Settings) -> keras.Model:
    settings.require_multiple_of(16, name)
    normalise = Normalisation(MOMENTUM, EPSILON)
    faces = keras.Input((*settings.input_size, 3), name="faces")
    x = convolution(faces, settings.channels(64), 3, 1, "stem_conv", initializer=torch_default())
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
        scale=True,
    )
    return keras.Model(faces, x, name=name)


def unit(
    x: keras.KerasTensor, depth: int, stride: int, name: str, normalise: Normalisation, se: bool
) -> keras.KerasTensor:
    """Residual and shortcut of one unit, summed."""
    residual = normalise(x, f"{name}_norm1")
    residual = convolution(residual, depth, 3, 1, f"{name}_conv1", initializer=torch_default())
    residual = prelu(residual, f"{name}_activation")
    residual = convolution(residual, depth, 3, stride, f"{name}_conv2", initializer=torch_default())
    residual = normalise(residual, f"{name}_norm2")
    if se:
        residual = squeeze_excite(residual, f"{name}_se", initializer=torch_default())
    if x.shape[-1] == depth:
        shortcut = subsample(x, stride, f"{name}_shortcut_pool")
    else:
        shortcut = convolution(x, depth, 1, stride, f"{name}_shortcut_conv", initializer=torch_default())
        shortcut = normalise(shortcut, f"{name}_shortcut_norm")
    return layers.Add(name=f"{name}_add")([shortcut, residual])


ir_50 = partial(_ir, "ir_50", (3, 4, 14, 3), False)
ir_100 = partial(_ir, "ir_100", (3, 13, 30, 3), False)
ir_152 = partial(_ir, "ir_152", (3, 8, 36, 3), False)
ir_se_50 = partial(_ir, "ir_se_50", (3, 4, 14, 3), True)
ir_se_100 = partial(_ir, "ir_se_100", (3, 13, 30, 3), True)
ir_se_152 = partial(_ir, "ir_se_152", (3, 8, 36, 3), True)
