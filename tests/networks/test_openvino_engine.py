"""One engine for every file format, any batch and any number of threads."""

import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from common import cores as cores_of_machine
from common.errors import BadArgument, BadModel
from networks.engines import openvino, several
from networks.engines.openvino import OpenVINOEngine
from networks.engines.preprocess import Preprocess

ROOT = Path(__file__).parents[2]
RANDOM = np.random.default_rng(7)
KERNEL = RANDOM.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
DENSE = RANDOM.normal(0, 0.3, (4, 5)).astype(np.float32)


def by_hand(x):
    """float ``[n, 8, 6, 3]`` -> convolution, relu, mean over the picture, dense, in float64."""
    x = np.float64(x)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    y = np.maximum(np.einsum("nhwcij,ocij->nhwo", windows, KERNEL), 0)
    return y.mean((1, 2)) @ DENSE


def graph(batch=-1, channels_first=True):
    x = op.parameter([batch, 3, 8, 6] if channels_first else [batch, 8, 6, 3], np.float32, name="picture")
    y = x if channels_first else op.transpose(x, [0, 3, 1, 2])
    y = op.relu(op.convolution(y, op.constant(KERNEL), [1, 1], [0, 0], [0, 0], [1, 1]))
    y = op.matmul(op.reduce_mean(y, op.constant([2, 3])), op.constant(DENSE), False, False)
    return ov.Model([y.output(0)], [x])


def save_ir(path, **options):
    ov.save_model(graph(**options), path, compress_to_fp16=False)
    return path


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 6, 3), np.uint8)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 33, 71])
@pytest.mark.parametrize("batch", [-1, 1, 2, 8])
def test_any_batch_gives_what_the_formula_gives(tmp_path, count, batch):
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml", batch=batch))
    x = RANDOM.normal(size=(count, 3, 8, 6)).astype(np.float32)
    (found,) = engine(x)
    assert found.shape == (count, 5) and found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(x.transpose(0, 2, 3, 1)), rtol=1e-4, atol=1e-5)


def mixing(batch):
    """A network whose batch cannot be freed: its rows are counted in a Reshape across them."""
    x = op.parameter([batch, 6], np.float32)
    rows = op.reshape(
        op.reshape(x, op.constant(np.array([6 * batch])), False), op.constant(np.array([batch, 6])), False
    )
    return ov.Model(
        [op.matmul(rows, op.constant(np.eye(6, 4, dtype=np.float32)), False, False).output(0)], [x]
    )


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 33])
def test_a_batch_that_cannot_be_freed_is_filled_up(tmp_path, count):
    ov.save_model(mixing(3), tmp_path / "net.xml", compress_to_fp16=False)
    engine = OpenVINOEngine(tmp_path / "net.xml")
    x = RANDOM.normal(size=(count, 6)).astype(np.float32)
    np.testing.assert_allclose(engine(x)[0], x[:, :4], rtol=1e-6)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize(("mean", "scale"), [(127.5, 128), (0, 1), (100, 57.5), (0.0, 255)])
@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize("batch", [-1, 2])
def test_preprocessing_equals_numpy_s(tmp_path, colour, mean, scale, channels_first, batch):
    path = save_ir(tmp_path / "net.xml", channels_first=channels_first, batch=batch)
    engine = OpenVINOEngine(path, preprocess=Preprocess(colour, mean, scale))
    x = pictures(5)
    fed = (np.float64(x[..., ::-1] if colour == "rgb" else x) - mean) / scale
    np.testing.assert_allclose(engine(x)[0], by_hand(fed), rtol=2e-4, atol=1e-4)


def test_views_and_other_orders_in_memory_are_read_right(tmp_path):
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml"), preprocess=Preprocess("bgr", 0, 1))
    x = pictures(6)
    np.testing.assert_allclose(engine(x[:, :, ::-1])[0], by_hand(x[:, :, ::-1]), rtol=1e-3)
    np.testing.assert_allclose(engine(np.asfortranarray(x)[::2])[0], by_hand(x[::2]), rtol=1e-3)


