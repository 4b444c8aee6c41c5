"""The processes beside the service: the load, and the recognizer without a service, in turn."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import FaceError

ROOT = Path(__file__).resolve().parents[2]


class Worker:
    """A script that answers each line of JSON with one.

    Args:
        script: in this folder.
        arguments: of its command line.
        isolated: nothing of the project is on its path.
    """

    def __init__(self, script: str, *arguments: str, isolated: bool = False):
        command = [sys.executable, *(["-I"] if isolated else []), ROOT / "bench" / "serving" / script, *arguments]
        self._script = script
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def start(self, **task: Any) -> None:
        """Give it a task."""
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """What came of the task that was started. Raises FaceError where the process ended instead."""
        line = self._process.stdout.readline()
        if not line:
            raise FaceError(f"{self._script} ended with status {self._process.wait()}; what it said stands above.")
        return json.loads(line)

    def __call__(self, **task: Any) -> dict[str, Any]:
        """Do a task."""
        self.start(**task)
        return self.result()


def load() -> Worker:
    """The process that asks; see ``measured`` in ``load.py`` for its tasks."""
    return Worker("load.py", isolated=True)


def request_file(folder: Path, name: str, request: bytes) -> list[str]:
    """A request as tasks of the load name it."""
    path = folder / f"{name}.http"
    path.write_bytes(request)
    return [str(path)]


def percentile(seconds: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies, in milliseconds; nan where there are none."""
    ordered = sorted(seconds)
    return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")
