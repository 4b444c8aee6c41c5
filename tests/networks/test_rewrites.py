"""Rewritten graphs must answer what the untouched ones answer; what only looks alike must stay as it is."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from networks.engines import rewrites

ROOT = Path(__file__).parents[2]


def run(graph, *inputs):
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # CPUs with bf16 would use it unasked
    return list(ov.Core().compile_model(graph, "CPU", exact)(list(inputs)).values())


def types(graph):
    return [node.get_type_name() for node in graph.get_ordered_ops()]


def subtracted(x, slope):
    """relu(x) + c (x - |x|): the slope is 2 c."""
    return op.add(op.relu(x), op.multiply(op.constant(slope / 2), op.subtract(x, op.absolute(x))))


def negated(x, slope):
    """relu(x) + c (-relu(-x)): the slope is c."""
    return op.add(op.relu(x), op.multiply(op.negative(op.relu(op.negative(x))), op.constant(slope)))


def graph_of(build, shape=(2, 6, 4, 5)):
    x = op.parameter(list(shape), np.float32)
    return ov.Model([build(x).output(0)], [x])


def slopes(shape):
    return np.random.default_rng(1).uniform(-2, 2, shape).astype(np.float32)  # of both signs


@pytest.mark.parametrize("form", [subtracted, negated])
@pytest.mark.parametrize(
    ("shape", "slope"),
    [
        ((2, 6, 4, 5), (1, 6, 1, 1)),
        ((2, 6, 4, 5), (6, 1, 1)),
        ((2, 6, 4, 5), (1,)),
        ((2, 6, 4, 5), ()),
        ((3, 6), (6,)),
    ],
)
def test_decomposed_prelu_becomes_one_operation_of_the_same_answer(form, shape, slope):
    graph = graph_of(lambda x: form(x, slopes(slope)), shape)
    x = np.random.default_rng(0).normal(0, 3, shape).astype(np.float32)
    expected = np.where(x > 0, x, x * slopes(slope))
    np.testing.assert_allclose(run(graph, x)[0], expected, rtol=1e-5, atol=1e-6)
    assert rewrites.fuse_prelu(graph) == 1
    assert types(graph).count("PRelu") == 1 and "Abs" not in types(graph) and "Relu" not in types(graph)
    np.testing.assert_allclose(run(graph, x)[0], expected, rtol=1e-5, atol=1e-6)


def test_a_slope_behind_constant_operations_is_found():
    """TFLite files hang Convert and Transpose behind their constants."""

    def build(x):
        slope = op.transpose(
            op.convert(op.constant(slopes((1, 1, 1, 6)).astype(np.float16)), "f32"), [0, 3, 1, 2]
        )
        return op.add(op.relu(x), op.multiply(slope, op.subtract(x, op.absolute(x))))

    graph, x = graph_of(build), np.random.default_rng(0).normal(size=(2, 6, 4, 5)).astype(np.float32)
    expected = run(graph, x)[0]
    assert rewrites.fuse_prelu(graph) == 1
    np.testing.assert_allclose(run(graph, x)[0], expected, rtol=1e-4, atol=1e-5)


C = slopes((1, 6, 1, 1))
LOOK_ALIKES = {
    "slope varies along the width": lambda x: subtracted(x, slopes((1, 1, 1, 5))),
    "slope varies along the width, one dimension": lambda x: negated(x, slopes((5,))),
    "slope of every place": lambda x: negated(x, slopes((6, 4, 5))),
    "slope depends on the picture": lambda x: op.add(
        op.relu(x),
        op.multiply(op.reduce_mean(x, op.constant([1, 2, 3]), True), op.subtract(x, op.absolute(x))),
    ),
    "absolute value of another": lambda x: op.add(
        op.relu(x), op.multiply(op.constant(C), op.subtract(x, op.absolute(op.sin(x))))
    ),
    "relu of another": lambda x: op.add(
        op.relu(op.sin(x)), op.multiply(op.constant(C), op.subtract(x, op.absolute(x)))
    ),
    "operands exchanged": lambda x: op.add(
        op.relu(x), op.multiply(op.constant(C), op.subtract(op.absolute(x), x))
    ),
    "not negated inside": lambda x: op.add(
        op.relu(x), op.multiply(op.constant(C), op.negative(op.relu(op.sin(x))))
    ),
    "plus instead of minus": lambda x: op.add(
        op.relu(x), op.multiply(op.constant(C), op.add(x, op.absolute(x)))
    ),
    "two relus": lambda x: op.add(op.relu(x), op.relu(op.negative(x))),
}


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_what_looks_like_a_prelu_and_is_none_keeps_its_answer(name):
    graph, x = (
        graph_of(LOOK_ALIKES[name]),
        np.random.default_rng(0).normal(size=(2, 6, 4, 5)).astype(np.float32),
    )
    expected, before = run(graph, x)[0], types(graph)
    assert rewrites.fuse_prelu(graph) == 0
    assert types(graph) == before
    np.testing.assert_array_equal(run(graph, x)[0], expected)


def test_a_slope_that_widens_one_channel_to_several_stays():
    graph, x = graph_of(lambda x: negated(x, C), (2, 1, 4, 5)), np.ones((2, 1, 4, 5), np.float32)
    expected = run(graph, -x)[0]
    assert rewrites.fuse_prelu(graph) == 0
    np.testing.assert_array_equal(run(graph, -x)[0], expected)


def test_half_precision_graphs_stay():
    x = op.parameter([2, 6, 4, 5], np.float16)
    graph = ov.Model([negated(x, C.astype(np.float16)).output(0)], [x])
    assert rewrites.fuse_prelu(graph) == 0


def convolution(x, outputs, inputs, side=1, stride=1, pad=0, bias=None, seed=0):
    random = np.random.default_rng(seed)
    kernel = random.normal(0, 0.5, (outputs, inputs, side, side)).astype(np.float32)
    y = op.convolution(x, op.constant(kernel), [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
    bias = (1, outputs, 1, 1) if bias is None else bias
    return op.add(y, op.constant(random.normal(0, 0.5, bias).astype(np.float32))) if bias else y


def test_two_linear_pointwise_convolutions_become_one_of_the_same_answer():
    graph = graph_of(lambda x: convolution(convolution(x, 12, 6, seed=1), 5, 12, seed=2))
    x = np.random.default_rng(3).normal(size=(2, 6, 4, 5)).astype(np.float32)
    expected = run(graph, x)[0]
    assert rewrites.merge_linear_convolutions(graph) == 1
    assert types(graph).count("Convolution") == 1
    np.testing.assert_allclose(run(graph, x)[0], expected, rtol=1e-4, atol=1e-5)


def twice_used(x):
    first = convolution(x, 12, 6, seed=1)
    return op.add(convolution(first, 12, 12, seed=2), first)


STAY_TWO = {
    "activation between": lambda x: convolution(op.relu(convolution(x, 12, 6)), 5, 12),
    "merging would cost more": lambda x: convolution(convolution(x, 2, 6), 20, 2),
    "the first is read twice": twice_used,
    "the second looks at its neighbours": lambda x: convolution(convolution(x, 12, 6), 5, 12, side=3),
    "the first looks at its neighbours": lambda x: convolution(convolution(x, 12, 6, side=3), 5, 12),
    "the first skips pixels": lambda x: convolution(convolution(x, 12, 6, stride=2), 5, 12),
    "the second skips pixels": lambda x: convolution(convolution(x, 12, 6), 5, 12, stride=2),
    "padding sees no bias": lambda x: convolution(convolution(x, 12, 6), 5, 12, pad=1),
    "bias of every place": lambda x: convolution(convolution(x, 12, 6, bias=(1, 12, 4, 5)), 5, 12),
    "bias of one number": lambda x: convolution(convolution(x, 12, 6, bias=(1, 1, 1, 1)), 5, 12),
}


@pytest.mark.parametrize("name", STAY_TWO)
def test_convolutions_that_may_not_be_merged_keep_their_answer(name):
    graph = graph_of(STAY_TWO[name])
    x = np.random.default_rng(3).normal(size=(2, 6, 4, 5)).astype(np.float32)
    expected = run(graph, x)[0]
    assert rewrites.merge_linear_convolutions(graph) == 0
    assert types(graph).count("Convolution") == 2
    np.testing.assert_array_equal(run(graph, x)[0], expected)


def baked(target):
    """A graph that flattens 2 inputs by a Reshape to a constant shape."""

    def build(x):
        flat = op.reshape(x, op.constant(np.array(target)), False)
        return op.matmul(flat, op.constant(slopes((target[-1], 3))), False, False)

    return graph_of(build)


def test_a_batch_baked_into_a_reshape_is_freed():
    fixed, graph = baked([2, 120]), baked([2, 120])
    assert rewrites.free_batch(graph)
    assert graph.outputs[0].get_partial_shape()[0].is_dynamic
    x = np.random.default_rng(0).normal(size=(5, 6, 4, 5)).astype(np.float32)
    rows = np.concatenate([run(fixed, np.stack([row, row]))[0][:1] for row in x])
    np.testing.assert_allclose(run(graph, x)[0], rows, rtol=1e-5, atol=1e-5)


def test_a_graph_that_mixes_its_batch_is_not_freed():
    assert not rewrites.free_batch(baked([240]))
    assert not rewrites.free_batch(baked([1, 240]))


def test_a_free_batch_stays_free():
    graph = graph_of(op.relu, (-1, 6, 4, 5))
    assert rewrites.free_batch(graph)


def test_direct_kernels_are_only_a_wish(tmp_path):
    graph = graph_of(lambda x: op.relu(convolution(x, 5, 6, side=3)), (-1, 6, 8, 9))
    x = np.random.default_rng(0).normal(size=(3, 6, 8, 9)).astype(np.float32)
    wished = rewrites.with_direct_kernels(graph)
    assert types(wished).count("Convolution") == 1
    np.testing.assert_allclose(run(wished, x)[0], run(graph, x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("known", [False, True], ids=["no folder", "a folder"])
def test_where_no_file_can_be_written_the_graph_stays_as_it_is(known):
    code = f"""
