"""Headers that keep browsers from doing with an answer what it is not for."""

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
    b"referrer-policy": b"no-referrer",
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
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def protected(message: asgi.Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                there = {name.lower() for name, _ in headers}
                added = [(name, value) for name, value in ALWAYS.items() if name not in there]
                if _is_strict(scope):
                    added.append(STRICT_TRANSPORT)
                message["headers"] = headers + added
            await send(message)

        return await self._app(scope, receive, protected)


def _is_strict(scope: asgi.Scope) -> bool:
    """Over TLS, under a name of its own: under localhost it would bind whatever else runs on this machine."""
    host = asgi.value(scope, b"host") or ""
    return scope.get("scheme") == "https" and host.rsplit(":", 1)[0].lower() not in LOCAL and host != LOCAL[-1]
