"""Live pictures in a browser of this machine: MJPEG on a local port."""

import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from common.errors import BadArgument

ADDRESS = "127.0.0.1"
VIEWERS = 8  # at a time; each has a thread of its own
QUALITY = 80  # of the JPEGs: 40 KB for 640x480
SILENCE = 10.0  # seconds that a viewer may take to ask for something, or to take a picture
BOUNDARY = "picture"
PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>recognizer camera</title>
<style>body{margin:0;background:#111;display:grid;place-items:center;height:100vh}
img{max-width:100vw;max-height:100vh}</style>
<img src="/stream.mjpg" alt="The camera's picture with boxes and names">
"""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",  # other pages in the same browser cannot show the camera
    "X-Content-Type-Options": "nosniff",
}


class LiveServer:
    """Shows pictures at ``http://127.0.0.1:PORT``: a page at ``/``, the stream at ``/stream.mjpg``.

    It listens on this machine alone. Everyone who is logged in on it can look, other web pages cannot. A viewer gets
    the newest picture whenever the last one was taken; one who takes none for ten seconds is let go.

    Args:
        port: 0: any free one.

    Raises:
        BadArgument: the port is in use or not allowed.
    """

    def __init__(self, port: int = 8765):
        self._changed = threading.Condition()
        self._number, self._picture, self._jpeg = 0, None, b""
        self._closed = False
        self.viewers = threading.BoundedSemaphore(VIEWERS)
        try:
            self._server = ThreadingHTTPServer((ADDRESS, port), partial(_Handler, self))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "no such port"
            raise BadArgument(f"Port {port} cannot be used: {reason}. Choose another one with --port.") from None
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="mjpeg", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        """Where to look."""
        return f"http://{ADDRESS}:{self.port}"

    def show(self, picture: np.ndarray) -> bool:
        """Show a picture uint8 ``[H, W, 3]`` BGR in place of the one before; always True: go on."""
        with self._changed:
            self._number, self._picture, self._jpeg = self._number + 1, picture, b""
            self._changed.notify_all()
        return True

    def close(self) -> None:
        """Let all viewers go, and the port."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def newest(self, after: int) -> tuple[int, bytes] | None:
        """The number of the newest picture and its JPEG, once that is not ``after``; None when none is to come."""
        with self._changed:
            while self._number == after and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            if not self._jpeg:  # encoded only where somebody looks, and once for all who do
                self._jpeg = cv2.imencode(".jpg", self._picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
            return self._number, self._jpeg


class _Handler(BaseHTTPRequestHandler):
    timeout = SILENCE

    def __init__(self, live: LiveServer, *arguments):
        self._live = live
        super().__init__(*arguments)

    def do_GET(self) -> None:
        answers = {"/": self._page, "/stream.mjpg": self._stream}
        if not self._is_asked_by_name():
            self.send_error(403)
        elif self.path not in answers:
            self.send_error(404)
        else:
            with self._viewer() as admitted:
                if admitted:
                    answers[self.path]()

    def log_message(self, *_) -> None:
        """Nothing is logged."""

    def _is_asked_by_name(self) -> bool:
        """Whether the browser means this machine: a foreign name that was made to lead here does not count."""
        return self.headers.get("Host", "").rsplit(":", 1)[0] in (ADDRESS, "localhost")

    @contextmanager
    def _viewer(self):
        admitted = self._live.viewers.acquire(blocking=False)
        if not admitted:
            self.send_error(503, f"{VIEWERS} are looking already")
        try:
            yield admitted
        except OSError:  # gone, or too slow
            pass
        finally:
            if admitted:
                self._live.viewers.release()

    def _page(self) -> None:
        self._begin("text/html; charset=utf-8")
        self.wfile.write(PAGE)

    def _stream(self) -> None:
        self._begin(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        number = 0
        while (newest := self._live.newest(number)) is not None:
            number, jpeg = newest
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        for name, value in ({"Content-Type": kind} | HEADERS).items():
            self.send_header(name, value)
        self.end_headers()
