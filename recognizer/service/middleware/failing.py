"""An answer where a route failed as nobody foresaw: without particulars, which are logged under the request's id."""

import logging

from common.errors import FaceError
from recognizer.service.middleware import asgi

log = logging.getLogger("recognizer.service")


class Failing:
    """Answers 500 in the shape of all errors."""

    def __init__(self, app: asgi.Application):
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope):
            return await self._app(scope, receive, send)
        started = False

        async def watched(message: asgi.Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            return await self._app(scope, receive, watched)
        except Exception:
            log.exception("Request %s failed", asgi.state(scope)["request_id"])
            if started:
                raise  # half an answer is out: the server cuts the connection
            return await asgi.refuse(FaceError(), scope, receive, send)