import resource, tempfile
from tests.networks.test_rewrites import convolution, graph_of, rewrites
graph = graph_of(lambda x: convolution(x, 5, 6, side=3), (-1, 6, 8, 9))
if {known}:
    tempfile.gettempdir()
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
assert rewrites.with_direct_kernels(graph) is graph
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("slower")) == (0, 1), done.stderr


@pytest.mark.skipif(cv2.checkHardwareSupport(13) or not cv2.checkHardwareSupport(11), reason="kernels of AVX2 CPUs")
@pytest.mark.parametrize(("channels", "side", "direct"), [(3, 3, True), (16, 3, True), (64, 1, True), (64, 3, False)])
def test_narrow_and_pointwise_convolutions_run_on_direct_kernels(channels, side, direct):
    graph = graph_of(lambda x: op.relu(convolution(x, 32, channels, side=side)), (1, channels, 20, 20))
    compiled = ov.Core().compile_model(rewrites.with_direct_kernels(graph), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    kernels = [node.get_rt_info()["primitiveType"].astype(str) for node in compiled.get_runtime_model().get_ops()]
    assert any("brgconv" in kernel for kernel in kernels) != direct


@pytest.fixture(scope="module")
def mobilefacenet(mobilefacenet_files):
    return mobilefacenet_files["model"]


@pytest.mark.parametrize("count", range(1, 10))
def test_mobilefacenet_answers_what_the_untouched_file_answers(mobilefacenet, rewritten, count):
    graph, untouched = rewritten
    x = np.random.default_rng(count).uniform(-1, 1, (count, 112, 112, 3)).astype(np.float32)
    pairs = [np.stack([row, row]) for row in x]  # the file takes two at a time
    expected = np.concatenate([untouched([pair])[0][:1] for pair in pairs])
    found = graph([x])[0]
    assert found.shape == (count, 192)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosine.min() > 0.9999


@pytest.fixture(scope="module")
def rewritten(mobilefacenet):
    core = ov.Core()
    graph = core.read_model(mobilefacenet)
    assert rewrites.fuse_prelu(graph) == 33
    assert rewrites.merge_linear_convolutions(graph) == 2
    assert rewrites.free_batch(graph)
    assert not {"Abs", "Relu"} & set(types(graph))
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return core.compile_model(graph, "CPU", exact), core.compile_model(
        core.read_model(mobilefacenet), "CPU", exact
    )


TWO_FIRST_USERS = """
import os, sys, threading
sys.setswitchinterval(1e-6)
from networks.engines.rewrites import constant
from openvino import Shape, Type
from openvino.op import Constant
nodes = [Constant(Type.f32, Shape([3]), [1.0, 2.0, 3.0]) for _ in range(2)]
together = threading.Barrier(2)
def use(node):
    together.wait()
    assert constant(node).tolist() == [1, 2, 3]
threads = [threading.Thread(target=use, args=(node,)) for node in nodes]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_two_networks_that_are_loaded_at_once_do_not_hang():
    for _ in range(4):  # without the array made at import, three of four such processes hung
        command = [sys.executable, "-c", TWO_FIRST_USERS]
        assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == 0
