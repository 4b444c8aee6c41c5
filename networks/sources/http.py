"""One file over HTTP: streamed, size-capped, taken up again where the connection broke."""

import re
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, BinaryIO

from common.errors import FetchFailed
from networks.sources.delivery import Delivery

if TYPE_CHECKING:
    from requests import Response, Session

ATTEMPTS = 5
CHUNK = 2**16  # a chunk that the connection breaks in is lost
FIRST_PAUSE = 0.5  # seconds; doubles with each further attempt
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class _Broken(Exception):
    """This attempt failed in a way that another one may mend."""


def download(url: str, delivery: Delivery, session: "Session | None" = None) -> None:
    """Write what ``url`` answers to ``delivery.target``.

    A broken transfer goes on where it stopped if the server named a validator (ETag or Last-Modified) and
    answers the range asked for; otherwise it starts anew.

    Raises:
        FetchFailed: not to be had, too large, or broken off ``ATTEMPTS`` times.
    """
    import requests  # 0.15 s, and only needed where something is downloaded

    own = nullcontext(session) if session else requests.Session()
    with own as client, delivery.target.open("wb") as out:
        validator = None
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
            try:
                with _request(client, url, out, validator) as response:
                    start = _start(response, out)
                    validator = _validator(response)
                    _receive(response, out, start, delivery)
                    return
            except _Broken as error:
                reason = str(error)
            except requests.RequestException as error:
                reason, lasting = _in_words(error)
                if lasting:
                    raise FetchFailed(reason) from None
    raise FetchFailed(f"{reason} (tried {ATTEMPTS} times)")


def _request(session: "Session", url: str, out: BinaryIO, validator: str | None) -> "Response":
    # Without "identity" a server may compress, and lengths and ranges would not count the file's bytes.
    headers = {"Accept-Encoding": "identity"}
    if validator and out.tell():
        headers |= {"Range": f"bytes={out.tell()}-", "If-Range": validator}
    return session.get(url, headers=headers, stream=True, timeout=TIMEOUT)


def _start(response: "Response", out: BinaryIO) -> int:
    """The position in the file at which the body of ``response`` begins; ``out`` is after what is there."""
    status = response.status_code
    if status == 200:
        return 0
    if status in TRANSIENT:
        raise _Broken(f"HTTP status {status}")
    if status not in (206, 416):
        raise FetchFailed(f"HTTP status {status}")
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if status == 206 and found and int(found[1]) == out.tell():
        return out.tell()
    out.seek(0)  # so that the next attempt asks for the whole file
    raise _Broken("the server answered another range than asked for")


def _validator(response: "Response") -> str | None:
    """What ``If-Range`` may hold: a strong ETag, or else the date of the last change."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _receive(response: "Response", out: BinaryIO, start: int, delivery: Delivery) -> None:
    out.seek(start)
    out.truncate()
    length = response.headers.get("Content-Length", "")
    # A length is one of encoded bytes where the server compresses although it was asked not to.
    exact = length.isdecimal() and "Content-Encoding" not in response.headers
    total = start + int(length) if exact else None
    delivery.check_size(total or 0)
    for chunk in response.iter_content(CHUNK):
        out.write(chunk)
        delivery.check_size(out.tell())
        delivery.report(out.tell(), total)
    if total is not None and out.tell() < total:
        raise _Broken(f"the connection broke after {out.tell()} of {total} bytes")


def _in_words(error: Exception) -> tuple[str, bool]:
    """The kind of failure in our own words, and whether trying again is in vain.

    Texts of the library are not shown: they can hold addresses with signed queries.
    """
    from requests import exceptions
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, exceptions.SSLError):
        return "the secure connection failed (certificate)", True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    unreached = (exceptions.ConnectTimeout, exceptions.ProxyError)
    if isinstance(error, unreached) or isinstance(reason, NewConnectionError):
        return "cannot be reached", True
    if isinstance(error, exceptions.Timeout):
        return "no answer in time", False
    if isinstance(error, (exceptions.ConnectionError, exceptions.ChunkedEncodingError)):
        return "the connection broke", False
    return type(error).__name__, True
