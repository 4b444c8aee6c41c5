"""MobileFaceNet: one million parameters, for phones.

Source: Chen et al., MobileFaceNets, 2018 (arXiv:1804.07573), in the layout that TreB1eN/InsightFace_Pytorch and
arcface_torch share: BN after every convolution, PReLU after all but the linear ones, and the embedding from a global
depthwise convolution, a dense layer without bias and BN.

``scale`` multiplies the channels between the bottlenecks, but not what these widen them to; arcface_torch's ``mbf`` has
scale 2, its ``mbf_large`` scale 4 and blocks 2, 8, 12, 4.
"""

import keras
from keras import layers

from networks.backbones.blocks import Normalisation, convolution, embedding, prelu
from networks.backbones.settings import Settings, choice

MOMENTUM, EPSILON = 0.9, 1e-5
DROP_RATE = 0.0
STANDARD, LARGE = (1, 4, 6, 2), (2, 8, 12, 4)
NAME = "mobilefacenet"


def mobilefacenet(settings: Settings, *, scale: int = 1, blocks: tuple[int, ...] = STANDARD) -> keras.Model:
    """The paper's network with ``scale=1``; ``blocks`` counts the bottlenecks with a shortcut of the four stages."""
    choice(scale, (1, 2, 4), "scale", NAME)
    blocks = choice(tuple(blocks) if isinstance(blocks, list) else blocks, (STANDARD, LARGE), "blocks", NAME)
    settings.require_multiple_of(16, NAME)
    normalise = Normalisation(MOMENTUM, EPSILON)
    narrow, broad = settings.channels(64 * scale), settings.channels(128 * scale)
    faces = keras.Input((*settings.input_size, 3), name="faces")
    x = _activated(faces, narrow, 3, 2, "stem", normalise)
    if blocks[0] == 1:
        x = _activated(x, narrow, 3, 1, "stage1_depthwise", normalise, groups=settings.channels(64))
    else:
        x = _residuals(x, settings.channels(128), blocks[0], 1, normalise)
    stages = ((128, narrow, 128), (256, broad, 256), (512, broad, 256))
    for stage, ((opening, channels, expansion), count) in enumerate(zip(stages, blocks[1:], strict=True), 2):
        x = _bottleneck(x, settings.channels(opening), channels, 2, f"stage{stage}_opening", normalise)
        x = _residuals(x, settings.channels(expansion), count, stage, normalise)
    x = _activated(x, settings.channels(512), 1, 1, "final", normalise)
    x = _global_depthwise(x, normalise)
    x = embedding(
        x,
        settings,
        normalise,
        drop_rate=settings.drop_rate(DROP_RATE),
        initializer=_initializer(),
        bias=False,
        scale=True,
    )
    return keras.Model(faces, x, name=NAME)


def _residuals(
    x: keras.KerasTensor, expansion: int, count: int, stage: int, normalise: Normalisation
) -> keras.KerasTensor:
    for number in range(1, count + 1):
        name = f"stage{stage}_unit{number}"
        residual = _bottleneck(x, expansion, x.shape[-1], 1, name, normalise)
        x = layers.Add(name=f"{name}_add")([x, residual])
    return x


def _bottleneck(
    x: keras.KerasTensor, expansion: int, channels: int, stride: int, name: str, normalise: Normalisation
) -> keras.KerasTensor:
    """1x1 to ``expansion`` channels, 3x3 depthwise with the stride, 1x1 to ``channels`` without an activation."""
    x = _activated(x, expansion, 1, 1, f"{name}_expand", normalise)
    x = _activated(x, expansion, 3, stride, f"{name}_depthwise", normalise, groups=expansion)
    x = convolution(x, channels, 1, 1, f"{name}_project_conv", initializer=_initializer())
    return normalise(x, f"{name}_project_norm")


def _activated(
    x: keras.KerasTensor, filters: int, size: int, stride: int, name: str, normalise: Normalisation, groups: int = 1
) -> keras.KerasTensor:
    x = convolution(x, filters, size, stride, f"{name}_conv", initializer=_initializer(), groups=groups)
    return prelu(normalise(x, f"{name}_norm"), f"{name}_activation")


def _global_depthwise(x: keras.KerasTensor, normalise: Normalisation) -> keras.KerasTensor:
    x = layers.DepthwiseConv2D(
        tuple(x.shape[1:3]), use_bias=False, depthwise_initializer=_initializer(), name="embedding_depthwise_conv"
    )(x)
    return normalise(x, "embedding_depthwise_norm")


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
