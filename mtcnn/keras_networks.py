"""The three networks of MTCNN as Keras models, to train them or to run them on Keras' backends and devices.

Source: Zhang et al., Joint Face Detection and Alignment using Multi-task Cascaded Convolutional Networks,
2016 (arXiv:1604.02878), in the layer sizes of the public weights (``networks.zoo.pull("mtcnn")``).

All take float32 ``[n, H, W, 3]`` RGB, ``(x - 127.5) / 128`` of 0..255 values, and return a list, in the order
of the public files:

- probability ``[..., 2]``: softmax over (no face, face);
- box ``[..., 4]``: corrections of x1, y1, x2, y2, in widths and heights of the candidate box;
- landmarks ``[..., 10]`` (O-Net only): five x, then five y, of left eye, right eye, nose, left and right
  mouth corner as seen in the picture, from the candidate's top left corner in its widths and heights.
"""

from pathlib import Path

import keras
import numpy as np
import openvino
from keras import layers

from common.errors import BadModel, UnknownChoice


def pnet() -> keras.Model:
    """P-Net, which proposes candidates: fully convolutional, any H and W from 12 up.

    Outputs probability ``[n, h, w, 2]`` and box ``[n, h, w, 4]``; cell (row, column) looks at the 12x12
    pixels whose top left corner is (2 column, 2 row), and h = ceil((H - 2) / 2) - 4, w likewise.
    """
    picture = keras.Input((None, None, 3), name="picture")
    x = _convolution(picture, 1, 10, 3)
    x = layers.MaxPooling2D(2, 2, padding="same", name="pool1")(x)
    x = _convolution(x, 2, 16, 3)
    x = _convolution(x, 3, 32, 3)
    probability = layers.Conv2D(2, 1, activation="softmax", name="probability")(x)
    box = layers.Conv2D(4, 1, name="box")(x)
    return keras.Model(picture, [probability, box], name="pnet")


def rnet() -> keras.Model:
    """R-Net, which refines candidates: ``[n, 24, 24, 3]`` to probability ``[n, 2]`` and box ``[n, 4]``."""
    picture = keras.Input((24, 24, 3), name="picture")
    x = _convolution(picture, 1, 28, 3)
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = _convolution(x, 2, 48, 3)
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = _convolution(x, 3, 64, 2)
    x = _dense(x, 4, 128)
    return keras.Model(picture, [_probability(x), layers.Dense(4, name="box")(x)], name="rnet")


def onet() -> keras.Model:
    """O-Net, which decides: ``[n, 48, 48, 3]`` to probability ``[n, 2]``, box ``[n, 4]`` and landmarks."""
    picture = keras.Input((48, 48, 3), name="picture")
    x = _convolution(picture, 1, 32, 3)
    x = layers.MaxPooling2D(3, 2, padding="same", name="pool1")(x)
    x = _convolution(x, 2, 64, 3)
    x = layers.MaxPooling2D(3, 2, name="pool2")(x)
    x = _convolution(x, 3, 64, 3)
    x = layers.MaxPooling2D(2, 2, name="pool3")(x)
    x = _convolution(x, 4, 128, 2)
    x = _dense(x, 5, 256)
    outputs = [_probability(x), layers.Dense(4, name="box")(x), layers.Dense(10, name="landmarks")(x)]
    return keras.Model(picture, outputs, name="onet")


BUILDERS = {"pnet": pnet, "rnet": rnet, "onet": onet}
HEADS = {2: "probability", 4: "box", 10: "landmarks"}  # by their number of outputs


def from_public(name: str, path: str | Path) -> keras.Model:
    """The network ``name`` ("pnet", "rnet", "onet") with the weights of its public ``.tflite`` file.

    Raises:
        UnknownChoice: another name.
        BadModel: see :func:`load_public`.
    """
    if name not in BUILDERS:
        raise UnknownChoice(f"Unknown MTCNN network {name!r}. Expected one of: {', '.join(BUILDERS)}.")
    network = BUILDERS[name]()
    load_public(network, path)
    return network


