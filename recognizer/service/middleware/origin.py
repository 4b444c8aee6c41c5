"""No page of another site uses the service through somebody's browser.

Browsers send such requests without asking: forms and pictures go to any address, ``http://localhost:8000`` included,
with the cookies that belong there. They say so, too, by ``Sec-Fetch-Site`` and ``Origin``. Other programs send neither
header, and have no cookies that others could use.
"""

import re

from recognizer.service.errors import Forbidden
from recognizer.service.middleware import asgi

HARMLESS = ("GET", "HEAD", "OPTIONS")
LOCAL = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.ASCII | re.IGNORECASE)
PORTS = {"http": ":80", "https": ":443"}


class Origin:
    """Refuses what changes something, and WebSockets, where a page of another site is behind it.

    Args:
        keys_off: everybody on this machine may do everything, so it is asked for by this machine's name alone: a name
            of elsewhere that was made to lead here (DNS rebinding) would let its pages read the answers. And not by
            way of a proxy, which would bring everybody.
    """

    def __init__(self, app: asgi.Application, keys_off: bool = False):
        self._app, self._keys_off = app, keys_off

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if asgi.is_request(scope):
            try:
                self._check(scope)
            except Forbidden as error:
                return await asgi.refuse(error, scope, receive, send)
        return await self._app(scope, receive, send)

    def _check(self, scope: asgi.Scope) -> None:
        if self._keys_off and not LOCAL.fullmatch(asgi.value(scope, b"host") or ""):
            raise Forbidden(
                "Without keys the service answers to localhost and 127.0.0.1 alone: for others, set keys: required."
            )
        if self._keys_off and asgi.state(scope).get("forwarded"):
            raise Forbidden("Without keys the service does not answer through a proxy: set keys: required.")
        if scope.get("method") not in HARMLESS and _is_foreign(scope):
            raise Forbidden("A page of another site asked for this.")


def is_own(scope: asgi.Scope) -> bool:
    """Whether a browser says that a page of this service asks: what is shown by a cookie goes with any page's requests.

    Browsers leave ``Sec-Fetch-Site`` out where there is neither TLS nor a name of this machine.
    """
    site, origins = asgi.values(scope, b"sec-fetch-site"), asgi.values(scope, b"origin")
    if site:
        return all(each == b"same-origin" for each in site)
    return bool(origins) and all(_is_here(each.decode("latin-1"), scope) for each in origins)


def _is_foreign(scope: asgi.Scope) -> bool:
    site = asgi.values(scope, b"sec-fetch-site")
    if site:
        return any(each not in (b"same-origin", b"none") for each in site)
    return any(not _is_here(each.decode("latin-1"), scope) for each in asgi.values(scope, b"origin"))


def _is_here(origin: str, scope: asgi.Scope) -> bool:
    """Whether an origin is where the request went; only one without TLS may be of another scheme: a proxy's."""
    scheme, _, host = origin.lower().partition("://")
    if scope.get("scheme") in ("https", "wss") and scheme != "https":
        return False
    asked = (asgi.value(scope, b"host") or "").lower()
    port = PORTS.get(scheme, "")
    return bool(host) and host.removesuffix(port) == asked.removesuffix(port)
