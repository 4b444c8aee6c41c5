"""The few words of ASGI that the parts of the middleware share."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from common.errors import FaceError
from recognizer.service import errors

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

DENIAL = "websocket.http.response"  # the extension of servers that refuse a WebSocket with an answer
POLICY_VIOLATION = 1008  # the code with which a WebSocket is closed


def is_request(scope: Scope) -> bool:
    """Whether it is a request or a WebSocket, not the start and end of the service."""
    return scope["type"] in ("http", "websocket")


def state(scope: Scope) -> dict[str, Any]:
    """What the parts tell each other, and the routes, about one request."""
    return scope.setdefault("state", {})


def values(scope: Scope, name: bytes) -> list[bytes]:
    """All headers of that name (in lower case), as they came."""
    return [value for key, value in scope["headers"] if key == name]


def value(scope: Scope, name: bytes) -> str | None:
    """The one header of that name; None where there is none, or several that contradict each other."""
    found = set(values(scope, name))
    return found.pop().decode("latin-1") if len(found) == 1 else None


async def refuse(error: FaceError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error in place of the application: as a page where a browser asks for one (``state.as_page``).

    A WebSocket that was not accepted yet gets plain HTTP.
    """
    if scope["type"] == "websocket" and DENIAL not in scope.get("extensions", {}):
        return await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": errors.answer_of(error).code})
    answer: Response = errors.response(error)
    as_page = getattr(scope["app"].state, "as_page", None) if "app" in scope else None
    if as_page is not None and scope["type"] == "http":
        answer = await as_page(Request(scope), answer)
    return await answer(scope, receive, send)
