"""ResNet-v2: the pre-activation bottleneck networks as TensorFlow's model garden has them.

Source: He et al., Identity Mappings in Deep Residual Networks, 2016 (arXiv:1603.05027), in the form of TF-Slim: stem
7x7 and 3x3 max-pool, both with stride 2, the stride of a stage in its last unit, and none in the last stage. In place
of the classifier stands the embedding "E" of ArcFace (arXiv:1801.07698): 112x112 pixels leave a map of 4x4.
"""

from functools import partial

import keras
from keras import layers

from networks.backbones.blocks import Normalisation, convolution, embedding, subsample
from networks.backbones.settings import Settings

MOMENTUM, EPSILON = 0.997, 1e-5
DROP_RATE = 0.6
INITIALIZER = "he_normal"
DEPTHS = (256, 512, 1024, 2048)


def _resnet_v2(name: str, units: tuple[int, ...], settings: Settings) -> keras.Model:
    settings.require_multiple_of(16, name)
    normalise = Normalisation(MOMENTUM, EPSILON)
    faces = keras.Input((*settings.input_size, 3), name="faces")
    x = convolution(faces, settings.channels(64), 7, 2, "stem_conv", initializer=INITIALIZER, bias=True)
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for stage, (count, depth) in enumerate(zip(units, DEPTHS, strict=True), 1):
        for number in range(1, count + 1):
            stride = 2 if number == count and stage < len(units) else 1
            x = unit(x, settings.channels(depth), stride, f"stage{stage}_unit{number}", normalise)
    x = _rectified(x, "postnorm", normalise)
    x = normalise(x, "final_norm")
    x = embedding(x, settings, normalise, drop_rate=settings.drop_rate(DROP_RATE), initializer="glorot_uniform")
    return keras.Model(faces, x, name=name)


def unit(x: keras.KerasTensor, depth: int, stride: int, name: str, normalise: Normalisation) -> keras.KerasTensor:
    """1x1, 3x3 with the stride and 1x1 convolutions, the inner two of a quarter of the depth."""
    inner = max(1, depth // 4)
    preactivated = _rectified(x, f"{name}_norm1", normalise)
    if x.shape[-1] == depth:
        shortcut = subsample(x, stride, f"{name}_shortcut_pool")
    else:
        shortcut = convolution(
            preactivated, depth, 1, stride, f"{name}_shortcut_conv", initializer=INITIALIZER, bias=True
        )
    residual = convolution(preactivated, inner, 1, 1, f"{name}_conv1", initializer=INITIALIZER)
    residual = _rectified(residual, f"{name}_norm2", normalise)
    residual = convolution(residual, inner, 3, stride, f"{name}_conv2", initializer=INITIALIZER)
    residual = _rectified(residual, f"{name}_norm3", normalise)
    residual = convolution(residual, depth, 1, 1, f"{name}_conv3", initializer=INITIALIZER, bias=True)
    return layers.Add(name=f"{name}_add")([shortcut, residual])


def _rectified(x: keras.KerasTensor, name: str, normalise: Normalisation) -> keras.KerasTensor:
    return layers.ReLU(name=name.replace("norm", "activation"))(normalise(x, name))


resnet_v2_50 = partial(_resnet_v2, "resnet_v2_50", (3, 4, 6, 3))
resnet_v2_101 = partial(_resnet_v2, "resnet_v2_101", (3, 4, 23, 3))
resnet_v2_152 = partial(_resnet_v2, "resnet_v2_152", (3, 8, 36, 3))
resnet_v2_200 = partial(_resnet_v2, "resnet_v2_200", (3, 24, 36, 3))