def test_answers_stay_when_the_engine_runs_again(tmp_path):
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml"), preprocess=Preprocess("rgb", 0, 255))
    first = engine(pictures(4, seed=1))[0]
    copy = first.copy()
    engine(pictures(4, seed=2))
    np.testing.assert_array_equal(first, copy)


def test_onnx_loads(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx writes the file of this test: pip install onnx")
    from onnx import TensorProto, helper, numpy_helper

    weights = [numpy_helper.from_array(KERNEL, "kernel"), numpy_helper.from_array(DENSE, "dense")]
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "dense"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])
    model = helper.make_model(
        helper.make_graph(nodes, "net", [x], [y], weights),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.save(model, tmp_path / "net.onnx")
    found = OpenVINOEngine(tmp_path / "net.onnx", preprocess=Preprocess("rgb", 127.5, 128))(pictures(3))[0]
    np.testing.assert_allclose(
        found, by_hand((np.float64(pictures(3)[..., ::-1]) - 127.5) / 128), rtol=1e-4, atol=1e-5
    )


def test_tflite_loads(mobilefacenet_files):
    engine = OpenVINOEngine(mobilefacenet_files["model"], preprocess=Preprocess("rgb", 127.5, 128))
    assert engine.input_shapes == [(None, 112, 112, 3)] and engine.output_shapes == [(None, 192)]
    faces = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    together = engine(faces)[0]
    for face, row in zip(faces, together):
        np.testing.assert_allclose(engine(face[None])[0][0], row, rtol=1e-3, atol=1e-4 * np.abs(row).max())


@pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="TensorFlow writes SavedModels: pip install '.[train]'"
)
def test_saved_model_loads(tmp_path):
    script = """
import sys, numpy as np, tensorflow as tf
kernel, dense = np.load(sys.argv[1]).values()
class Net(tf.Module):
    def __init__(self):
        self.kernel, self.dense = tf.Variable(kernel.transpose(2, 3, 1, 0)), tf.Variable(dense)
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 6, 3], tf.float32)])
    def __call__(self, x):
        y = tf.nn.relu(tf.nn.conv2d(x, self.kernel, 1, "VALID"))
        return tf.reduce_mean(y, [1, 2]) @ self.dense
tf.saved_model.save(Net(), sys.argv[2])
"""
    np.savez(tmp_path / "weights.npz", KERNEL, DENSE)
    subprocess.run([sys.executable, "-c", script, tmp_path / "weights.npz", tmp_path / "net"], check=True)
    found = OpenVINOEngine(tmp_path / "net", preprocess=Preprocess("bgr", 127.5, 128))(pictures(3))[0]
    np.testing.assert_allclose(found, by_hand((np.float64(pictures(3)) - 127.5) / 128), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite", "net.xml"])
@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"<net></net>"])
def test_a_file_that_is_no_network_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadModel, match=name):
        OpenVINOEngine(tmp_path / name)


def test_a_truncated_network_is_refused(tmp_path, mobilefacenet_files):
    whole = mobilefacenet_files["model"].read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadModel, match="cut.tflite"):
        OpenVINOEngine(tmp_path / "cut.tflite")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadModel, match="No such model.*none.onnx"):
        OpenVINOEngine(tmp_path / "none.onnx")


def test_unknown_precision_lists_the_choices(tmp_path):
    with pytest.raises(BadArgument, match="'int4'.*f32, bf16, f16"):
        OpenVINOEngine(save_ir(tmp_path / "net.xml"), precision="int4")


def test_a_precision_runs_or_says_that_this_cpu_lacks_it(tmp_path):
    path, x = save_ir(tmp_path / "net.xml"), RANDOM.normal(size=(3, 3, 8, 6)).astype(np.float32)
    offered = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for precision in ("bf16", "f16"):
        if precision.upper().replace("F16", "FP16").replace("BFP16", "BF16") in offered:
            found = OpenVINOEngine(path, precision=precision)(x)[0]
            np.testing.assert_allclose(found, by_hand(x.transpose(0, 2, 3, 1)), rtol=0.1, atol=0.05)
        else:
            with pytest.raises(BadArgument, match=f"no {precision} arithmetic.*f32"):
                OpenVINOEngine(path, precision=precision)


