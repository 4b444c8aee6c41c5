"""How large a body may be, how many parts it may have, how long it may take: counted as it comes, before parsing.

And how many WebSockets there may be, of which each has a picture in work.
"""

import asyncio
import re

from python_multipart.multipart import parse_options_header

from recognizer.service.errors import Overloaded, ServiceError, TooLarge, Unprocessable
from recognizer.service.middleware import asgi
from recognizer.service.middleware.turning_away import SIGN_IN, SIGN_OUT
from recognizer.service.settings import ServiceSettings

MAX_JSON = 8 * 2**20  # bytes; as Python's objects, the worst JSON takes twenty times as much
MAX_FORM = 64 * 2**10  # bytes, of fields alone, without files
MAX_SIGN_IN = 8 * 2**10  # bytes: a key, and where to go then
MAX_QUERY = 16 * 2**10
FIELDS = 32  # parts of a form besides the photos
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
LONGEST_BOUNDARY = 70  # of RFC 2046
# What may be as large as a video: videos, archives of photos, galleries.
LARGE = re.compile(r"/v1/(jobs/(video|enroll)|galleries/.+/import)")
AT_ONCE = 8  # bodies of the largest size that one process has in memory
LARGE_AT_ONCE = 4  # and on the disk
TRY_AGAIN_LATER = 1013  # the code with which a WebSocket is closed


class TooSlow(ServiceError):
    """A body that does not arrive in time."""

    status, code = 408, "too_slow"


class Limits:
    """Ends a request whose body breaks a limit with 413, 422, 408 or 503, whatever the application makes of it.

    WebSockets have half of the places in the queue, so that other requests find some; further ones are closed.
    """

    def __init__(self, app: asgi.Application, settings: ServiceSettings):
        self._app, self._settings = app, settings
        self._room = _Room(AT_ONCE * settings.max_body)
        self._large_room = _Room(LARGE_AT_ONCE * settings.max_video)
        self._sockets, self._most_sockets = 0, max(1, settings.queue // 2)

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] == "websocket":
            return await self._counted(scope, receive, send)
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        is_large = LARGE.fullmatch(scope["path"]) is not None
        largest = self._settings.max_video if is_large else self._settings.max_body
        try:
            body = _Body(scope, receive, self._settings, largest, self._large_room if is_large else self._room)
        except ServiceError as error:
            return await asgi.refuse(error, scope, receive, send)
        with body:
            return await self._guarded(body, scope, receive, send)

    async def _counted(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if self._sockets >= self._most_sockets:
            await receive()
            await send({"type": "websocket.accept"})  # pages see why it is closed only where it was open
            reason = f"{self._most_sockets} live connections are open: try again later"
            return await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": reason})
        self._sockets += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._sockets -= 1

    async def _guarded(self, body: "_Body", scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        """Applications take an exception of ``receive`` for a body that cannot be parsed, and answer 400: not sent."""
        started = False

        async def guarded(message: asgi.Message) -> None:
            nonlocal started
            if body.refused is None or started:
                started = True
                await send(message)

        try:
            await self._app(scope, body.receive, guarded)
        except Exception:
            if body.refused is None or started:
                raise
        if body.refused is not None and not started:
            await asgi.refuse(body.refused, scope, receive, send)


class _Room:
    """The bytes that bodies take which are being received or worked on."""

    def __init__(self, most: int):
        self.most, self.taken = most, 0


class _Body:
    """One body on its way in.

    Raises:
        ServiceError: it is refused for what the headers say.
    """

    def __init__(self, scope: asgi.Scope, receive: asgi.Receive, settings: ServiceSettings, largest: int, room: _Room):
        kind, options = _content_type(scope)
        self.most = _most(kind, scope, largest)
        self.refused: ServiceError | None = None
        self._receive, self._room = receive, room
        self._parts = _Parts(options, settings.max_photos + FIELDS) if kind == MULTIPART else None
        self._seconds = self._left = _seconds(self.most, settings)
        self._bytes, self._is_whole = 0, False
        _check_announced(scope, self.most)

    def __enter__(self) -> "_Body":
        return self

    def __exit__(self, *_exception: object) -> None:
        self._room.taken -= self._bytes

    async def receive(self) -> asgi.Message:
        """The next piece. Raises what the body is refused with, each time."""
        if self.refused is not None:
            raise self.refused
        try:
            return await self._next()
        except ServiceError as error:
            self.refused = error
            raise

    async def _next(self) -> asgi.Message:
        if self._is_whole:
            return await self._receive()  # that the client has gone
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._left):
                message = await self._receive()
        except TimeoutError:
            raise TooSlow(f"The body did not arrive within {self._seconds:g} seconds.") from None
        self._left -= loop.time() - began  # of the client's time; not of that which the application takes
        self._is_whole = not message.get("more_body", False)
        self._count(message.get("body", b""))
        return message

    def _count(self, piece: bytes) -> None:
        self._bytes += len(piece)
        self._room.taken += len(piece)
        if self._bytes > self.most:
            raise _too_large(self.most)
        if self._room.taken > self._room.most:
            raise Overloaded("The service is receiving as much as it can hold. Try again.")
        if self._parts is not None:
            self._parts.count(piece)


class _Parts:
    """Counts the parts of a multipart body by its boundary. Raises Unprocessable where it names none."""

    def __init__(self, options: dict[bytes, bytes], most: int):
        boundary = options.get(b"boundary", b"")
        if not 0 < len(boundary) <= LONGEST_BOUNDARY:
            raise Unprocessable(f"{MULTIPART} needs a boundary of 1 to {LONGEST_BOUNDARY} characters.")
        self._mark = b"\r\n--" + boundary
        self._most, self._found, self._end = most, 0, b"\r\n"

    def count(self, piece: bytes) -> None:
        """Raises TooLarge."""
        text = self._end + piece
        self._found += text.count(self._mark)
        self._end = text[-(len(self._mark) - 1) :]
        if self._found > self._most + 1:  # the last one closes the body
            raise TooLarge(f"A request has at most {self._most} parts.", most=self._most)


def _content_type(scope: asgi.Scope) -> tuple[str, dict[bytes, bytes]]:
    """Kind and options, read by what reads them again to parse the body: another reading could be led astray."""
    stated = set(asgi.values(scope, b"content-type"))
    if len(stated) > 1:
        raise Unprocessable("A request has one Content-Type.")
    kind, options = parse_options_header(stated.pop() if stated else b"")
    return kind.decode("latin-1"), options


def _most(kind: str, scope: asgi.Scope, largest: int) -> int:
    """Bytes that a body may have."""
    if len(scope.get("query_string", b"")) > MAX_QUERY:
        raise TooLarge(f"What follows '?' has at most {MAX_QUERY} bytes.", most=MAX_QUERY)
    if scope["path"] in (SIGN_IN, SIGN_OUT):  # the first needs no key
        return MAX_SIGN_IN
    if kind == FORM:
        return min(MAX_FORM, largest)
    return min(MAX_JSON, largest) if kind.endswith("json") or not kind else largest


def _seconds(most: int, settings: ServiceSettings) -> float:
    """What a usual body gets, and one that may be larger in proportion."""
    return settings.body_seconds * max(1.0, most / settings.max_body)


def _check_announced(scope: asgi.Scope, most: int) -> None:
    announced = asgi.value(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > most:
        raise _too_large(most)


def _too_large(most: int) -> TooLarge:
    size = f"{most / 2**20:g} MB" if most >= 2**20 else f"{most / 2**10:g} KB"
    return TooLarge(f"A body of this kind has at most {size}.", most_bytes=most)
