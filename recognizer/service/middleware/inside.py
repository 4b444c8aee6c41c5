"""Counts the requests that are to be computed, from the first look at them to the end of their answers."""

import asyncio
from typing import TYPE_CHECKING

from recognizer.service.context import PREFIX
from recognizer.service.middleware import asgi

if TYPE_CHECKING:
    from recognizer.service.inference import Inference

COMPUTING = ("detect", "embed", "verify", "search")
PATHS = {f"{PREFIX}/{each}" for each in COMPUTING}
SECONDS = 0.5  # in which bodies arrive that are not slow


class Inside:
    """Tells the queue of those that were let in, and do not wait in it yet: they have a place there, too.

    Otherwise all that arrive while one place is free would be let in and read, and all but one refused late. Whose body
    comes slowly loses the place until it is there, so that slow clients keep nobody out.
    """

    def __init__(self, app: asgi.Application):
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        inference = getattr(getattr(scope["app"].state, "services", None), "inference", None)
        if scope["type"] != "http" or scope["path"] not in PATHS or inference is None:
            return await self._app(scope, receive, send)
        place = _Place(inference)

        async def watched() -> asgi.Message:
            message = await receive()
            if not message.get("more_body", False):
                place.take()
            return message

        try:
            return await self._app(scope, watched, send)
        finally:
            place.leave()


class _Place:
    """The place of one request, which it has for so many seconds, unless it takes it again."""

    def __init__(self, inference: "Inference"):
        self._inference = inference
        self._is_taken, self._ends = False, None
        self.take()
        self._ends = asyncio.get_running_loop().call_later(SECONDS, self.leave)

    def take(self) -> None:
        """Have it until it is left."""
        self._move(True)

    def leave(self) -> None:
        """Have it no more."""
        self._move(False)

    def _move(self, taken: bool) -> None:
        if self._ends is not None:
            self._ends.cancel()
        if taken != self._is_taken:
            self._is_taken = taken
            self._inference.inside += 1 if taken else -1