@pytest.fixture
def noted(monkeypatch):
    """What computes: ``called`` in order, and ``most`` that were at it at the same time, in all and of each."""
    seen, inside, lock = SimpleNamespace(called=[], most=0, most_of_each=0), Counter(), threading.Lock()
    compute = openvino._Compiled.__call__

    def watched(self, inputs):
        with lock:
            inside[self] += 1
            seen.called.append(self)
            seen.most, seen.most_of_each = max(seen.most, inside.total()), max(seen.most_of_each, inside[self])
        time.sleep(0.004)
        outputs = compute(self, inputs)
        with lock:
            inside[self] -= 1
        return outputs

    monkeypatch.setattr(openvino._Compiled, "__call__", watched)
    return seen


@pytest.fixture
def cores(monkeypatch):
    """A function that gives the engines that are made from now on so many cores, and ends that callers are many."""

    def have(count, many=2):
        monkeypatch.setattr(openvino.cores, "usable", lambda: count)
        monkeypatch.setattr(openvino, "_CALLERS", several.Callers(many))

    return have


def at_once(engines, x, calls=40):
    """Eight threads call the engines in turn; their answers are right."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: engines[number % len(engines)](x)[0], range(calls)))
    for each in found:
        np.testing.assert_allclose(each, by_hand(x.transpose(0, 2, 3, 1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("threads", "engines"), [(None, 2), (1, 1)])
def test_calls_that_use_all_threads_take_turns(tmp_path, noted, cores, threads, engines):
    cores(2, many=99)
    made = [OpenVINOEngine(save_ir(tmp_path / "net.xml"), threads=threads) for _ in range(engines)]
    at_once(made, RANDOM.normal(size=(4, 3, 8, 6)).astype(np.float32))
    assert noted.most == 1


def test_callers_at_the_same_time_compute_on_one_core_each_and_a_lone_one_on_all(tmp_path, noted, cores, monkeypatch):
    monkeypatch.setattr(several, "SECONDS", 0.2)
    cores(3)
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml"))
    x = RANDOM.normal(size=(4, 3, 8, 6)).astype(np.float32)
    for _ in range(3):
        engine(x)
    assert set(noted.called) == {engine._whole}
    at_once([engine], x)
    copies = set(noted.called) - {engine._whole}
    assert 2 <= len(copies) <= 3 and noted.most_of_each == 1
    assert all(each.network.get_property("INFERENCE_NUM_THREADS") == 1 for each in copies)
    assert noted.called.count(engine._whole) < 3 + 10
    time.sleep(0.25)
    noted.called.clear()
    engine(x)
    assert noted.called == [engine._whole]


def test_large_pictures_are_computed_one_at_a_time(tmp_path, noted, cores, monkeypatch):
    monkeypatch.setattr(openvino, "LARGE", 4 * 3 * 8 * 6 * 4)
    cores(3)
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml"))
    at_once([engine], RANDOM.normal(size=(4, 3, 8, 6)).astype(np.float32))
    assert set(noted.called) == {engine._whole} and noted.most == 1


@pytest.mark.parametrize(("count", "most"), [(1, 2**30), (3, 3 * (KERNEL.nbytes + DENSE.nbytes))])
def test_on_one_core_and_of_heavy_networks_there_are_no_copies(tmp_path, noted, cores, monkeypatch, count, most):
    monkeypatch.setattr(openvino, "MOST_COPIED", most)
    cores(count)
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml"))  # which has a constant more
    at_once([engine], RANDOM.normal(size=(4, 3, 8, 6)).astype(np.float32))
    assert set(noted.called) == {engine._whole} and noted.most == 1


def test_on_many_cores_there_are_some_copies(cores):
    cores(100)
    assert openvino._copies(graph()) == 16


def test_copies_that_were_prepared_are_not_made_in_a_call(tmp_path, noted, cores, monkeypatch):
    cores(3)
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml"))
    several.prepare(3)
    monkeypatch.setattr(openvino._Compiled, "__init__", None)
    at_once([engine], RANDOM.normal(size=(4, 3, 8, 6)).astype(np.float32))
    assert len(set(noted.called)) > 2


# In a process of its own: other libraries' threads, which may be tied, are in this one.
CORES_OF_THREADS = """
import os, sys, threading
from pathlib import Path
import numpy as np
import openvino as ov
from openvino import opset13 as op
from networks.engines.openvino import OpenVINOEngine

