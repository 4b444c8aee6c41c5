"""A line of JSON for each request in the log ``recognizer.service.access``; for each WebSocket one when it has ended.

It names the route (``/v1/people/{name}``), not the path, and no query: those hold people's names.
"""

import json
import logging
import time
from typing import Any

from recognizer.service.context import template
from recognizer.service.middleware import asgi

log = logging.getLogger("recognizer.service.access")


class AccessLog:
    """Writes what was asked, by whom, what came of it, how much went in and out, and how long it took."""

    def __init__(self, app: asgi.Application):
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope):
            return await self._app(scope, receive, send)
        seen = _Seen(receive, send)
        try:
            return await self._app(scope, seen.receive, seen.send)
        finally:
            is_websocket = scope["type"] == "websocket"
            more = {"frames": asgi.state(scope).get("frames", 0), "closed": seen.closed} if is_websocket else {}
            write(scope, template(scope), seen.status, seen.received, seen.sent, seen.began, **more)


def write(
    scope: asgi.Scope, route: str | None, status: int | None, received: int, sent: int, began: float, **more: Any
) -> None:
    """One line.

    Args:
        route: None where a request was refused before it came to one, or there is none.
        received, sent: bytes of content.
        began: by ``time.perf_counter``.
    """
    known = asgi.state(scope)
    caller = known.get("caller")
    line = {
        "request_id": known.get("request_id"),
        "address": known.get("address"),
        "key": caller.key_id if caller else None,
        "method": scope.get("method", "WEBSOCKET"),
        "route": route,
        "status": status,
        "bytes_in": received,
        "bytes_out": sent,
        "seconds": round(time.perf_counter() - began, 4),
    }
    log.log(logging.INFO if (status or 500) < 500 else logging.WARNING, json.dumps(line | more))


class _Seen:
    """What goes by."""

    def __init__(self, receive: asgi.Receive, send: asgi.Send):
        self._receive, self._send = receive, send
        self.began = time.perf_counter()
        self.status: int | None = None
        self.closed: int | None = None  # the code of a WebSocket
        self.received = self.sent = 0

    async def receive(self) -> asgi.Message:
        message = await self._receive()
        self.received += _length(message)
        if message["type"] == "websocket.disconnect":
            self.closed = message.get("code")
        return message

    async def send(self, message: asgi.Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
        elif message["type"] == "websocket.accept":
            self.status = 101
        elif message["type"] == "websocket.close":
            self.status, self.closed = self.status or 403, message.get("code")
        self.sent += _length(message)
        await self._send(message)


def _length(message: asgi.Message) -> int:
    """Bytes of content."""
    content = message.get("body") or message.get("bytes") or message.get("text") or b""
    return len(content.encode() if isinstance(content, str) else content)
