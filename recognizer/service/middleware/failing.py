"""An answer where a route failed as nobody foresaw: without particulars, which are logged under the request's id."""

import asyncio
import logging

from common.errors import FaceError
from recognizer.service.errors import NotFound, Overloaded
from recognizer.service.middleware import asgi

INTERNAL_ERROR = 1011  # the code with which a WebSocket is closed
ENDS = ("websocket.close", "websocket.http.response.start")

log = logging.getLogger("recognizer.service")


class Failing:
    """Answers 500 in the shape of all errors; a WebSocket that was accepted is closed with 1011.

    Requests that the server cuts off, as it ends and they take longer than ``shutdown_seconds``, get 503.
    WebSockets to where nothing is get 404: by themselves, routers close them without a word.
    """

    def __init__(self, app: asgi.Application):
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope):
            return await self._app(scope, receive, send)
        started = over = False

        async def watched(message: asgi.Message) -> None:
            nonlocal started, over
            is_refused = message["type"] == "websocket.close" and not started
            started, over = True, over or message["type"] in ENDS
            if is_refused:
                await asgi.refuse(NotFound("There is no WebSocket here."), scope, receive, send)
            else:
                await send(message)

        try:
            return await self._app(scope, receive, watched)
        except asyncio.CancelledError:  # by the server
            if started or scope["type"] != "http":
                raise
            return await asgi.refuse(Overloaded("The service is ending. Try again."), scope, receive, send)
        except Exception:
            log.exception("Request %s failed", asgi.state(scope)["request_id"])
            if not started:
                return await asgi.refuse(FaceError(), scope, receive, send)
            if scope["type"] == "websocket" and not over:
                return await send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": "internal"})
            raise  # half an answer is out: the server cuts the connection
