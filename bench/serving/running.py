"""A service that runs as people run it: ``recognizer serve``, in a process of its own, with what it uses read of it."""

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from bench.serving.workers import ROOT
from common.errors import FaceError

START_SECONDS, END_SECONDS = 120, 60
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
MEGABYTE = 2**20


class Service:
    """The running service, ready for requests.

    Args:
        folder: for its data and its log.
        url: of its database.
        settings: of ``service``, and such as ``store_crops``.

    Attributes:
        port: that it listens on.
        pid: of its process.

    Raises:
        FaceError: it could not be started.
    """

    def __init__(self, folder: Path, url: str, **settings: object):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        given = {f"RECOGNIZER_{key.upper()}": str(value) for key, value in settings.items()}
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "RECOGNIZER_DATA": str(folder), "RECOGNIZER_DATABASE": url, **given,
        }  # fmt: skip
        self._log = (folder / "log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "recognizer.cli", "serve", "--port", str(self.port)],
            env=environment, cwd=folder, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self.pid = self._process.pid
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Service":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self._process.poll() is None

    def close(self) -> int:
        """End it as an operator does; its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._log.close()

    def cpu(self) -> float:
        """Seconds that its threads have computed."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, what: str = "VmRSS") -> float:
        """MB in memory now; of "VmHWM": at most since :meth:`reset_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 / MEGABYTE for line in status.splitlines() if line.startswith(what))

    def reset_peak(self) -> None:
        """Let "VmHWM" begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def connections(self) -> int:
        """Sockets that are open."""
        found = 0
        for each in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                found += str(each.readlink()).startswith("socket")
        return found

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> bytes:
        """The body of an answer.

        Raises:
            FaceError: it is an error.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise FaceError(f"{method} {path} was answered with {answer.status}: {content[:200].decode()}")
        return content

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.is_alive:
            with suppress(OSError, FaceError):
                self.ask("GET", "/v1/ready")
                return
            time.sleep(0.1)
        self._log.seek(0)
        said = " ".join(self._log.read().split()[-60:])
        raise FaceError(f"The service did not start. It said last: {said or 'nothing'}")


class Sampler:
    """Notes a service's memory every so many seconds: ``with Sampler(service) as sampler: ...``

    Attributes:
        samples: (seconds since the beginning, MB).
    """

    def __init__(self, service: Service, every: float = 1.0):
        self.samples: list[tuple[float, float]] = []
        self._service, self._every = service, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, first: float, last: float) -> list[float]:
        """MB, of the samples between two moments in seconds."""
        return [memory for moment, memory in self.samples if first <= moment < last]

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(self._every):
            with suppress(OSError, StopIteration):
                self.samples.append((time.monotonic() - began, self._service.memory()))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
