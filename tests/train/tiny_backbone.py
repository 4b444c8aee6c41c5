"""A backbone of two layers, so that a test of training spends its time on training and not on a network."""

import keras

from networks import backbones


def tiny(settings, *, norm=True):
    """Convolution, batch normalisation and a dense layer; without ``settings.dropout`` no dropout."""
    picture = keras.Input((*settings.input_size, 3))
    x = keras.layers.Conv2D(8, 3, strides=4, use_bias=False, name="stem_conv")(picture)
    if norm:
        x = keras.layers.BatchNormalization(momentum=0.9, name="stem_norm")(x)
    x = keras.layers.PReLU(shared_axes=[1, 2], name="stem_activation")(x)
    x = keras.layers.Flatten()(x)
    if settings.dropout:
        x = keras.layers.Dropout(settings.dropout)(x)
    x = keras.layers.Dense(settings.embedding_size, name="embedding_dense")(x)
    return keras.Model(picture, keras.layers.Activation("linear", dtype="float32")(x), name="tiny")


def register():
    """Make it known as "tiny"."""
    backbones.BACKBONES._targets["tiny"] = "tests.train.tiny_backbone:tiny"
