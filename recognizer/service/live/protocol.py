"""uvicorn's WebSockets, with an end where it has none: to answers that nobody takes, closings that nobody answers.

Without them a client that stops reading keeps its connection, and the service, when it is told to end, waits for it.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from recognizer.service import protocol

NAME = f"{__name__}:GuardedWebSocket"
CLOSE_SECONDS = 5.0  # for a client to answer a close frame
MOST_FRAMES = 4096  # pings, pongs and pieces, until a message is whole
MOST_WAITING = 256  # messages, of one stretch of bytes: after it reading stops until they are taken
POLICY_VIOLATION, RESTART = 1008, 1012  # codes with which a connection is closed

log = logging.getLogger("recognizer.service.live")
log.setLevel(logging.WARNING)  # uvicorn tells each address that is asked for, with its query


class GuardedWebSocket(WebSocketsSansIOProtocol):
    """One connection. When the service ends, the application gets ``websocket.disconnect`` with the code 1012.

    It gets that in place of the next message, and has to close the connection itself: what it is working on is
    answered before.
    """

    _writing: asyncio.TimerHandle | None = None
    _over: dict[str, Any] | None = None  # what the application gets in place of further messages
    _is_refused = False
    _frames = 0

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **named)
        self.logger = log

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self._is_refused:  # else it is taken, and thrown away
            super().data_received(data)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self._writing or self.loop.call_later(protocol.ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_writing()

    def handle_ping(self) -> None:
        self._count()
        if not self._is_refused:
            super().handle_ping()

    def handle_pong(self, event: Any) -> None:
        self._count()
        super().handle_pong(event)

    def handle_cont(self, event: Any) -> None:
        self._count()
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        self._frames = 0
        if self.queue.qsize() >= MOST_WAITING:
            self._refuse(f"more than {MOST_WAITING} messages at once")
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Close where a message is too large or no WebSocket's, and read on for a while.

        A connection that is cut while the client sends shows it an error of the network instead of the code.
        """
        told = self.conn.close_sent
        if told is None:  # before it was accepted
            self.transport.abort()
            return
        self._is_refused = self.close_sent = True
        self._end(told.code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._cut_soon()

    def shutdown(self) -> None:
        if not self.writable.is_set():
            self.transport.abort()
        elif not self.close_sent:  # else it ends by itself
            self._end(RESTART)

    async def receive(self) -> Any:
        message = await super().receive()
        return self._over if self._over is not None and message["type"] == "websocket.receive" else message

    async def send(self, message: Any) -> None:
        if self._is_refused:
            raise ClientDisconnected
        await super().send(message)
        if self.close_timer is not None:  # uvicorn's, after which it waits for what was not taken
            self._cut_soon()

    def _count(self) -> None:
        self._frames += 1
        if self._frames > MOST_FRAMES:
            self._refuse(f"more than {MOST_FRAMES} frames without a message")

    def _refuse(self, reason: str) -> None:
        if not self.close_sent:
            self.conn.fail(POLICY_VIOLATION, reason)
            self.handle_parser_exception()

    def _end(self, code: int) -> None:
        self._over = {"type": "websocket.disconnect", "code": code}
        self.queue.put_nowait(self._over)

    def _cut_soon(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def _stop_writing(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
