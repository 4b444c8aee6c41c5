"""OpenVINO on the CPU: ONNX, TFLite, SavedModel and OpenVINO IR through one engine."""

import threading
from contextlib import nullcontext
from math import prod
from pathlib import Path

import cv2
import numpy as np
import openvino as ov

from common import cores
from common.errors import BadArgument, BadModel
from networks.engines import several
from networks.engines.preprocess import Preprocess
from networks.engines.rewrites import free_batch, fuse_prelu, merge_linear_convolutions, with_direct_kernels

PRECISIONS = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}
LARGEST_BATCH = 32
AVX_512F, AVX_512VNNI = 13, 23  # cv::CpuFeatures; OpenCV 5 has no Python names for them
# Without VNNI, OpenVINO 2026.4 adds 8-bit products up in 16 bits, which cuts large sums off: a quantised network gave
# cosines down to 0.994 with TensorFlow Lite's results. In float they are 0.9999998, if what goes into a dense layer
# with 8-bit weights is not rounded anew by the piece of 32, as it is on some CPUs: 8 % of outputs were a step off.
IN_FLOAT = {"LP_TRANSFORMS_MODE": False, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
# Calls that use all cores take turns: at the same time, two wait for each other's threads. With many callers each gets
# a copy of the network that uses one. How many are many on more than 2 cores is a guess: there was no such machine.
_ALL_CORES = threading.Lock()
_CALLERS = several.Callers(max(2, cores.usable() // 4))
ONE_CORE = {"INFERENCE_NUM_THREADS": 1}
# OpenVINO ties threads to cores, the first one to the first core in each network and process: two processes of one
# thread each then share a core, and the other one has nothing to do.
NOT_TIED = {"ENABLE_CPU_PINNING": False}
MOST_COPIES = 16  # each takes 0.2 s to make, of all four networks that find and recognise
MOST_COPIED = 256 * 2**20  # bytes of weights, in all copies of a network
# From inputs of so many bytes on, what was reserved for them is given back: three photos of 49 megapixels left 1074 MB,
# and leave 400. A photo of 12 has inputs of 7 MB.
LARGE = 16 * 2**20


class OpenVINOEngine:
    """Runs one network; safe to call from several threads at once, see ``several.py``.

    A batch is cut into pieces of 32: OpenVINO prepares its kernels anew for every shape it has not seen (10 ms for
    R-Net, 2 cores), and this way there are at most 32 shapes. Larger pieces were not faster.

    Args:
        model: path of an ``.onnx``, ``.tflite``, ``.xml`` or SavedModel folder, or a graph already read.
        preprocess: when given, the engine takes uint8 BGR pictures ``[n, h, w, 3]``; otherwise what the graph takes.
        threads: CPU threads; None lets OpenVINO choose (all cores).
        precision: arithmetic, "f32", or "bf16"/"f16" where the CPU has it.
        batched: whether the first dimension counts independent inputs; False runs every call in one piece.

    Raises:
        BadModel: not a network that OpenVINO can read.
        BadArgument: a precision that this CPU does not have.
    """

    def __init__(
        self,
        model: str | Path | ov.Model,
        *,
        preprocess: Preprocess | None = None,
        threads: int | None = None,
        precision: str = "f32",
        batched: bool = True,
    ):
        core = ov.Core()
        settings = _settings(core, threads, precision)
        graph = prepare(model) if not isinstance(model, ov.Model) else model
        if preprocess:
            graph = _take_pictures(graph, preprocess)
        if not cv2.checkHardwareSupport(AVX_512VNNI) and _is_quantised(graph):
            settings |= IN_FLOAT
        if not cv2.checkHardwareSupport(AVX_512F):
            graph = with_direct_kernels(graph)
        first = graph.inputs[0].get_partial_shape()[0]
        self._fixed_batch = first.get_length() if first.is_static else None
        self._batched = batched
        self._whole = _Compiled(core, graph, settings)
        self._turn = _ALL_CORES if threads is None else threading.Lock()
        self._callers = _CALLERS if threads is None else nullcontext()
        copies = _copies(graph) if threads is None else 0
        self._copies = several.Copies(lambda: _Compiled(core, graph, settings | ONE_CORE), copies) if copies else None
        inputs, outputs = self._whole.network.inputs, self._whole.network.outputs
        self.output_names = [port.any_name if port.names else str(i) for i, port in enumerate(outputs)]
        self.input_shapes = [_shape(port.get_partial_shape()) for port in inputs]
        self.output_shapes = [_shape(port.get_partial_shape()) for port in outputs]

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Run on arrays that share their first dimension; returns the outputs in the graph's order."""
        if not self._batched:
            return self._infer(inputs)
        count = len(inputs[0])
        if count == 0:  # pooling refuses an empty batch
            return [np.zeros((0, *(side or 0 for side in shape[1:])), np.float32) for shape in self.output_shapes]
        if self._fixed_batch:
            return self._in_fixed_batches(inputs, count)
        starts = range(0, count, LARGEST_BATCH)
        parts = [self._infer([x[start : start + LARGEST_BATCH] for x in inputs]) for start in starts]
        return parts[0] if len(parts) == 1 else [np.concatenate(outputs) for outputs in zip(*parts)]

    def _in_fixed_batches(self, inputs, count: int) -> list[np.ndarray]:
        size, parts = self._fixed_batch, []
        for start in range(0, count, size):
            pieces = [x[start : start + size] for x in inputs]
            missing = size - len(pieces[0])
            padded = [np.concatenate([x, np.zeros((missing, *x.shape[1:]), x.dtype)]) for x in pieces]
            parts.append([output[: size - missing] for output in self._infer(padded)])
        return [np.concatenate(outputs) for outputs in zip(*parts)]

    def _infer(self, inputs) -> list[np.ndarray]:
        inputs = [np.ascontiguousarray(x) for x in inputs]
        is_large = sum(x.nbytes for x in inputs) >= LARGE
        with self._callers:
            if self._copies and not is_large and self._callers.are_many:
                with self._copies.one() as copy:
                    return copy(inputs)
            with self._turn:
                outputs = self._whole(inputs)
                if is_large:
                    self._whole.network.release_memory()
                return outputs


class _Compiled:
    """A network compiled for some number of threads, for one call at a time.

    It has one request: with one for each calling thread OpenVINO 2026.4 crashed, once in 130 runs.
    """

    def __init__(self, core: ov.Core, graph: ov.Model, settings: dict):
        self.network = core.compile_model(graph, "CPU", settings)
        self._request = self.network.create_infer_request()

    def __call__(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        self._request.infer(inputs, share_inputs=True)
        return [tensor.data.copy() for tensor in self._request.output_tensors]


def _copies(graph: ov.Model) -> int:
    """How many there may be on one core each: one for each core, up to 16, unless that takes too much memory."""
    weights = sum(_bytes(node) for node in graph.get_ordered_ops() if node.get_type_name() == "Constant")
    count = min(cores.usable(), MOST_COPIES)
    return count if count > 1 and count * weights <= MOST_COPIED else 0


def _bytes(constant: ov.Node) -> int:
    return constant.get_output_element_type(0).size * prod(constant.get_output_shape(0))


def prepare(model: str | Path) -> ov.Model:
    """Read a network and give it the form that runs fastest, with a free batch where its graph allows one."""
    graph = _read(model)
    _simplify(graph)
    if not free_batch(graph):
        graph = _read(model)
        _simplify(graph)
    return graph


def _is_quantised(graph: ov.Model) -> bool:
    return any(node.get_type_name() == "FakeQuantize" for node in graph.get_ordered_ops())


def _simplify(graph: ov.Model) -> None:
    fuse_prelu(graph)
    merge_linear_convolutions(graph)


def _read(model: str | Path) -> ov.Model:
    if not Path(model).exists():
        raise BadModel(f"No such model: {model}")
    try:
        return ov.Core().read_model(model)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise BadModel(f"{model} is not a network that OpenVINO can read ({reason}).") from None


def _settings(core: ov.Core, threads: int | None, precision: str) -> dict:
    if precision not in PRECISIONS:
        raise BadArgument(f"Unknown precision {precision!r}. Expected one of: {', '.join(PRECISIONS)}.")
    if threads is not None and (type(threads) is not int or threads < 1):
        raise BadArgument(f"threads must be a positive whole number, not {threads!r}.")
    offered = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if PRECISIONS[precision] not in offered:
        raise BadArgument(
            f"This CPU has no {precision} arithmetic (it offers: {', '.join(offered)}). Use precision='f32'."
        )
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision} | NOT_TIED
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def _take_pictures(graph: ov.Model, preprocess: Preprocess) -> ov.Model:
    shape = graph.inputs[0].get_partial_shape()
    channels_first = len(shape) == 4 and shape[1].is_static and shape[1].get_length() == 3
    steps = ov.preprocess.PrePostProcessor(graph)
    tensor = steps.input(0).tensor()
    tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.set_color_format(ov.preprocess.ColorFormat.BGR)
    steps.input(0).model().set_layout(ov.Layout("NCHW" if channels_first else "NHWC"))
    process = steps.input(0).preprocess().convert_element_type(ov.Type.f32)
    if preprocess.colour == "rgb":
        process.convert_color(ov.preprocess.ColorFormat.RGB)
    process.mean(float(preprocess.mean)).scale(float(preprocess.scale))
    return steps.build()


def _shape(shape: ov.PartialShape) -> tuple[int | None, ...]:
    return tuple(dimension.get_length() if dimension.is_static else None for dimension in shape)
