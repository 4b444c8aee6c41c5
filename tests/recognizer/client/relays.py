"""A program between client and service, which loses what it is told to."""

import re
import socket
import threading
from contextlib import contextmanager, suppress


class Relay:
    """Hands on what comes, except for the next connections, of which each does the first of ``plan``.

    Attributes:
        plan: "cut": the service's answer is not handed on, and the connection is cut; "half": as much of the answer as
            ``half`` says is; bytes: they are the answer, and the service hears nothing; "silent": there is none.
        heard: what was sent, by connection.
    """

    def __init__(self, port):
        self.plan, self.heard, self.half = [], [], 0
        self._port, self._closing = port, False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def close(self):
        self._closing = True
        with suppress(OSError):
            socket.create_connection(self._listening.getsockname()).close()
        self._thread.join()
        self._listening.close()

    def _accept(self):
        threads = []
        while True:
            connection, _ = self._listening.accept()
            if self._closing:
                connection.close()
                break
            threads.append(threading.Thread(target=self._serve, args=(connection,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _serve(self, connection):
        todo = self.plan.pop(0) if self.plan else None
        with connection:
            request = self._request(connection)
            self.heard.append(request)
            if todo == "silent":
                self._wait(connection)
            elif isinstance(todo, bytes):
                connection.sendall(todo)
            else:
                self._hand_on(connection, request, todo)

    def _request(self, connection):
        connection.settimeout(10)
        found = b""
        while not is_whole(found) and (piece := connection.recv(2**20)):
            found += piece
        return found

    def _wait(self, connection):
        connection.settimeout(10)
        with suppress(OSError):
            connection.recv(1)

    def _hand_on(self, connection, request, todo):
        with socket.create_connection(("127.0.0.1", self._port), 30) as service:
            service.sendall(request.replace(b"Connection: keep-alive", b"Connection: close"))
            answer = b""
            while piece := service.recv(2**20):
                answer += piece
        if todo != "cut":
            with suppress(OSError):
                connection.sendall(answer[: self.half] if todo == "half" else answer)


def is_whole(request):
    """Whether all of a request has come."""
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


@contextmanager
def relayed(server):
    """A relay before a server."""
    relay = Relay(server.port)
    try:
        yield relay
    finally:
        relay.close()
