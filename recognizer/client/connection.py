"""The connection to a service: keys, errors, and sending again what got no answer."""

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import requests
from urllib3.exceptions import NewConnectionError

from common import __version__
from common.errors import BadArgument, FaceError
from recognizer.client import addresses
from recognizer.client.answers import refused
from recognizer.client.bearer import Bearer
from recognizer.client.errors import ServiceRefused, ServiceUnreachable
from recognizer.client.forms import Form

AGAIN = (429, 502, 503, 504)  # too many, or not at the moment
UNDER_WAY = 409  # with Retry-After: the first request of an Idempotency-Key
FIRST_PAUSE = 0.5  # seconds, doubled with each attempt
LONGEST_PAUSE = 60.0  # who is asked to wait longer is told

log = logging.getLogger("recognizer.client")
Read = TypeVar("Read")


@dataclass
class Request:
    """What is asked for; its body is JSON, a form, or nothing."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Form | None = None


class Connection:
    """Asks one service. Arguments as of :class:`recognizer.client.Client`.

    Raises:
        BadArgument: an argument that cannot be used.
    """

    def __init__(
        self, url: str, key: str | None, timeout: float, retries: int, verify: bool, ca: str | PathLike[str] | None
    ):
        self.url = addresses.checked(url)
        if ca is not None and not Path(ca).exists():
            raise BadArgument(f"ca: there is no file {ca}.")
        if not timeout > 0 or retries < 0:
            raise BadArgument("timeout is a number of seconds above 0, and retries a number from 0.")
        self._timeout, self._retries = timeout, retries
        self._verify: bool | str = str(ca) if ca is not None and verify else verify
        self._session = requests.Session()
        self._session.auth = self._bearer = Bearer(key)
        self._session.headers["User-Agent"] = f"recognizer/{__version__}"
        self._session.trust_env = not addresses.is_here(self.url)  # no proxy to this machine

    @property
    def has_key(self) -> bool:
        """Whether requests show a key."""
        return self._bearer.is_there

    def close(self) -> None:
        """End the connections that are kept open."""
        self._session.close()

    def ask(self, request: Request, retries: int | None = None) -> requests.Response:
        """The answer to a request; one without answer, or that is to be tried again, is sent again.

        Raises:
            ServiceRefused, ServiceUnreachable, BadArgument.
        """
        return self.follow(request, lambda answer: answer, retries, stream=False)

    def follow(
        self,
        request: Request,
        read: Callable[[requests.Response], Read],
        retries: int | None = None,
        stream: bool = True,
    ) -> Read:
        """What a function makes of the answer, whose body it reads; called again where the connection is cut.

        Raises:
            ServiceRefused, ServiceUnreachable, BadArgument, and what ``read`` raises.
        """
        left = self._retries if retries is None else retries
        for attempt in range(left + 1):
            found = self._once(request, read, stream)
            if not isinstance(found, _Failure):
                return found
            failure = found
            pause = _pause(failure, attempt)
            if attempt == left or pause is None:
                break
            log.info("%s again in %.1f s: %s", request.method, pause, failure)
            time.sleep(pause)
        raise failure.error  # outside of any except: what requests raised has the key

    def _once(self, request: Request, read: Callable[[requests.Response], Read], stream: bool) -> "Read | _Failure":
        try:
            with self._send(request, stream) as answer:
                if answer.status_code < 300 or answer.status_code == 304:
                    return read(answer)
                return _Failure(refused(answer))
        except requests.exceptions.SSLError:
            said = "the certificate is not one that is trusted for this name: give ca=, or another url"
            return _Failure(ServiceUnreachable(f"{self.url}: {said}."), is_lasting=True)
        except requests.Timeout:
            return _Failure(ServiceUnreachable(f"{self.url} did not answer within {self._timeout:g} seconds."))
        except ValueError:  # also of requests
            return _Failure(BadArgument("The request holds a text that cannot be sent."), is_lasting=True)
        except requests.RequestException as error:
            return _Failure(ServiceUnreachable(f"{self.url}: {_problem(error)}."))

    def _send(self, request: Request, stream: bool) -> requests.Response:
        headers = dict(request.headers)
        if request.form is not None:
            headers["Content-Type"] = request.form.content_type
        elif request.json is not None:
            headers["Content-Type"] = "application/json"
        return self._session.request(
            request.method,
            self.url + request.path,
            params={name: _text(value) for name, value in request.query.items() if value is not None},
            headers=headers,
            data=_encoded(request.json) if request.form is None else request.form,
            timeout=self._timeout,
            verify=self._verify,
            allow_redirects=False,  # nothing is sent elsewhere
            stream=stream,
        )


@dataclass
class _Failure:
    """An attempt that came to nothing; a lasting one will not do better."""

    error: FaceError
    is_lasting: bool = False

    def __str__(self) -> str:
        """Without names and addresses."""
        error = self.error
        return f"{error.status} {error.code}" if isinstance(error, ServiceRefused) else type(error).__name__


def _pause(failure: _Failure, attempt: int) -> float | None:
    """Seconds until the next attempt; None where there is to be none."""
    error = failure.error
    if failure.is_lasting:
        return None
    if isinstance(error, ServiceRefused):
        is_passing = error.status in AGAIN or (error.status == UNDER_WAY and error.retry_after is not None)
        if not is_passing or (error.retry_after or 0.0) > LONGEST_PAUSE:
            return None
        if error.retry_after is not None:
            return error.retry_after
    return FIRST_PAUSE * float(2**attempt) * random.uniform(0.8, 1.2)


def _problem(error: requests.RequestException) -> str:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, NewConnectionError):
        return "nobody answers there: is the service running, and is the address right"
    return "the connection was cut before the answer was whole"


def _encoded(value: Any) -> bytes | None:
    try:
        return None if value is None else json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise BadArgument("What is sent as JSON holds texts, numbers that are finite, lists and the like.") from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)
