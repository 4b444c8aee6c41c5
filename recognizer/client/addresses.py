"""The addresses of the service, and of what it has."""

from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from common.errors import BadArgument, BadName

PREFIX = "/v1"
STEPS = (".", "..")


def checked(url: str) -> str:
    """The address of a service without a slash at the end. Raises BadArgument."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_plain = parts.username is None and not parts.query and not parts.fragment
    except (ValueError, AttributeError, TypeError):
        is_good = is_plain = False
    if not is_good or not is_plain:
        raise BadArgument(
            "The url of a service reads http://host:port or https://host, without user, password, ? and #: a key is "
            "given as key=."
        )
    return url.rstrip("/")


def is_here(url: str) -> bool:
    """Whether an address is of this machine alone."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def path(*parts: str | int) -> str:
    """The address of something, such as ``path("people", "Ann/Lee")``: ``/v1/people/Ann%2FLee``.

    Raises:
        BadName: a part that cannot stand in an address: an empty one, one that is no text, "." or "..".
    """
    return "/".join((PREFIX, *map(_part, parts)))


def _part(part: str | int) -> str:
    text = str(part) if isinstance(part, int) else part
    if not isinstance(text, str) or not text.strip():
        raise BadName("A name in an address is a text that is not blank.")
    if text in STEPS:  # which programs on the way leave out, so that the address is another one
        raise BadName(f"{text!r} cannot stand in an address: rename or forget that on the machine of the service.")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise BadName("A name in an address holds a character that is none (half of a surrogate pair).") from None
