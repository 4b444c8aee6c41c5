"""A graph of OpenVINO as the few kinds of nodes that backbones are made of."""

import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openvino as ov

import networks.engines  # noqa: F401  blocks OpenVINO's telemetry
from common.errors import BadModel
from networks.engines.rewrites import constant, fuse_prelu, is_constant
from networks.importing.weights import Norm

RESHAPING = {"Reshape", "Squeeze", "Unsqueeze", "Transpose", "Convert"}
ARITHMETIC = {"Add", "Subtract", "Multiply", "Divide"}
KINDS = {
    "PRelu": "prelu",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "MaxPool": "pool",
    "ReduceMean": "mean",
    "AvgPool": "mean",
    "Add": "add",
    "Multiply": "multiply",
    "Parameter": "input",
}
INPUTS = {"add": 2, "multiply": 2, "input": 0}  # of data; others have one


@dataclass
class FileNode:
    """One node; what it is computed from are values (outputs of operations).

    Attributes:
        kind: "linear" (convolution or matrix, with all that is added and multiplied behind it), "norm", or as in KINDS.
        inputs: the values it reads.
        kernel: of "linear", ``[rows, columns, inputs, outputs]``.
        steps: of "linear" and "norm": what follows, innermost first.
        normalised: whether the last step is a batch normalisation, whose statistics are known.
        slope: of "prelu".
    """

    kind: str
    inputs: list[ov.Output]
    kernel: np.ndarray | None = None
    steps: list[Norm] = field(default_factory=list)
    normalised: bool = False
    slope: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of the kernel."""
        return None if self.kernel is None else self.kernel.shape


class FileGraph:
    """A network of one input and one output.

    Raises:
        BadModel: not readable, or of another form.
    """

    def __init__(self, path: Path):
        self.where = str(path)
        try:
            self._graph = ov.Core().read_model(path)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1][:200]
            raise BadModel(f"{path} is not a network that OpenVINO can read ({reason}).") from None
        if len(self._graph.inputs) != 1 or len(self._graph.outputs) != 1:
            raise BadModel(f"{path} must have one input and one output to be a backbone.")
        fuse_prelu(self._graph)
        self.output = self._graph.get_results()[0].input_value(0)
        self._nodes: dict[tuple, FileNode] = {}

    def key(self, value: ov.Output) -> tuple:
        """What tells a value from others."""
        value = _source(value)
        return (value.get_node().get_name(), value.get_index())

    def node(self, value: ov.Output) -> FileNode:
        """The node that computes a value.

        Raises:
            BadModel: an operation that no backbone has.
        """
        key = self.key(value)
        if key not in self._nodes:
            self._nodes[key] = self._read(value)
        return self._nodes[key]

    def nodes(self) -> list[FileNode]:
        """All nodes, from the output on."""
        found, waiting = {}, [self.output]
        while waiting:
            value = waiting.pop()
            if self.key(value) not in found:
                found[self.key(value)] = node = self.node(value)
                waiting += node.inputs
        return list(found.values())

    def counts(self) -> Counter:
        """``sums`` of two maps, and squeeze and excitation ``gates``."""
        kinds = Counter(node.kind for node in self.nodes())
        return Counter(sums=kinds["add"], gates=kinds["sigmoid"])

    def stem_channels(self) -> int:
        """Channels of the convolution that reads the input."""
        for node in self.nodes():
            if node.kind == "linear" and self.node(node.inputs[0]).kind == "input":
                return node.kernel.shape[-1]
        raise BadModel(f"{self.where} does not begin with a convolution.")

    def embedding_shape(self) -> tuple[int, int]:
        """Of the matrix that makes the embedding: (numbers it is made of, its length)."""
        last = self.node(self.output)
        if last.kind != "linear":
            raise BadModel(f"{self.where} does not end in a matrix, as backbones do.")
        return last.kernel.shape[-2:]

    def input_size(self) -> tuple[int, int]:
        """(height, width) of the input."""
        sides = list(self._graph.inputs[0].get_partial_shape())
        if len(sides) != 4 or any(side.is_dynamic for side in sides[1:]):
            raise BadModel(
                f"{self.where} must take faces of one size, not {self._graph.inputs[0].get_partial_shape()}."
            )
        sides = [side.get_length() for side in sides[1:]]
        return tuple(sides[1:] if sides[0] == 3 else sides[:2])

    def run(self, faces: np.ndarray) -> np.ndarray:
        """Outputs for float32 ``[n, h, w, 3]``, in float32 arithmetic."""
        compiled = ov.Core().compile_model(self._graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        sides = list(self._graph.inputs[0].get_partial_shape())
        if sides[1].is_static and sides[1].get_length() == 3:
            faces = faces.transpose(0, 3, 1, 2)
        batch = sides[0].get_length() if sides[0].is_static else len(faces)
        rows = []
        for start in range(0, len(faces), batch):
            part = np.resize(faces[start : start + batch], (batch, *faces.shape[1:]))
            rows.append(next(iter(compiled([np.ascontiguousarray(part)]).values())))
        return np.concatenate(rows)[: len(faces)].reshape(len(faces), -1)

    def _read(self, value: ov.Output) -> FileNode:
        steps, value, normalised = _steps(value)
        operation = value.get_node()
        kind = operation.get_type_name()
        if kind in ("Convolution", "GroupConvolution", "MatMul"):
            return FileNode("linear", [operation.input_value(0)], _kernel(operation), steps, normalised)
        if steps:
            return FileNode("norm", [value], steps=steps, normalised=normalised)
        if kind not in KINDS:
            raise BadModel(f"{self.where} holds the operation {kind}, which none of the backbones has.")
        slope = _vector(operation.input_value(1)) if kind == "PRelu" else None
        if kind == "PRelu" and slope is None:
            raise BadModel(f"{self.where} computes the slopes of a PReLU; they must be constants.")
        count = INPUTS.get(KINDS[kind], 1)
        return FileNode(KINDS[kind], [operation.input_value(i) for i in range(count)], slope=slope)


def _source(value: ov.Output) -> ov.Output:
    """The value behind operations that only change a layout, or nothing."""
    while value.get_node().get_type_name() in RESHAPING or _is_empty_pool(value.get_node()):
        value = value.get_node().input_value(0)
    return value


def _is_empty_pool(operation: ov.Node) -> bool:
    """Whether it is a max-pool of single pixels without a stride: the shortcuts of IR are written so."""
    if operation.get_type_name() != "MaxPool":
        return False
    attributes = operation.get_attributes()
    return set(attributes["kernel"]) == {1} and set(attributes["strides"]) == {1}


def _steps(value: ov.Output) -> tuple[list[Norm], ov.Output, bool]:
    """What is done per channel up to ``value``, innermost first; to what; whether a normalisation comes last."""
    steps, kinds = [], []
    while True:
        value = _source(value)
        operation = value.get_node()
        kind = operation.get_type_name()
        found = _normalisation(operation) if kind == "BatchNormInference" else _arithmetic(operation, kind)
        if found is None:
            return steps[::-1], value, bool(kinds) and kinds[0] == "BatchNormInference"
        step, value = found
        steps.append(step)
        kinds.append(kind)


def _normalisation(operation: ov.Node) -> tuple[Norm, ov.Output] | None:
    vectors = [_vector(operation.input_value(i)) for i in range(1, 5)]
    if any(vector is None for vector in vectors):
        return None
    return Norm(*vectors, operation.get_attributes()["epsilon"]), operation.input_value(0)


def _arithmetic(operation: ov.Node, kind: str) -> tuple[Norm, ov.Output] | None:
    """Adding or multiplying by constants, as a normalisation that does the same."""
    if kind not in ARITHMETIC:
        return None
    for index in (1, 0) if kind in ("Add", "Multiply") else (1,):
        vector = _vector(operation.input_value(index))
        if vector is not None:
            one, zero = np.ones_like(vector), np.zeros_like(vector)
            scale = {"Multiply": vector, "Divide": 1 / vector}.get(kind, one)
            shift = {"Add": vector, "Subtract": -vector}.get(kind, zero)
            return Norm(scale, shift, zero, one, 0.0), operation.input_value(1 - index)
    return None


def _vector(value: ov.Output) -> np.ndarray | None:
    """A constant per channel as float64, however it is reshaped: OpenVINO reshapes biases by the shape of the map."""
    operation = value.get_node()
    if is_constant(operation):
        return np.float64(constant(operation)).reshape(-1)
    source = _source(value).get_node()
    return np.float64(source.data).reshape(-1) if source.get_type_name() == "Constant" else None


def _kernel(operation: ov.Node) -> np.ndarray:
    """``[rows, columns, inputs of a group, outputs]``, float64."""
    weights = operation.input_value(1).get_node()
    if not is_constant(weights):
        raise BadModel(f"The weights of {operation.get_friendly_name()} are computed; they must be constants.")
    kernel = np.float64(constant(weights))
    kind = operation.get_type_name()
    if kind == "MatMul":
        if kernel.ndim != 2 or operation.get_attributes()["transpose_a"]:
            raise BadModel(f"{operation.get_friendly_name()} is not a plain product with a matrix.")
        return (kernel.T if operation.get_attributes()["transpose_b"] else kernel)[None, None]
    if kind == "GroupConvolution":
        kernel = kernel.reshape(math.prod(kernel.shape[:2]), *kernel.shape[2:])
    if kernel.ndim != 4:
        raise BadModel(f"{operation.get_friendly_name()} is not a convolution of pictures.")
    return kernel.transpose(2, 3, 1, 0)
