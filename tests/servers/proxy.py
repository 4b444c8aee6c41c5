"""A way to a server that fails where a test wants it to: a TCP proxy that understands as much MySQL as that takes."""

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

BEFORE_COMMIT = "before commit"  # the server never gets the COMMIT
AFTER_COMMIT = "after commit"  # the server gets it; the client's connection is cut at the same moment
AFTER_ANSWER = "after answer"  # the server has answered; the client never gets the answer

_HEADER = 4  # of a packet: three bytes of length, one of sequence
_SSL = 0x08  # CLIENT_SSL, in the second byte of the capability flags
# COM_QUERY; two numbers of attributes stand before the statement where both sides know query attributes
_COMMIT = re.compile(rb"\x03(\x00\x01)?commit;?", re.IGNORECASE)


class Proxy:
    """Forwards connections to a server; a context manager.

    The server's offer of TLS is withheld, so that the proxy can read.

    Attributes:
        port: where to connect, on 127.0.0.1.
        cuts: how many connections were cut.
    """

    def __init__(self, host: str, port: int):
        self._target = (host, port)
        self._plan: list[str] = []
        self._lock = threading.Lock()
        self._closed = False
        self.cuts = 0

    def __enter__(self) -> "Proxy":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = {self._listener}
        self._start(self._accept)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closed = True
        with self._lock:
            for each in self._open:
                _close(each)

    def cut(self, *moments: str) -> None:
        """Cut the connections of the next COMMITs, one at each of ``moments``."""
        with self._lock:
            self._plan.extend(moments)

    def heal(self) -> None:
        """Cut nothing more."""
        with self._lock:
            self._plan.clear()

    def _accept(self) -> None:
        while not self._closed:
            client, _ = self._listener.accept()
            try:
                server = socket.create_connection(self._target)
            except OSError:  # the server is down: so is the way to it
                _close(client)
                continue
            pair = _Pair(client, server)
            with self._lock:
                self._open |= {client, server}
            self._start(lambda pair=pair: self._to_server(pair))
            self._start(lambda pair=pair: self._to_client(pair))

    def _to_server(self, pair: "_Pair") -> None:
        while (packet := _packet(pair.client)) is not None:
            moment = self._next_moment() if _COMMIT.fullmatch(packet[_HEADER:]) else None
            pair.swallow = moment == AFTER_ANSWER
            if moment != BEFORE_COMMIT:
                pair.server.sendall(packet)
            if moment in (BEFORE_COMMIT, AFTER_COMMIT):
                break
        pair.close()

    def _to_client(self, pair: "_Pair") -> None:
        greeting = _packet(pair.server)
        if greeting is not None:
            pair.client.sendall(_without_tls(greeting))
            while (some := pair.server.recv(65536)) and not pair.swallow:
                pair.client.sendall(some)
        pair.close()

    def _next_moment(self) -> str | None:
        with self._lock:
            if not self._plan:
                return None
            self.cuts += 1
            return self._plan.pop(0)

    def _start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            with suppress(OSError):  # the other side, or this proxy, has closed the connection
                work()

        threading.Thread(target=run, daemon=True).start()


class _Pair:
    """The two connections of one client, and whether the server's next answer is swallowed."""

    def __init__(self, client: socket.socket, server: socket.socket):
        self.client, self.server, self.swallow = client, server, False

    def close(self) -> None:
        _close(self.client)
        _close(self.server)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it
    connection.close()


def _packet(connection: socket.socket) -> bytes | None:
    """One whole packet; None at the end."""
    header = _exactly(connection, _HEADER)
    body = header and _exactly(connection, int.from_bytes(header[:3], "little"))
    return None if body is None else header + body


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = b""
    while len(parts) < size:
        some = connection.recv(size - len(parts))
        if not some:
            return None
        parts += some
    return parts


def _without_tls(greeting: bytes) -> bytes:
    """The server's greeting with CLIENT_SSL taken out of its flags.

    It is a protocol number, a version that ends in NUL, a thread id (4), a salt (8), a filler (1), the lower flags (2).
    """
    changed = bytearray(greeting)
    flags = greeting.index(0, _HEADER + 1) + 1 + 4 + 8 + 1
    changed[flags + 1] &= 0xFF ^ _SSL
    return bytes(changed)
