"""Changes to an OpenVINO graph that leave its results as they are and make it faster or freer.

All are made at load: the weights on disk stay the public file, checked by its SHA-256.
"""

import logging
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openvino as ov
from openvino import opset13 as opset

# The first array that OpenVINO makes of a constant sets up its access to NumPy. Two threads that are the first at once
# wait for each other for good (2026.4: the lock of a C++ static against Python's). A module is imported by one.
np.array(opset.constant(np.float32(0)).data)


def constant(node: ov.Node) -> np.ndarray:
    """The value of a node that depends on constants only (TFLite files hang Convert and Transpose behind them)."""
    if node.get_type_name() == "Constant":
        return np.array(node.data)
    compiled = ov.Core().compile_model(ov.Model([node.output(0)], []), "CPU")
    return next(iter(compiled([]).values())).copy()


def producers(node: ov.Node) -> list[ov.Node]:
    """The nodes whose outputs ``node`` reads, in the order of its inputs."""
    return [value.get_node() for value in node.input_values()]


def is_constant(node: ov.Node) -> bool:
    """Whether ``node`` depends on constants only."""
    if node.get_type_name() in ("Parameter", "ReadValue"):
        return False
    return all(is_constant(source) for source in producers(node))


def fuse_prelu(model: ov.Model) -> int:
    """Replace PReLUs that stand decomposed by single PReLU operations; returns how many.

    TFLite converters write ``PReLU(x)`` as ``relu(x) + c (x - |x|)``, slope 2c, or ``relu(x) + c (-relu(-x))``,
    slope c. One operation can be computed inside the convolution before it instead of in five passes over memory.
    """
    count = 0
    for add in model.get_ordered_ops():
        found = _decomposed_prelu(add)
        if found and _is_per_channel(found[1], found[0]):
            x, slope = found
            prelu = opset.prelu(x, opset.constant(slope.reshape(-1).astype(np.float32)))
            add.output(0).replace(prelu.output(0))
            count += 1
    return count


def _decomposed_prelu(add: ov.Node) -> tuple[ov.Output, np.ndarray] | None:
    if add.get_type_name() != "Add":
        return None
    parts = {node.get_type_name(): node for node in producers(add)}
    if set(parts) != {"Relu", "Multiply"}:
        return None
    x = parts["Relu"].input_value(0)
    factors = producers(parts["Multiply"])
    slope = next((node for node in factors if is_constant(node)), None)
    negative = next((node for node in factors if node.get_type_name() in ("Subtract", "Negative")), None)
    if slope is None or negative is None:
        return None
    if negative.get_type_name() == "Subtract":
        absolute = negative.input_value(1).get_node()
        if absolute.get_type_name() == "Abs" and negative.input_value(0) == x == absolute.input_value(0):
            return x, 2 * constant(slope)
        return None
    inner = negative.input_value(0).get_node()
    if inner.get_type_name() != "Relu" or inner.input_value(0).get_node().get_type_name() != "Negative":
        return None
    return (x, constant(slope)) if inner.input_value(0).get_node().input_value(0) == x else None


def _is_per_channel(slope: np.ndarray, x: ov.Output) -> bool:
    """Whether ``slope`` is one number, or one for each of axis 1 of float32 ``x``: PReLU puts slopes nowhere else."""
    sides = x.get_partial_shape()
    if x.get_element_type() != ov.Type.f32 or sides.rank.is_dynamic or slope.ndim > len(sides):
        return False
    if slope.size == 1:
        return True
    along = (1,) * (len(sides) - slope.ndim) + slope.shape
    return along[1] == slope.size and sides[1] == ov.Dimension(slope.size)


def merge_linear_convolutions(model: ov.Model) -> int:
    """Compose 1x1 convolutions that follow one another without anything between but a bias; returns how many.

    In MobileFaceNet a linear bottleneck without a shortcut ends in a 1x1 convolution that only the next block's
    1x1 convolution reads: W2 (W1 x + b1) + b2 = (W2 W1) x + (W2 b1 + b2). Saves 6 % of its multiplications.
    """
    count = 0
    for second in model.get_ordered_ops():
        first = _linear_pointwise_before(second)
        if first is None:
            continue
        convolution, bias = first
        inner = constant(producers(convolution)[1])
        outer = constant(producers(second)[1])
        outer = outer[:, :, 0, 0].astype(np.float64)
        shift = opset.constant((outer @ bias.reshape(-1)).astype(np.float32).reshape(1, -1, 1, 1))
        kernel = (outer @ inner[:, :, 0, 0]).astype(np.float32)
        merged = opset.convolution(
            convolution.input_value(0), opset.constant(kernel[:, :, None, None]), [1, 1], [0, 0], [0, 0], [1, 1]
        )
        second.output(0).replace(opset.add(merged, shift).output(0))
        count += 1
    return count


