import numpy as np
import openvino
import pytest
from openvino import opset13 as opset

from common.errors import BadModel

onnx = pytest.importorskip("onnx", reason="onnx is installed in the peers' environment only")

from bench.to_onnx import convert  # noqa: E402 - it imports onnx

BATCH = 2


def weights(rng, *shape):
    return opset.constant(rng.standard_normal(shape).astype(np.float32) * 0.3)


def prelu(rng, x, channels):
    """PReLU as the TFLite converter writes it: relu(x) + c (x - |x|)."""
    scaled = opset.multiply(weights(rng, 1, channels, 1, 1), opset.subtract(x, opset.abs(x)))
    return opset.add(opset.relu(x), scaled)


def small_network(rng, tail=None):
    """Conv + bias + PReLU, depthwise conv, a residual sum, a transpose and a reshape batch baked in."""
    source = opset.parameter([BATCH, 8, 8, 3], np.float32, name="input")
    x = opset.transpose(source, opset.constant(np.array([0, 3, 1, 2])))
    x = opset.convolution(x, weights(rng, 6, 3, 3, 3), [2, 2], [0, 0], [1, 1], [1, 1], "same_upper")
    x = shortcut = prelu(rng, opset.add(x, weights(rng, 1, 6, 1, 1)), 6)
    x = opset.group_convolution(x, weights(rng, 6, 1, 1, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    x = opset.add(opset.add(x, weights(rng, 1, 6, 1, 1)), shortcut)
    x = opset.convolution(x, weights(rng, 5, 6, 4, 4), [1, 1], [0, 0], [0, 0], [1, 1])
    x = opset.transpose(x, opset.constant(np.array([0, 2, 3, 1])))
    x = opset.reshape(x, opset.constant(np.array([BATCH, 5])), False)
    return openvino.Model([(tail(x) if tail else x).output(0)], [source])


def run_openvino(model, x):
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    return next(iter(openvino.Core().compile_model(model, "CPU", settings)([x]).values()))


def test_converted_network_computes_the_same_for_any_batch():
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(5)
    model = small_network(rng)
    converted = convert(model)
    x = rng.standard_normal((4 * BATCH, 8, 8, 3)).astype(np.float32)
    expected = np.concatenate([run_openvino(model, x[i : i + BATCH]) for i in range(0, len(x), BATCH)])
    assert ReferenceEvaluator(converted).run(None, {"input": x})[0] == pytest.approx(expected, abs=1e-5)
    assert ReferenceEvaluator(converted).run(None, {"input": x[:1]})[0] == pytest.approx(
        expected[:1], abs=1e-5
    )


def test_biases_and_prelus_are_fused_into_one_operation_each():
    kinds = [node.op_type for node in convert(small_network(np.random.default_rng(1))).graph.node]
    assert kinds == ["Transpose", "Conv", "PRelu", "Conv", "Add", "Conv", "Transpose", "Reshape"]


def test_an_operation_that_is_not_covered_is_named():
    with pytest.raises(BadModel, match="Sigmoid"):
        convert(small_network(np.random.default_rng(1), opset.sigmoid))
