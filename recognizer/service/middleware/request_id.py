"""An id for each request: in the log, in the audit log, and in the answer as ``X-Request-ID``."""

from uuid import uuid4

from recognizer.service.middleware import asgi

STARTS = ("http.response.start", "websocket.http.response.start", "websocket.accept")


class RequestId:
    """Gives ids. One that a client sends is not taken: entries of the audit log are found by it."""

    def __init__(self, app: asgi.Application):
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope):
            return await self._app(scope, receive, send)
        name = asgi.state(scope)["request_id"] = uuid4().hex

        async def named(message: asgi.Message) -> None:
            if message["type"] in STARTS:
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode())]
            await send(message)

        return await self._app(scope, receive, named)
