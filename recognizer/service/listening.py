"""Where the service may listen, and how: keys for everything but this machine, TLS, and uvicorn's own limits."""

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from common.errors import BadConfig
from db.database import Database
from recognizer.service import protocol
from recognizer.service.live import protocol as live_protocol
from recognizer.service.middleware import proxy
from recognizer.service.settings import ServiceSettings

KEEP_ALIVE_SECONDS = 5
MAX_HEADERS = 16 * 2**10  # bytes, of all headers together
MAX_WEBSOCKET_MESSAGE = 2 * 2**20  # bytes: a picture of a camera


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone. A name other than localhost may lead anywhere."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check(settings: ServiceSettings, database: Database) -> None:
    """Refuse to listen where anybody could use the service, or nobody.

    Raises:
        BadConfig: what to do instead.
        DatabaseError.
    """
    proxy.checked(settings.trusted_proxies)
    if settings.keys == "off":
        if not is_loopback(settings.host):
            raise BadConfig(
                f"{settings.host[:60]} can be reached from other machines, and without keys everybody there could do "
                "everything. Set keys: required in `service` of recognizer.yaml, or RECOGNIZER_SERVICE_KEYS=required, "
                "and make a key: recognizer keys create NAME --role admin. Or listen on 127.0.0.1."
            )
        if settings.trusted_proxies:
            raise BadConfig("trusted_proxies bring requests of other machines: set keys: required, too.")
    elif not is_loopback(settings.host) and not any(key.state() == "active" for key in database.keys.list()):
        raise BadConfig(
            "There is no API key, so nobody could use the service. Make one first, in the same database: recognizer "
            "keys create NAME --role admin."
        )


def options(settings: ServiceSettings) -> dict[str, Any]:
    """The arguments of ``uvicorn.run`` that concern safety. Its own reading of proxies' headers and its log are off.

    Raises:
        BadConfig: the certificate and its key cannot be used.
    """
    found: dict[str, Any] = {
        "http": protocol.NAME,
        "limit_concurrency": settings.max_connections,
        "h11_max_incomplete_event_size": MAX_HEADERS,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "ws": live_protocol.NAME,
        "ws_max_size": MAX_WEBSOCKET_MESSAGE,
        "ws_ping_interval": None,  # who is silent is closed; behind a picture on a slow line a pong would come too late
        "ws_per_message_deflate": False,  # nothing that strangers packed is unpacked; pictures are packed already
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
    }
    if settings.tls_certificate is not None:
        found |= _tls(settings.tls_certificate, settings.tls_key)
    return found


def _tls(certificate: str, key: str) -> dict[str, Any]:
    certificate, key = (str(Path(each).expanduser()) for each in (certificate, key))
    for name, path in (("tls_certificate", certificate), ("tls_key", key)):
        if not Path(path).is_file():
            raise BadConfig(f"{name}: there is no file {path}.")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise BadConfig(f"tls_certificate and tls_key cannot be used together: {reason}.") from None
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def _no_password() -> str:
    """Instead of OpenSSL's asking at the terminal."""
    raise ValueError("the key is protected by a password: store it without one, readable by the service alone")
