"""Headers that keep browsers from doing with an answer what it is not for."""

from collections.abc import Sequence

from recognizer.service.middleware import asgi

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
ALWAYS = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",  # with none at all, forms of the pages would come from the origin "null"
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",  # no other page shows the pictures of people
    b"permissions-policy": b"camera=(self), microphone=(), geolocation=(), display-capture=(), payment=(), usb=()",
    b"cache-control": b"no-store",  # static files of the pages set their own
}
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
LOCAL = ("localhost", "127.0.0.1", "[::1]")


class Headers:
    """Adds to each answer what it does not have yet."""

    def __init__(self, app: asgi.Application):
        self._app = app

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope):
            return await self._app(scope, receive, send)

        async def protected(message: asgi.Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = list(message.get("headers", ()))
                message["headers"] = headers + missing(headers, is_strict(scope))
            await send(message)

        return await self._app(scope, receive, protected)


def missing(headers: Sequence[tuple[bytes, bytes]], strict: bool) -> list[tuple[bytes, bytes]]:
    """What has to be added to the headers of an answer; ``strict``: TLS alone from now on."""
    there = {name.lower() for name, _ in headers}
    added = [(name, value) for name, value in ALWAYS.items() if name not in there]
    return [*added, STRICT_TRANSPORT] if strict else added


def is_strict(scope: asgi.Scope) -> bool:
    """Over TLS, under a name of its own: under localhost it would bind whatever else runs on this machine."""
    host = asgi.value(scope, b"host") or ""
    return scope.get("scheme") in ("https", "wss") and host.rsplit(":", 1)[0].lower() not in LOCAL and host != LOCAL[-1]
