"""One live connection: a picture, its answer, the next picture, until somebody ends it."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect
from starlette.concurrency import run_in_threadpool

from common.errors import FaceError, KeyRefused
from mtcnn.pictures import MAX_SIDE
from recognizer.recognizer import Recognizer
from recognizer.service import errors
from recognizer.service.context import Services, check_gallery
from recognizer.service.errors import Forbidden, Overloaded, Unauthorized
from recognizer.service.live.protocol import RESTART
from recognizer.service.live.tasks import Task
from recognizer.service.middleware import asgi
from recognizer.service.uploads import Upload, size_of

IDLE_SECONDS = 30.0  # in which a whole picture comes
LOOK_SECONDS = 1.0  # between looks at the key while none comes
NORMAL, UNSUPPORTED, POLICY_VIOLATION = 1000, 1003, 1008
OF_STATUS = 4000  # and the HTTP status: for what an answer would say with it


class _Closing(Exception):
    """The connection is to be closed, with a code and a reason of at most 123 bytes."""

    def __init__(self, code: int, reason: str):
        super().__init__(reason)
        self.code, self.reason = code, reason


class Live:
    """Answers the pictures of a connection that was accepted.

    Only one is worked on at a time; of those that come meanwhile the protocol reads one, and leaves the others to TCP.
    """

    def __init__(self, socket: WebSocket, services: Services, task: Task, gallery: str):
        self._socket, self._services, self._task, self._gallery = socket, services, task, gallery
        self._known = asgi.state(socket.scope)
        self._frames = 0

    async def run(self) -> None:
        """Return when it is over, and closed."""
        with suppress(WebSocketDisconnect):  # the client has gone
            try:
                while True:
                    await self._answer(await self._picture())
            except _Closing as closing:
                await self._socket.close(closing.code, closing.reason)

    async def _picture(self) -> bytes:
        """The next one, encoded. Raises _Closing, WebSocketDisconnect."""
        message = await self._message()
        if message["type"] == "websocket.disconnect":
            if message["code"] == RESTART:
                raise _Closing(RESTART, "the service is ending: connect again")
            raise WebSocketDisconnect(message["code"])
        if message.get("bytes") is None:
            raise _Closing(UNSUPPORTED, "send each picture as one binary message")
        return message["bytes"]

    async def _message(self) -> Any:
        """What comes next; meanwhile the key is looked at. Raises _Closing."""
        clock = asyncio.get_running_loop().time
        until = clock() + IDLE_SECONDS
        while (left := until - clock()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, LOOK_SECONDS)):
                    return await self._socket.receive()
            with suppress(FaceError):  # of which the next picture is told
                await self._check_caller()
        raise _Closing(NORMAL, "idle: no picture came")

    async def _check_caller(self) -> None:
        """Raises _Closing where the key, or session, is no longer good for this. Raises FaceError."""
        try:
            caller = await self._known["check_again"](self._socket.scope)
            check_gallery(caller, self._gallery)
        except (KeyRefused, Unauthorized, Forbidden) as error:
            status, code = errors.answer_of(error)
            raise _Closing(OF_STATUS + status, code) from None

    async def _answer(self, data: bytes) -> None:
        """Raises _Closing, WebSocketDisconnect."""
        began = time.perf_counter()
        self._known["frames"] = self._frames = self._frames + 1
        try:
            await self._check_caller()
            recognizer = await run_in_threadpool(self._recognizer, data)
            told = await self._task.answer(self._services, recognizer, self._gallery, Upload("picture", data))
        except FaceError as error:
            told = await self._told(error)
        self._services.metrics.live_frame(self._task.name, told.get("code", "answered"))
        seconds = round(time.perf_counter() - began, 4)
        await self._socket.send_json({"frame": self._frames, "seconds": seconds, **told})

    def _recognizer(self, data: bytes) -> Recognizer:
        """The gallery's, as it is now, for a picture whose header is within the limits. Raises _Closing, FaceError."""
        size, most = size_of(data), self._services.settings.max_pixels
        if size is not None and (size[0] * size[1] > most or max(size) > MAX_SIDE):
            raise _Closing(POLICY_VIOLATION, f"too_large: at most {most} pixels, and {MAX_SIDE} a side")
        return self._services.recognizers.of(self._gallery)

    async def _told(self, error: FaceError) -> dict[str, Any]:
        """An error in the shape of all, counted and logged as of any other request."""
        answer = await self._socket.app.exception_handlers[FaceError](self._socket, error)
        told = json.loads(answer.body)
        if isinstance(error, Overloaded):
            told["details"]["retry_after"] = round(error.retry_after, 2)
        return told
