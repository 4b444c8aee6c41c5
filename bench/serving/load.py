"""Sends prepared requests to a service and times the answers; a process of its own, which is to disturb little.

Started as ``python -I bench/serving/load.py``: one thread, and nothing but the standard library. Each line of standard
input is a task as JSON, each line of standard output what came of it. ``bench/serving/workers.py`` is the other end.
"""

import json
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

HOST = "127.0.0.1"
PIECE = 2**18  # bytes, of an answer that are read at once
GRACE = 30.0  # seconds, for answers that are under way at the end


class Connection:
    """One connection, which sends a request at a time and stays open as long as the service lets it.

    Attributes:
        began: when the request was sent, by ``time.perf_counter``; 0 while there is none.
    """

    def __init__(self, port: int, selector: selectors.BaseSelector):
        self._port, self._selector = port, selector
        self._socket: socket.socket | None = None
        self._unsent = memoryview(b"")
        self._answer = bytearray()
        self.began = 0.0

    def ask(self, request: bytes) -> None:
        """Send a request. Raises OSError where the service cannot be reached."""
        self.began, self._unsent = time.perf_counter(), memoryview(request)
        self._answer.clear()
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._port), GRACE)
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self.send()

    def send(self) -> None:
        """Send what the system takes now of what is left. Raises OSError where the connection is gone."""
        with suppress(BlockingIOError):
            self._unsent = self._unsent[self._socket.send(self._unsent) :]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._selector.get_key(self._socket).events != wanted:
            self._selector.modify(self._socket, wanted, self)

    def receive(self) -> int | None:
        """The status of the answer when all of it is there. Raises OSError where the connection is gone."""
        piece = self._socket.recv(PIECE)
        self._answer += piece
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if found:
            fields = head.lower().split(b"\r\n")
            length = next((int(each[15:]) for each in fields if each.startswith(b"content-length:")), 0)
            if len(body) >= length:
                if not piece or b"connection: close" in fields or self._unsent:
                    self.close()
                self.began = 0.0
                return int(head[9:12])
        if not piece:
            raise ConnectionError("The service closed the connection.")
        return None

    def close(self) -> None:
        """End it; the next request makes another one."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
        self.began = 0.0


class Load:
    """What one task measures.

    Args:
        port: of the service.
        requests: sent in turn.
    """

    def __init__(self, port: int, requests: list[bytes]):
        self._port, self._requests, self._asked = port, requests, 0
        self._selector = selectors.DefaultSelector()
        self._idle: deque[Connection] = deque()
        self._open: list[Connection] = []
        self.answers: list[tuple[float, float, int]] = []
        self.failures: list[str] = []

    def closed(self, clients: int, seconds: float) -> None:
        """Each of so many clients asks, waits for the answer, and asks again."""
        self._connect(clients)
        until = time.perf_counter() + seconds
        self._wait(until, lambda: [self._ask(self._idle.popleft()) for _ in range(len(self._idle))])
        self._finish()

    def open(self, rate: float, most: int, seconds: float) -> int:
        """So many requests a second, whatever the service answers, over at most so many connections.

        Returns:
            How many could not be sent, as all connections waited for answers.
        """
        self._connect(most)
        began, due, unsent = time.perf_counter(), 0, 0

        def send() -> None:
            nonlocal due, unsent
            while due < (time.perf_counter() - began) * rate:
                due += 1
                if self._idle:
                    self._ask(self._idle.popleft())
                else:
                    unsent += 1

        self._wait(began + seconds, send, 1 / rate)
        self._finish()
        return unsent

    def _connect(self, count: int) -> None:
        self._open = [Connection(self._port, self._selector) for _ in range(count)]
        self._idle.extend(self._open)

    def _wait(self, until: float, act: Callable[[], object], pause: float = 0.1) -> None:
        while time.perf_counter() < until:
            act()
            self._handle(pause)

    def _finish(self) -> None:
        until = time.perf_counter() + GRACE
        while any(each.began for each in self._open) and time.perf_counter() < until:
            self._handle(0.1)
        self.failures += ["no answer"] * sum(each.began > 0 for each in self._open)
        for each in self._open:
            each.close()

    def _handle(self, pause: float) -> None:
        for key, events in self._selector.select(pause):
            self._try(key.data, lambda connection=key.data, events=events: self._step(connection, events))

    def _step(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            connection.send()
        if events & selectors.EVENT_READ:
            began, status = connection.began, connection.receive()
            if status is not None:
                self.answers.append((began, time.perf_counter(), status))
                self._idle.append(connection)

    def _ask(self, connection: Connection) -> None:
        request = self._requests[self._asked % len(self._requests)]
        self._asked += 1
        self._try(connection, lambda: connection.ask(request))

    def _try(self, connection: Connection, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            if connection.began:
                self.failures.append(type(error).__name__)
            connection.close()
            self._idle.append(connection)


def measured(task: dict) -> dict:
    """What came of a task.

    Args:
        task: port, requests (paths), seconds, warm (seconds before, that do not count), and either clients, or rate
            (requests a second) and connections.

    Returns:
        counted (seconds), answers (status -> seconds of each that was asked for in the counted time), done (status ->
        how many came in it), failures, unsent, and cpu (of this process, seconds a second).
    """
    load = Load(task["port"], [_read(path) for path in task["requests"]])
    began, used, unsent = time.perf_counter(), time.process_time(), 0
    seconds = task["warm"] + task["seconds"]
    if "rate" in task:
        unsent = load.open(task["rate"], task["connections"], seconds)
    else:
        load.closed(task["clients"], seconds)
    cpu = (time.process_time() - used) / (time.perf_counter() - began)
    first, last = began + task["warm"], began + seconds
    answers: dict[str, list[float]] = {}
    done: dict[str, int] = {}
    for asked, answered, status in load.answers:
        if asked >= first:
            answers.setdefault(str(status), []).append(answered - asked)
        if first <= answered < last:
            done[str(status)] = done.get(str(status), 0) + 1
    return {
        "counted": task["seconds"], "answers": answers, "done": done, "failures": load.failures, "unsent": unsent,
        "cpu": cpu,
    }  # fmt: skip


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 (nothing more than is needed is imported)
        return file.read()


def main() -> None:
    """Do tasks until standard input ends."""
    for line in sys.stdin:
        print(json.dumps(measured(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
