"""Requests of somebody who uses the service, timed by kind; what goes wrong is kept, and the next one is made."""

import http.client
import json
import time
from collections.abc import Sequence
from typing import Any

from bench.serving import forms

TIMEOUT = 60


class Calls:
    """One client of a service on this machine, over a connection that it keeps.

    Attributes:
        seconds: that requests took, by kind.
        errors: in words, each beginning with its kind.
    """

    def __init__(self, port: int):
        self.seconds: dict[str, list[float]] = {}
        self.errors: list[str] = []
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def send(
        self, kind: str, path: str, photos: Sequence[bytes], fields: dict[str, str] | None = None, field: str = "photos"
    ) -> Any:
        """The answer to a form with files; None where it is an error."""
        body = forms.form(photos, fields, field)
        return self._read(self._made(kind, "POST", path, body, {"Content-Type": forms.FORM}))

    def ask(self, kind: str, method: str, path: str, content: Any = None) -> Any:
        """The answer to a request with or without JSON; None where it is an error."""
        if content is None:
            return self._read(self._made(kind, method, path))
        body = json.dumps(content).encode()
        return self._read(self._made(kind, method, path, body, {"Content-Type": "application/json"}))

    def fetch(self, kind: str, path: str) -> bytes | None:
        """What is under an address; None where it is an error."""
        return self._made(kind, "GET", path)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _made(
        self, kind: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes | None:
        began = time.perf_counter()
        try:
            self._connection.request(method, path, body, headers or {})
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(f"{kind}: {type(error).__name__}: {error}")
            self._connection.close()
            return None
        self.seconds.setdefault(kind, []).append(time.perf_counter() - began)
        if answer.status >= 400:
            self.errors.append(f"{kind}: {answer.status} {content[:200].decode(errors='replace')}")
            return None
        return content

    @staticmethod
    def _read(content: bytes | None) -> Any:
        return None if content is None else json.loads(content or b"null")
