"""Asks a service whether it is ready, with Python's own library: a container has no other program for it."""

import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

from common.errors import BadArgument
from recognizer.service.settings import ServiceSettings

ROUTE = "/v1/ready"
SECONDS = 4  # for the connection, and for each part of the answer
MAX_BYTES = 4096


def own_address(settings: ServiceSettings) -> str:
    """Where the service of some settings is reached from its own machine. Raises BadArgument: at any free port."""
    if settings.port == 0:
        raise BadArgument("With port 0 the service takes any free port: name it with --url http://127.0.0.1:PORT.")
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{_reachable(settings.host)}:{settings.port}"


def problem(address: str, *, check_certificate: bool) -> str | None:
    """What keeps the service there from being ready, as a sentence; None when it is.

    Args:
        address: ``http://HOST:PORT`` or ``https://HOST:PORT``, where a proxy may have put a path.
        check_certificate: False takes any, for what only this machine hears.

    Raises:
        BadArgument: not such an address.
    """
    parts = _parts(address)
    connection = _connection(parts, check_certificate)
    try:
        connection.request("GET", f"{parts.path.rstrip('/')}{ROUTE}")
        answer = connection.getresponse()
        told = _read(answer.read(MAX_BYTES))
    except TimeoutError:
        return f"no answer within {SECONDS} seconds."
    except (OSError, HTTPException, ValueError) as error:
        return f"{getattr(error, 'strerror', None) or error or type(error).__name__}."
    finally:
        connection.close()
    if answer.status == 200 and told.get("status") == "ready":
        return None
    return str(told.get("message") or f"the answer has status {answer.status}, and is not this service's.")


def _reachable(host: str) -> str:
    """An address to connect to, where the service may listen on all that there are."""
    try:
        address = ip_address(host or "0.0.0.0")
    except ValueError:
        return host
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    return str(address) if address.version == 4 else f"[{address}]"


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise BadArgument("The address must be http://HOST:PORT or https://HOST:PORT, such as http://127.0.0.1:8000.")
    return parts


def _connection(parts: SplitResult, check_certificate: bool) -> HTTPConnection:
    if parts.scheme == "http":
        return HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)
    context = ssl.create_default_context()
    if not check_certificate:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return HTTPSConnection(parts.hostname, parts.port, timeout=SECONDS, context=context)


def _read(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {}