def load_public(network: keras.Model, path: str | Path) -> None:
    """Give ``network`` (from ``pnet``, ``rnet`` or ``onet``) the weights of its public ``.tflite`` file.

    The public graphs see the transposed picture, ``[n, W, H, 3]``. Swapping the two spatial axes of every
    kernel, and of what the first dense layer reads, makes the network take pictures as they are; the outputs
    keep their meaning, and a map of P-Net becomes ``[n, h, w, ...]``.

    Raises:
        BadModel: no readable model, or not the weights of this network; the network is then unchanged.
    """
    weights = _public_weights(network, Path(path))
    expected = {layer.name: [w.shape for w in layer.weights] for layer in network.layers if layer.weights}
    came = {name: [w.shape for w in arrays] for name, arrays in weights.items()}
    for name in [*expected, *came]:
        if came.get(name) != expected.get(name):
            raise BadModel(
                f"{path} does not hold the weights of {network.name}: for {name}, "
                f"{expected.get(name, 'nothing')} was expected and {came.get(name, 'nothing')} came. "
                f"Give the public MTCNN file {network.name}.tflite."
            )
    for name, arrays in weights.items():
        network.get_layer(name).set_weights(arrays)


def _convolution(x: keras.KerasTensor, number: int, filters: int, size: int) -> keras.KerasTensor:
    x = layers.Conv2D(filters, size, name=f"conv{number}")(x)
    return layers.PReLU(shared_axes=[1, 2], name=f"prelu{number}")(x)


def _dense(x: keras.KerasTensor, number: int, units: int) -> keras.KerasTensor:
    x = layers.Flatten()(x)
    x = layers.Dense(units, name=f"dense{number}")(x)
    return layers.PReLU(name=f"prelu{number}")(x)


def _probability(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Dense(2, activation="softmax", name="probability")(x)


def _public_weights(network: keras.Model, path: Path) -> dict[str, list[np.ndarray]]:
    """Weights by the name of the layer of ours that they belong to, axes already in our order."""
    try:
        nodes = openvino.Core().read_model(path).get_ordered_ops()
    except RuntimeError as error:
        raise BadModel(f"{path} cannot be read as a .tflite model: {error}") from None
    affine = [node for node in nodes if node.get_type_name() in ("Convolution", "MatMul")]
    slopes = [_constant(node) for node in nodes if node.get_type_name() == "Multiply"]
    trunk = [layer.name for layer in network.layers if layer.name.startswith(("conv", "dense"))]
    weights = {}
    for index, node in enumerate(affine):
        kernel, bias = _constant(node), _constant(_consumer(node))
        name = trunk[index] if index < len(trunk) else HEADS.get(len(kernel), f"output of {len(kernel)}")
        weights[name] = [_kernel(kernel, network), bias.reshape(-1)]
    for number, slope in enumerate(slopes, 1):
        # ReLU(x) + slope * -ReLU(-x): the sign is that of Keras' PReLU.
        weights[f"prelu{number}"] = [slope.reshape(-1) if slope.ndim == 1 else slope.reshape(1, 1, -1)]
    return weights


def _constant(node: openvino.Node) -> np.ndarray:
    """The constant among the inputs of a node; an empty array where there is none."""
    for value in node.input_values():
        if value.get_node().get_type_name() == "Constant":
            return value.get_node().data
    return np.zeros((0,), np.float32)


def _consumer(node: openvino.Node) -> openvino.Node:
    return next(iter(node.output(0).get_target_inputs())).get_node()


def _kernel(kernel: np.ndarray, network: keras.Model) -> np.ndarray:
    """``[out, in, W, H]`` to ``[H, W, in, out]``; ``[out, in]`` to ``[in, out]``."""
    for flatten in (layer for layer in network.layers if isinstance(layer, layers.Flatten)):
        if kernel.ndim == 2 and kernel.shape[1] == flatten.output.shape[1]:
            turned = kernel.reshape(-1, *flatten.input.shape[1:]).swapaxes(1, 2)
            kernel = turned.reshape(kernel.shape)
    return kernel.transpose()
