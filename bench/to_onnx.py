"""Write a network that OpenVINO reads (.tflite, .onnx, IR) as ONNX with a free batch, for ONNX Runtime.

Biases go into their convolution, and a PReLU that stands decomposed as relu(x) + c (x - |x|) becomes one
PRelu of slope 2c. It covers the operations of the public MobileFaceNet and needs ``openvino`` and ``onnx``:

    .venv-bench/bin/python bench/to_onnx.py MobileFaceNet.tflite mobilefacenet.onnx
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse

import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper, numpy_helper

from bench.report import run_command
from common.errors import BadModel

OPSET = 17


def convert(model: openvino.Model) -> onnx.ModelProto:
    """The same network as ONNX: float32, first dimension of input and output free.

    Raises:
        BadModel: it has several inputs or outputs, or an operation that is not covered.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise BadModel(
            f"Expected one input and one output, not {len(model.inputs)} and {len(model.outputs)}."
        )
    return _Converter(model).convert()


class _Converter:
    def __init__(self, model: openvino.Model):
        self.model = model
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.names: dict[str, str] = {}  # OpenVINO node -> ONNX tensor
        self.emitters = {
            "Convolution": self._convolution,
            "GroupConvolution": self._convolution,
            "Add": self._add,
            "Transpose": self._transpose,
            "Reshape": self._reshape,
        }

    def convert(self) -> onnx.ModelProto:
        source, result = self.model.inputs[0].get_node(), self.model.get_results()[0]
        self.names[source.get_name()] = "input"
        output = self._tensor(_argument(result, 0))
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, _free_batch(source))],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, _free_batch(result))],
            self.constants,
        )
        converted = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        converted.ir_version = 8
        onnx.checker.check_model(converted, full_check=True)
        return converted

    def _tensor(self, node) -> str:
        """The ONNX tensor of a node, emitting first whatever it is computed from."""
        if node.get_name() not in self.names:
            chain = [node]
            while chain:
                waiting = [part for part in _activations(chain[-1]) if part.get_name() not in self.names]
                if waiting:
                    chain.append(waiting[0])
                else:
                    self._emit(chain.pop())
        return self.names[node.get_name()]

    def _emit(self, node) -> None:
        kind = node.get_type_name()
        if kind not in self.emitters:
            raise BadModel(f"Cannot write the operation {kind} as ONNX. Covered: {', '.join(self.emitters)}.")
        self.emitters[kind](node)

    def _convolution(self, node, bias: np.ndarray | None = None, output=None) -> None:
        attributes = node.get_attributes()
        weights = constant(_argument(node, 1))
        groups = 1
        if node.get_type_name() == "GroupConvolution":
            groups, weights = len(weights), weights.reshape(-1, *weights.shape[2:])
        options = {"strides": list(attributes["strides"]), "dilations": list(attributes["dilations"])}
        if attributes["auto_pad"] in ("same_upper", "same_lower"):
            options["auto_pad"] = attributes["auto_pad"].upper()
        else:
            options["pads"] = [*attributes["pads_begin"], *attributes["pads_end"]]
        parameters = [self._constant(weights)] + ([] if bias is None else [self._constant(bias.reshape(-1))])
        self._node("Conv", output or node, [_argument(node, 0)], parameters, group=groups, **options)

    def _add(self, node) -> None:
        left, right = _argument(node, 0), _argument(node, 1)
        if (slope := prelu_slope(node)) is not None:
            relu = left if left.get_type_name() == "Relu" else right
            self._node("PRelu", node, [_argument(relu, 0)], [self._constant(slope.reshape(-1, 1, 1))])
        elif right.get_type_name() == "Constant":
            if not left.get_type_name().endswith("Convolution"):
                raise BadModel(
                    f"Expected a constant to be added to a convolution, not to {left.get_type_name()}."
                )
            self._convolution(left, constant(right), node)
        else:
            self._node("Add", node, [left, right])

    def _transpose(self, node) -> None:
        order = [int(axis) for axis in constant(_argument(node, 1))]
        self._node("Transpose", node, [_argument(node, 0)], perm=order)

    def _reshape(self, node) -> None:
        target = np.array([-1, *node.get_output_shape(0)[1:]], np.int64)
        self._node("Reshape", node, [_argument(node, 0)], [self._constant(target)])

    def _node(self, kind: str, node, arguments: list, parameters=(), **attributes) -> None:
        name = f"tensor_{len(self.names)}"
        inputs = [self.names[argument.get_name()] for argument in arguments]
        self.nodes.append(helper.make_node(kind, [*inputs, *parameters], [name], **attributes))
        self.names[node.get_name()] = name

    def _constant(self, values: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def prelu_slope(add) -> np.ndarray | None:
    """2c where ``add`` is relu(x) + c (x - |x|) with a constant c, else None."""
    parts = {part.get_type_name(): part for part in (_argument(add, 0), _argument(add, 1))}
    if set(parts) != {"Relu", "Multiply"}:
        return None
    factors = [_argument(parts["Multiply"], i) for i in (0, 1)]
    differences = [factor for factor in factors if factor.get_type_name() == "Subtract"]
    scales = [factor for factor in factors if factor.get_type_name() == "Constant"]
    if len(differences) != 1 or len(scales) != 1:
        return None
    x, magnitude = _argument(differences[0], 0), _argument(differences[0], 1)
    of_x = magnitude.get_type_name() == "Abs" and _argument(magnitude, 0).get_name() == x.get_name()
    same = of_x and _argument(parts["Relu"], 0).get_name() == x.get_name()
    return 2 * constant(scales[0]) if same else None


def constant(node) -> np.ndarray:
    """The values of a Constant node.

    Raises:
        BadModel: it is another operation.
    """
    if node.get_type_name() != "Constant":
        raise BadModel(f"Expected a constant, not the operation {node.get_type_name()}.")
    return node.data


def _activations(node) -> list:
    """The nodes whose tensors ``node`` will read once fused: not its constants, bias or decomposed PReLU."""
    if node.get_type_name() == "Add":
        left, right = _argument(node, 0), _argument(node, 1)
        if prelu_slope(node) is not None:
            return [_argument(left if left.get_type_name() == "Relu" else right, 0)]
        if right.get_type_name() == "Constant" and left.get_type_name().endswith("Convolution"):
            return [_argument(left, 0)]
    arguments = [_argument(node, i) for i in range(node.get_input_size())]
    return [argument for argument in arguments if argument.get_type_name() != "Constant"]


def _argument(node, index: int):
    return node.input_value(index).get_node()


def _free_batch(node) -> list:
    return ["n", *(int(size) for size in list(node.get_output_shape(0))[1:])]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="what OpenVINO reads: .tflite, .onnx or .xml")
    parser.add_argument("output", type=Path, help="the ONNX file to write")
    arguments = parser.parse_args()
    converted = convert(openvino.Core().read_model(arguments.model))
    onnx.save(converted, arguments.output)


if __name__ == "__main__":
    run_command(main)
