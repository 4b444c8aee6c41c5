"""What a lower precision does to a network's output, on CPUs that have no arithmetic of that precision."""

import numpy as np
import openvino
from openvino import opset13 as opset

from networks.engines.openvino import prepare

PRODUCTS = ("Convolution", "GroupConvolution", "MatMul")
SIGNIFICAND = {"bf16": 8, "f16": 11}  # bits, the leading one included; float32 has 24


def rounded(path, precision: str, x: np.ndarray) -> np.ndarray:
    """The output of a network whose every product takes operands rounded to ``precision`` and is summed in float32.

    That is what the bf16 and f16 instructions of CPUs do.

    Args:
        path: of the network.
        precision: "bf16", "f16", or "f32" for no rounding.
        x: its input.
    """
    graph = prepare(path)
    for node in graph.get_ordered_ops():
        if node.get_type_name() in PRODUCTS and precision != "f32":
            for port in node.inputs():
                port.replace_source_output(_round(port.get_source_output(), SIGNIFICAND[precision]))
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([x])[0].copy()


def _round(value: openvino.Output, bits: int) -> openvino.Output:
    """Veltkamp's splitting: c - (c - x) with c = (2^k + 1) x drops the last k bits. OpenVINO would remove a pair of
    Convert; the limits of f16's exponent are not imitated."""
    scaled = opset.multiply(value, opset.constant(np.float32(2 ** (24 - bits) + 1)))
    return opset.subtract(scaled, opset.subtract(scaled, value)).output(0)