x = op.parameter([1, 16, 400, 400], np.float32)
weights = op.constant(np.full((16, 16, 3, 3), 0.01, np.float32))
y = op.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1])
engine = OpenVINOEngine(ov.Model([y.output(0)], [x]), threads=eval(sys.argv[1]), batched=False)
everywhere, seen = os.sched_getaffinity(0), set()
computing = threading.Thread(target=lambda: [engine(np.ones((1, 16, 400, 400), np.float32)) for _ in range(20)])
computing.start()
while computing.is_alive():
    for thread in Path("/proc/self/task").iterdir():
        try:
            seen.add(frozenset(os.sched_getaffinity(int(thread.name))))
        except ProcessLookupError:
            pass
print(seen == {frozenset(everywhere)})
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell who may use which core")
@pytest.mark.skipif(cores_of_machine.usable() < 2, reason="this machine has one core")
@pytest.mark.parametrize("threads", [None, 1])
def test_no_thread_is_tied_to_a_core_that_others_use_too(threads):
    command = [sys.executable, "-c", CORES_OF_THREADS, str(threads)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout == "True\n", done.stderr


def resident():
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell a process's memory so")
def test_what_a_large_picture_needed_is_given_back_and_the_next_answers_are_right():
    x = op.parameter([1, 3, -1, -1], np.float32)
    y = x
    for channels in (3, 16, 16):
        weights = np.full((16, channels, 3, 3), 1 / (9 * channels), np.float32)
        y = op.convolution(y, op.constant(weights), [1, 1], [1, 1], [1, 1], [1, 1])
    engine = OpenVINOEngine(ov.Model([op.reduce_mean(y, op.constant([1, 2, 3])).output(0)], [x]), batched=False)
    small, large = (np.ones((1, 3, side, side), np.float32) for side in (64, 1600))
    before, first = resident(), engine(small)[0]
    engine(large)
    assert resident() - before < 80 * 2**20  # one of its layers has 156 MB
    np.testing.assert_array_equal(engine(small)[0], first)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True])
def test_threads_must_be_a_positive_whole_number(tmp_path, threads):
    with pytest.raises(BadArgument, match="threads"):
        OpenVINOEngine(save_ir(tmp_path / "net.xml"), threads=threads)


def test_number_of_threads_does_not_change_the_answer(tmp_path):
    path, x = save_ir(tmp_path / "net.xml"), RANDOM.normal(size=(9, 3, 8, 6)).astype(np.float32)
    for threads in (1, 2):
        np.testing.assert_allclose(
            OpenVINOEngine(path, threads=threads)(x)[0], OpenVINOEngine(path)(x)[0], rtol=1e-5
        )


def test_eight_callers_at_once_each_get_their_own_answer(tmp_path):
    engine = OpenVINOEngine(save_ir(tmp_path / "net.xml"), preprocess=Preprocess("rgb", 127.5, 128))
    work = [pictures(1 + seed % 9, seed) for seed in range(200)]
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda x: engine(x)[0], work))
    for x, rows in zip(work, found):
        np.testing.assert_allclose(
            rows, by_hand((np.float64(x[..., ::-1]) - 127.5) / 128), rtol=1e-3, atol=1e-4
        )
