"""A line of JSON for each request in the log ``recognizer.service.access``.

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
            log.log(logging.INFO if (seen.status or 500) < 500 else logging.WARNING, json.dumps(_line(scope, seen)))


class _Seen:
    """What goes by."""

    def __init__(self, receive: asgi.Receive, send: asgi.Send):
        self._receive, self._send = receive, send
        self.began = time.perf_counter()
        self.status: int | None = None
        self.received = self.sent = 0

    async def receive(self) -> asgi.Message:
        message = await self._receive()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: asgi.Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "websocket.accept":
            self.status = 101
        elif message["type"] == "websocket.close":
            self.status = self.status or 403
        self.sent += len(message.get("body", b""))
        await self._send(message)


def _line(scope: asgi.Scope, seen: _Seen) -> dict[str, Any]:
    known = asgi.state(scope)
    caller = known.get("caller")
    return {
        "request_id": known.get("request_id"),
        "address": known.get("address"),
        "key": caller.key_id if caller else None,
        "method": scope.get("method", "WEBSOCKET"),
        "route": template(scope),  # None where it was refused before, or is not there
        "status": seen.status,
        "bytes_in": seen.received,
        "bytes_out": seen.sent,
        "seconds": round(time.perf_counter() - seen.began, 4),
    }
