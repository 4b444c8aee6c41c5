"""uvicorn's HTTP, with time limits where it has none: for headers, for what is left of a body, for taking an answer.

Without them a client that sends a byte now and then, or reads none, has a connection for as long as it likes, and a
thousand of them have all that there are (slow-loris). And with an answer at the door where the queue is full.
"""

import asyncio
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from recognizer.service import overload
from recognizer.service.context import Services

NAME = f"{__name__}:GuardedProtocol"
HEADER_SECONDS = 10.0  # from a connection or the end of an answer to the end of the headers that follow
ANSWER_SECONDS = 30.0  # in which a client takes the next piece of an answer
REFUSED = 2  # times as many connections as are served get 503; what is beyond is cut at once
BETWEEN = {h11.CLIENT: h11.IDLE, h11.SERVER: h11.IDLE}  # the states of a connection between two requests


class GuardedProtocol(H11Protocol):
    """One connection.

    A body that was refused is still taken, and thrown away, for as long as headers may take: a connection that is cut
    while the client sends shows it an error of the network instead of the answer.
    """

    _unread = 0  # bytes still to come of a body that was refused at the door
    _waiting: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        rest = self._thrown_away(data) if self._unread else data
        while rest and (taken := self._turned_away(rest)):
            rest = self._thrown_away(rest[taken:])
        if rest:
            super().data_received(rest)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self._writing or self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _turned_away(self, data: bytes) -> int:
        """Answer a request that a full queue refuses, where what came begins with one; the length of its head, or 0."""
        services = self._services()
        if services is None or not services.door.is_shut or not self._is_between() or self.flow.write_paused:
            return 0
        head = overload.head_of(data)
        if head is None:
            return 0
        refusal = services.door.answer(head, self.client, self.scheme, self.server_state.default_headers)
        self._unset_keepalive_if_required()
        self._stop_waiting()
        self._unread = head.body
        self.transport.write(refusal)
        return head.length

    def _thrown_away(self, data: bytes) -> bytes:
        """What follows the body that was refused."""
        rest = data[self._unread :]
        self._unread = max(0, self._unread - len(data))
        if not self._unread:
            self._stop_waiting()
            self.on_response_complete()
        return rest

    def _is_between(self) -> bool:
        """Whether the next byte is the first one of a request."""
        return self.conn.states == BETWEEN and not self.conn.trailing_data[0] and not self.transport.is_closing()

    def _services(self) -> Services | None:
        return getattr(getattr(self.app, "state", None), "services", None)

    def _watch(self) -> None:
        """Start the time, or stop it; what arrives meanwhile does not start it anew."""
        begins = self.conn.their_state is h11.IDLE
        is_left_over = self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
        if not (begins or is_left_over):
            self._stop_waiting()
        elif self._waiting is None and not self.transport.is_closing():
            self._waiting = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _stop(self) -> None:
        self._stop_waiting()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _is_one_too_many(self) -> bool:
        """Of all, or of one address, which gets at most half of those that are served; this machine and trusted proxies
        speak for many."""
        most = self.limit_concurrency
        if most is None or len(self.connections) > REFUSED * most:
            return most is not None
        address = ip_address(self.client[0]) if self.client else None
        if address is None or address.is_loopback or any(address in each for each in self._proxies()):
            return False
        return (
            sum(each.client is not None and each.client[0] == self.client[0] for each in self.connections) > most // 2
        )

    def _proxies(self) -> list[IPv4Network | IPv6Network]:
        services = self._services()
        return _networks(services.settings.trusted_proxies) if services else []


@lru_cache
def _networks(addresses: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(each) for each in addresses]
