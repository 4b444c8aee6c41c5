"""P-Net, R-Net and O-Net of the public weights, as engines that take uint8 BGR pictures (transposed)."""

from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as opset

from common.errors import BadModel
from networks.engines.openvino import OpenVINOEngine, prepare
from networks.engines.rewrites import constant, producers

MEAN, SCALE = 127.5, 128.0


def pnet(path: Path, threads: int | None = None) -> OpenVINOEngine:
    """P-Net on a canvas uint8 ``[1, rows, columns, 3]`` -> ``[1, 5, map rows, map columns]``.

    Channel 0 is the logit of a face (its probability before the logistic function), 1..4 the box regression.
    """
    graph = prepare(path)
    graph.reshape([1, -1, -1, 3])
    _take_bytes(graph)
    heads = [node for node in graph.get_ordered_ops() if _is_head(node)]
    if sorted(_outputs(head) for head in heads) != [2, 4]:
        raise BadModel(f"{path} is not MTCNN's P-Net: expected heads of 2 and 4 channels.")
    classes, boxes = sorted(heads, key=_outputs)
    weights = [constant(producers(head)[1]) for head in (classes, boxes)]
    biases = [constant(producers(_bias(head))[1]).reshape(-1) for head in (classes, boxes)]
    merged = opset.convolution(
        classes.input_value(0),
        opset.constant(np.concatenate([weights[0][1:] - weights[0][:1], weights[1]])),
        [1, 1], [0, 0], [0, 0], [1, 1],
    )  # fmt: skip
    shift = np.concatenate([biases[0][1:] - biases[0][:1], biases[1]]).reshape(1, 5, 1, 1)
    output = opset.add(merged, opset.constant(shift))
    return OpenVINOEngine(
        ov.Model([output.output(0)], graph.get_parameters()), threads=threads, batched=False
    )


def rnet(path: Path, threads: int | None = None) -> OpenVINOEngine:
    """R-Net on crops uint8 ``[n, 24, 24, 3]`` -> probabilities ``[n, 2]``, box regression ``[n, 4]``."""
    return _refinement(path, 24, (2, 4), threads)


def onet(path: Path, threads: int | None = None) -> OpenVINOEngine:
    """O-Net on crops uint8 ``[n, 48, 48, 3]`` -> probabilities ``[n, 2]``, boxes ``[n, 4]``, landmarks ``[n, 10]``."""
    return _refinement(path, 48, (2, 4, 10), threads)


def _refinement(path: Path, side: int, widths: tuple[int, ...], threads: int | None) -> OpenVINOEngine:
    graph = prepare(path)
    _take_bytes(graph)
    engine = OpenVINOEngine(graph, threads=threads)
    expected = [(None, width) for width in widths]
    if engine.input_shapes != [(None, side, side, 3)] or engine.output_shapes != expected:
        raise BadModel(
            f"{path} is not the expected MTCNN network: input {engine.input_shapes}, outputs {engine.output_shapes}."
        )
    return engine


def _take_bytes(graph: ov.Model) -> None:
    """Fold ``(x - 127.5) / 128`` and BGR -> RGB into the first convolution: exact, since it is not padded."""
    parameter = graph.get_parameters()[0]
    convolution = next(node for node in graph.get_ordered_ops() if node.get_type_name() == "Convolution")
    bias = _bias(convolution)
    weights = constant(producers(convolution)[1]).astype(np.float64)
    offset = constant(producers(bias)[1]).astype(np.float64)
    offset = offset - weights.sum(axis=(1, 2, 3)).reshape(1, -1, 1, 1) * (MEAN / SCALE)
    folded = np.ascontiguousarray(weights[:, ::-1] / SCALE, np.float32)
    convolution.input(1).replace_source_output(opset.constant(folded).output(0))
    bias.input(1).replace_source_output(opset.constant(offset.astype(np.float32)).output(0))
    parameter.set_element_type(ov.Type.u8)
    readers = parameter.output(0).get_target_inputs()
    as_float = opset.convert(parameter, "f32")
    for reader in readers:
        reader.replace_source_output(as_float.output(0))
    graph.validate_nodes_and_infer_types()


def _bias(convolution: ov.Node) -> ov.Node:
    reader = next(iter(convolution.output(0).get_target_inputs())).get_node()
    if reader.get_type_name() != "Add":
        raise BadModel("A convolution without bias where MTCNN has one.")
    return reader


def _is_head(node: ov.Node) -> bool:
    return node.get_type_name() == "Convolution" and list(node.input_value(1).get_shape()[2:]) == [1, 1]


def _outputs(convolution: ov.Node) -> int:
    return convolution.input_value(1).get_shape()[0]