def _linear_pointwise_before(second: ov.Node) -> tuple[ov.Node, np.ndarray] | None:
    """The pointwise convolution and bias that ``second`` alone reads, when composing them saves work."""
    if not _is_pointwise(second):
        return None
    add = producers(second)[0]
    if add.get_type_name() != "Add" or len(add.output(0).get_target_inputs()) != 1:
        return None
    convolution, bias = producers(add)
    if not _is_pointwise(convolution) or not is_constant(bias):
        return None
    if list(bias.output(0).get_partial_shape()) != [1, _channels(convolution)[0], 1, 1]:
        return None
    if len(convolution.output(0).get_target_inputs()) != 1:
        return None
    before, middle, after = _channels(convolution)[1], _channels(second)[1], _channels(second)[0]
    saves = before * after < before * middle + middle * after
    return (convolution, constant(bias)) if saves else None


def _is_pointwise(node: ov.Node) -> bool:
    if node.get_type_name() != "Convolution" or not is_constant(producers(node)[1]):
        return False
    attributes = node.get_attributes()
    padded = any(attributes["pads_begin"]) or any(attributes["pads_end"])
    return list(node.input_value(1).get_shape()[2:]) == [1, 1] and set(attributes["strides"]) == {1} and not padded


def _channels(convolution: ov.Node) -> tuple[int, int]:
    outputs, inputs = convolution.input_value(1).get_shape()[:2]
    return outputs, inputs


def free_batch(model: ov.Model) -> bool:
    """Give every input a free first dimension; False, and the model is spoiled, where its graph does not allow it.

    Converters bake the batch into the target shapes of Reshape: those get -1 in its place.
    """
    batch = model.inputs[0].get_partial_shape()[0]
    if batch.is_dynamic:
        return True
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Reshape" and is_constant(producers(node)[1]):
            target = [d.get_length() if d.is_static else -1 for d in node.output(0).get_partial_shape()]
            if len(target) > 1 and target[0] == batch.get_length() and -1 not in target[1:]:
                free = opset.constant(np.array([-1, *target[1:]], np.int64))
                node.input(1).replace_source_output(free.output(0))
    # 7 first: a graph that mixes its inputs takes any batch, but not 7 to 7 outputs.
    return _outputs_follow(model, 7) and _outputs_follow(model, -1)


def _outputs_follow(model: ov.Model, batch: int) -> bool:
    try:
        model.reshape({port: ov.PartialShape([batch, *list(port.get_partial_shape())[1:]]) for port in model.inputs})
    except RuntimeError:
        return False
    return all(port.get_partial_shape()[0] == ov.Dimension(batch) for port in model.outputs)


log = logging.getLogger(__name__)

DIRECT_KERNELS = "cpu:jit_avx2_dw,cpu:jit_avx2_1x1,cpu:jit_avx2"
FEW_CHANNELS = 16


def with_direct_kernels(model: ov.Model) -> ov.Model:
    """A copy that asks for oneDNN's direct AVX2 kernels where they beat its BRGEMM ones, OpenVINO 2026.4's choice.

    That is in depthwise and 1x1 convolutions and in those that read at most 16 channels. With them P-Net of MTCNN
    ran 2.7 times faster on two cores with AVX2, MobileFaceNet 1.2 times, R-Net's first convolution 1.6 times; its
    second one, which reads 28 channels, is better left. The wish can only be written into the graph's XML form. Where
    no file can be written the graph stays as it is, and is slower.
    """
    try:
        return _with_wishes(model)
    except (OSError, RuntimeError) as error:  # the latter is OpenVINO's
        log.warning("A network runs slower than it could, as no temporary file can be written: %s", error)
        return model


def _with_wishes(model: ov.Model) -> ov.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        graph = ElementTree.parse(path)
        for layer in graph.iterfind("layers/layer"):
            if _gains_from_direct_kernels(layer):
                wishes = layer.find("rt_info")
                if wishes is None:
                    wishes = ElementTree.Element("rt_info")
                    layer.insert(1, wishes)
                wish = {"name": "primitives_priority", "version": "0", "value": DIRECT_KERNELS}
                ElementTree.SubElement(wishes, "attribute", wish)
        weights = path.with_suffix(".bin").read_bytes()
        return ov.Core().read_model(ElementTree.tostring(graph.getroot()), weights)


def _gains_from_direct_kernels(layer: ElementTree.Element) -> bool:
    if layer.get("type") == "GroupConvolution":
        return True
    if layer.get("type") != "Convolution":
        return False
    _, channels, *window = (int(side.text) for side in layer.findall("input/port[@id='1']/dim"))
    return channels <= FEW_CHANNELS or set(window) == {1}
