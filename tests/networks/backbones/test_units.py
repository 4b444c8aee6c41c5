"""Single units of the backbones against NumPy in float64, written as loops over the picture."""

import numpy as np
import pytest

from networks.backbones.settings import Settings

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")

from networks.backbones import blocks, ir, iresnet, resnet_v2, resnet_v2_m  # noqa: E402

EPSILON = 1e-5


class Weights:
    """The weights of a model by layer; random, so that nothing is 0 or 1 by chance."""

    def __init__(self, model):
        random = np.random.default_rng(11)
        for layer in model.layers:
            layer.set_weights([random.uniform(0.2, 0.9, w.shape) - 0.3 * (w.ndim > 1) for w in layer.get_weights()])
        self.of = {layer.name: [np.float64(w) for w in layer.get_weights()] for layer in model.layers}


def convolve(x, weights, stride, padding):
    kernel, bias = weights[0], weights[1] if len(weights) == 2 else 0
    size = kernel.shape[0]
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    rows, columns = ((side - size) // stride + 1 for side in x.shape[1:3])
    y = np.zeros((len(x), rows, columns, kernel.shape[-1]))
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            y[:, row, column] = np.einsum("nhwc,hwcd->nd", x[:, top : top + size, left : left + size], kernel)
    return y + bias


def normalise(x, weights, epsilon=EPSILON):
    gamma, beta, mean, variance = weights
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def prelu(x, slopes):
    return np.where(x > 0, x, slopes * x)


def leaky(x, _=None):
    return np.where(x > 0, x, 0.2 * x)


def excite(x, squeeze, back):
    hidden = np.maximum(x.mean((1, 2)) @ squeeze[0, 0], 0)
    return x / (1 + np.exp(-hidden @ back[0, 0]))[:, None, None]


def built(make, channels):
    """The model of one unit, called "u", and a picture of 6x8 for it."""
    faces = keras.Input((6, 8, channels))
    model = keras.Model(faces, make(faces))
    x = np.random.default_rng(4).normal(size=(2, 6, 8, channels))
    return model, Weights(model).of, x


def assert_same(model, x, expected):
    np.testing.assert_allclose(np.asarray(model(np.float32(x))), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["leaky_relu", "prelu"])
@pytest.mark.parametrize("inputs, stride", [(8, 1), (8, 2), (4, 2)])
def test_a_basic_unit_of_resnet_v2_m(activation, inputs, stride):
    norm, activate = blocks.Normalisation(0.9, EPSILON), resnet_v2_m.ACTIVATIONS[activation]
    model, w, x = built(lambda faces: resnet_v2_m.basic_unit(faces, 8, stride, "u", norm, activate), inputs)
    act = (lambda y, name: prelu(y, w[name][0])) if activation == "prelu" else leaky
    p = act(normalise(x, w["u_norm1"]), "u_activation1")
    shortcut = x[:, ::stride, ::stride] if inputs == 8 else convolve(p, w["u_shortcut_conv"], stride, 0)
    y = act(normalise(convolve(p, w["u_conv1"], stride, 1), w["u_norm2"]), "u_activation2")
    assert_same(model, x, shortcut + convolve(y, w["u_conv2"], 1, 1))
    assert len(w["u_conv1"]) == 1 and len(w["u_conv2"]) == 2


@pytest.mark.parametrize("inputs, stride", [(16, 2), (4, 2), (4, 1)])
@pytest.mark.parametrize("family", ["resnet_v2_m", "resnet_v2"])
def test_a_bottleneck_unit(family, inputs, stride):
    norm = blocks.Normalisation(0.9, EPSILON)
    if family == "resnet_v2":
        model, w, x = built(lambda faces: resnet_v2.unit(faces, 16, stride, "u", norm), inputs)
        act = lambda y: np.maximum(y, 0)  # noqa: E731
    else:
        activate = resnet_v2_m.ACTIVATIONS["leaky_relu"]
        model, w, x = built(lambda faces: resnet_v2_m.bottleneck_unit(faces, 16, stride, "u", norm, activate), inputs)
        act = leaky
    p = act(normalise(x, w["u_norm1"]))
    shortcut = x[:, ::stride, ::stride] if inputs == 16 else convolve(p, w["u_shortcut_conv"], stride, 0)
    y = act(normalise(convolve(p, w["u_conv1"], 1, 0), w["u_norm2"]))
    y = act(normalise(convolve(y, w["u_conv2"], stride, 1), w["u_norm3"]))
    assert_same(model, x, shortcut + convolve(y, w["u_conv3"], 1, 0))


@pytest.mark.parametrize("se", [False, True])
@pytest.mark.parametrize("inputs, stride", [(8, 1), (8, 2), (4, 2)])
def test_a_unit_of_iresnet(inputs, stride, se):
    norm = blocks.Normalisation(0.9, EPSILON)
    model, w, x = built(lambda faces: iresnet.unit(faces, 8, stride, "u", norm, se), inputs)
    y = convolve(normalise(x, w["u_norm1"]), w["u_conv1"], 1, 1)
    y = prelu(normalise(y, w["u_norm2"]), w["u_activation"][0])
    y = normalise(convolve(y, w["u_conv2"], stride, 1), w["u_norm3"])
    y = excite(y, w["u_se_squeeze_conv"][0], w["u_se_excite_conv"][0]) if se else y
    shortcut = normalise(convolve(x, w["u_shortcut_conv"], 2, 0), w["u_shortcut_norm"]) if stride == 2 else x
    assert_same(model, x, shortcut + y)


@pytest.mark.parametrize("inputs, stride", [(8, 2), (4, 2)])
def test_a_unit_of_ir_se(inputs, stride):
    norm = blocks.Normalisation(0.9, EPSILON)
    model, w, x = built(lambda faces: ir.unit(faces, 8, stride, "u", norm, True), inputs)
    y = prelu(convolve(normalise(x, w["u_norm1"]), w["u_conv1"], 1, 1), w["u_activation"][0])
    y = normalise(convolve(y, w["u_conv2"], stride, 1), w["u_norm2"])
    y = excite(y, w["u_se_squeeze_conv"][0], w["u_se_excite_conv"][0])
    if inputs == 8:
        shortcut = x[:, ::stride, ::stride]
    else:
        shortcut = normalise(convolve(x, w["u_shortcut_conv"], stride, 0), w["u_shortcut_norm"])
    assert_same(model, x, shortcut + y)


@pytest.mark.parametrize("channels_first", [False, True])
def test_the_embedding_reads_the_map_in_the_order_of_its_source(channels_first):
    norm, settings = blocks.Normalisation(0.9, EPSILON), Settings(embedding_size=5)

    def make(faces):
        return blocks.embedding(
            faces, settings, norm, drop_rate=0.5, initializer="zeros", channels_first=channels_first
        )

    model, w, x = built(make, 3)
    flat = (x.transpose(0, 3, 1, 2) if channels_first else x).reshape(2, -1)
    kernel, bias = w["embedding_dense"]
    beta, mean, variance = w["embedding_norm"]
    assert_same(model, x, (flat @ kernel + bias - mean) / np.sqrt(variance + EPSILON) + beta)


def test_prelu_begins_at_a_quarter_with_a_slope_per_channel():
    faces = keras.Input((6, 8, 3))
    model = keras.Model(faces, blocks.prelu(faces, "p"))
    assert [w.shape for w in model.get_weights()] == [(1, 1, 3)]
    x = np.random.default_rng(0).normal(size=(1, 6, 8, 3))
    assert_same(model, x, np.where(x > 0, x, 0.25 * x))


def test_a_striding_convolution_is_padded_alike_on_all_sides():
    faces = keras.Input((6, 8, 1))
    model = keras.Model(faces, blocks.convolution(faces, 1, 3, 2, "c", initializer="ones"))
    x = np.zeros((1, 6, 8, 1))
    x[0, 0, 0] = 1
    assert np.asarray(model(x))[0, :, :, 0].tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
