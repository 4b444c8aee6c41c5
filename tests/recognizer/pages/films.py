"""What a browser's camera sees in tests, and a line to a service that can be cut."""

import socket
import threading
from contextlib import suppress

import cv2
import numpy as np

SIZE = 640, 480  # width and height
GREY = 110


def scene(face=None, light=1.0):
    """A picture of a camera, uint8 [480, 640, 3] BGR: a grey wall, before it ``face``, darkened by ``light``."""
    picture = np.full((SIZE[1], SIZE[0], 3), GREY, np.uint8)
    if face is not None:
        height, width = face.shape[:2]
        top, left = (SIZE[1] - height) // 2, (SIZE[0] - width) // 2
        picture[top : top + height, left : left + width] = face
    return (picture * light).astype(np.uint8)


def film(path, *pictures):
    """Let the camera see these from when it is started next, one after the other and again, 30 a second (MJPEG)."""
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures))
    new.replace(path)


class Line:
    """Hands on what comes to a port of its own, ``url``, to that of ``service``, until it is cut."""

    def __init__(self, service):
        self._target = "127.0.0.1", int(service.rpartition(":")[2])
        self._listener, self._open, self._port = None, [], 0
        self.mend()
        self.url = f"http://127.0.0.1:{self._port}"

    def mend(self):
        """Take connections, for the first time or again."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._take, args=(self._listener,), daemon=True).start()

    def cut(self):
        """End all connections, and take no more."""
        self._shut(self._listener)
        while self._open:
            self._shut(self._open.pop())

    def _take(self, listener):
        with suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(self._target)
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source, sink):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        self._shut(sink)

    @staticmethod
    def _shut(connection):
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
