"""The client's address and whether it came over TLS, as told by reverse proxies: by those that are trusted alone."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from common.errors import BadConfig
from recognizer.service.middleware import asgi

FORWARDED = (b"x-forwarded-for", b"x-forwarded-host", b"forwarded", b"via", b"x-real-ip")


class Proxy:
    """Sets ``state["address"]``, and ``state["forwarded"]``: whether a proxy says that it was in between.

    Args:
        trusted: addresses and networks. Of ``X-Forwarded-For`` the last address that is none of them counts, which
            the last trusted proxy saw itself; what stands before it anybody may have written.

    Raises:
        BadConfig: something else.
    """

    def __init__(self, app: asgi.Application, trusted: Sequence[str] = ()):
        self._app = app
        self._told = ProxyHeadersMiddleware(self._addressed, list(checked(trusted)))

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if not asgi.is_request(scope):
            return await self._app(scope, receive, send)
        known = asgi.state(scope)
        known["address"] = _plain((scope.get("client") or ("unknown",))[0])
        known["forwarded"] = any(name in FORWARDED for name, _ in scope["headers"])
        if scope.get("client"):
            scope["client"] = (known["address"], scope["client"][1])
        return await self._told(scope, receive, send)

    async def _addressed(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        told = _plain((scope.get("client") or ("unknown",))[0])
        if _is_address(told):
            asgi.state(scope)["address"] = told
        await self._app(scope, receive, send)


def checked(trusted: Sequence[str]) -> tuple[str, ...]:
    """Addresses and networks of proxies. Raises BadConfig."""
    for each in trusted:
        try:
            network = ip_network(each)
        except ValueError:
            raise BadConfig(
                f"trusted_proxies: {each[:60]!r} is neither an address (10.0.0.5) nor a network (10.0.0.0/24)."
            ) from None
        if network.prefixlen == 0:
            raise BadConfig(f"trusted_proxies: {each} is everybody: name the proxies.")
    return tuple(trusted)


def address(scope: asgi.Scope, trusted: tuple[str, ...]) -> str:
    """The client's address, as :class:`Proxy` sets it."""
    own = _plain((scope.get("client") or ("unknown",))[0])
    told, hosts = asgi.values(scope, b"x-forwarded-for"), _hosts(trusted)
    if not told or own not in hosts:
        return own
    last = _plain(hosts.get_trusted_client_address(b", ".join(told).decode("latin-1"))[0])
    return last if _is_address(last) else own


@lru_cache
def _hosts(trusted: tuple[str, ...]) -> Any:
    return ProxyHeadersMiddleware(None, list(trusted)).trusted_hosts


@lru_cache(256)
def _plain(address: str) -> str:
    """An address in one spelling: IPv4 within IPv6 is IPv4."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False
