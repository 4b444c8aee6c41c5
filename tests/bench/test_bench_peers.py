import io
import json
import sys
from contextlib import ExitStack

import numpy as np
import pytest

from bench import peers
from bench.peer_worker import PEERS, serve
from common.errors import MissingDependency


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """This test's Python in the place of the peers' environment, everything marked as installed."""
    monkeypatch.setattr(peers, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(peers, "python", lambda: sys.executable)
    monkeypatch.setattr(peers, "install", lambda peer: None)
    return tmp_path


def test_arrays_reach_the_peer_unchanged_and_its_output_comes_back():
    arrays = [
        np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
        np.linspace(0, 1, 6, dtype=np.float32).reshape(1, 6),
    ]
    requests = b"".join(
        json.dumps({"shape": a.shape, "dtype": str(a.dtype)}).encode() + b"\n" + a.tobytes() for a in arrays
    )
    seen, answers = [], io.BytesIO()
    serve(lambda array: seen.append(array) or array * 2, io.BytesIO(requests), answers)
    outputs = [json.loads(line)["output"] for line in answers.getvalue().splitlines()]
    for array, got, output in zip(arrays, seen, outputs, strict=True):
        assert np.array_equal(got, array) and got.dtype == array.dtype
        assert np.array_equal(np.asarray(output, array.dtype), array * 2)


def test_every_peer_can_be_installed_and_run():
    assert set(peers.PACKAGES) == set(PEERS)


def test_what_a_peer_prints_does_not_disturb_the_exchange(environment, monkeypatch):
    worker = environment / "worker.py"
    worker.write_text(
        f"import sys; sys.path.insert(0, {str(peers.ROOT)!r})\n"
        "from bench import peer_worker\n"
        "def noisy():\n"
        "    import os\n"
        "    os.write(1, b'loading\\n')\n"
        "    return 'noisy 1.0', lambda array: print('working') or array + 1\n"
        "peer_worker.PEERS['noisy'] = noisy\n"
        "peer_worker.main()\n"
    )
    monkeypatch.setattr(peers, "WORKER", worker)
    process = peers.PeerProcess("noisy")
    try:
        assert process.description == "noisy 1.0"
        for _ in range(2):
            seconds, output = process(np.zeros((2, 3), np.float32))
            assert seconds >= 0 and np.array_equal(output, np.ones((2, 3)))
    finally:
        process.close()


def test_a_peer_that_cannot_start_is_reported_with_its_own_last_words(environment, monkeypatch):
    worker = environment / "worker.py"
    worker.write_text("raise ImportError('libGL.so.1 is missing')\n")
    monkeypatch.setattr(peers, "WORKER", worker)
    with ExitStack() as stack:
        running, reasons = peers.start({"broken": ("mtcnn", {})}, stack)
    assert running == {}
    assert reasons == {"broken": "mtcnn stopped: ImportError: libGL.so.1 is missing"}


def test_a_failed_installation_is_not_taken_for_done_at_the_next_call(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(peers, "python", lambda: sys.executable)
    monkeypatch.setitem(peers.PACKAGES, "mtcnn", [["--no-index", "no-such-package-here==1.0"]])
    for _ in range(2):
        with pytest.raises(MissingDependency, match=r"mtcnn is not installed: .*no-such-package-here"):
            peers.install("mtcnn")


def test_a_script_that_fails_in_the_environment_gives_its_reason(environment):
    pytest.importorskip("onnx", reason="bench/to_onnx.py needs onnx, which only the peers' environment has")
    with pytest.raises(MissingDependency, match=r"to_onnx\.py failed: "):
        peers.run_in_environment(
            "onnxruntime", ["bench/to_onnx.py", environment / "none.tflite", environment / "x"]
        )


def test_this_repository_cannot_hide_a_peer_of_the_same_name(environment, monkeypatch):
    # `import mtcnn` in the worker must find the peer, never this project's package
    worker = environment / "worker.py"
    worker.write_text("import json, sys; print(json.dumps({'ready': sys.path}))\n")
    monkeypatch.setattr(peers, "WORKER", worker)
    monkeypatch.setenv("PYTHONPATH", str(peers.ROOT))
    monkeypatch.chdir(peers.ROOT)
    process = peers.PeerProcess("mtcnn")
    process.close()
    assert not {"", str(peers.ROOT), str(peers.ROOT / "bench")} & set(process.description)
