"""An HTTP server on 127.0.0.1 that tests can make misbehave."""

import gzip
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass
class Page:
    """What the server answers at one path.

    ``cuts``: how many bytes of the body to send before dropping the connection, one number per request;
    afterwards bodies are whole. ``statuses``: answered first, one per request, without a body.
    """

    content: bytes = b""
    etag: str | None = '"first"'
    ranges: bool = True
    range_offset: int = 0  # added to the start that Content-Range claims
    length: bool = True
    compress: bool = False
    delay: float = 0.0
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    location: str | None = None
    kind: str = "application/octet-stream"


class LocalServer:
    """Answers with ``pages[path]`` while its ``with`` lasts; keeps (path, headers) of each request."""

    def __enter__(self) -> Self:
        self.pages: dict[str, Page] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.local = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._http.shutdown()
        self._http.server_close()

    def serve(self, path: str, content: bytes, **behaviour) -> str:
        self.pages[path] = Page(content, **behaviour)
        return self.url + path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        local = self.server.local
        local.requests.append((self.path, dict(self.headers)))
        page = local.pages.get(self.path.partition("?")[0])
        self.close_connection = True
        if page is None or page.location or page.statuses:
            self._bodyless(page)
        else:
            self._body(page)

    def _bodyless(self, page: Page | None):
        self.send_response(404 if page is None else page.statuses.pop(0) if page.statuses else 302)
        if page and page.location:
            self.send_header("Location", page.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self, page: Page):
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range") in (None, page.etag)
        start = int(wanted[1]) if wanted and page.ranges and unchanged else 0
        body = gzip.compress(page.content) if page.compress else page.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", page.kind)
        if start:
            claimed = start + page.range_offset
            self.send_header("Content-Range", f"bytes {claimed}-{len(page.content) - 1}/{len(page.content)}")
        if page.compress:
            self.send_header("Content-Encoding", "gzip")
        if page.etag:
            self.send_header("ETag", page.etag)
        if page.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        time.sleep(page.delay)
        self.wfile.write(body[: page.cuts.pop(0)] if page.cuts else body)

    def log_message(self, *_):
        pass
