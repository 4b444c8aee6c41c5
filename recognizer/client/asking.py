"""What the parts of a client share: reading, writing, and lists that come page by page."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from uuid import uuid4

import requests

from recognizer.client.answers import content
from recognizer.client.connection import Connection, Request
from recognizer.client.errors import BadAnswer
from recognizer.client.forms import Form
from recognizer.client.reading import read
from recognizer.client.results import Job

Result = TypeVar("Result")


class Asking:
    """One part of a client.

    Args:
        connection: to the service.
        gallery: the one that is meant where a call names none; None: the key's, else the default one.
    """

    def __init__(self, connection: Connection, gallery: str | None):
        self._connection, self._gallery = connection, gallery

    def _of(self, gallery: str | None, **query: Any) -> dict[str, Any]:
        """A query about a gallery."""
        return query | {"gallery": self._gallery if gallery is None else gallery}

    def _get(self, kind: type[Result], path: str, query: Mapping[str, Any] | None = None) -> Result:
        return read(kind, content(self._connection.ask(Request("GET", path, query or {}))))

    def _find(self, kind: type[Result], path: str, query: Mapping[str, Any], **body: Any) -> Result:
        """What a POST that changes nothing answers."""
        return read(kind, content(self._connection.ask(Request("POST", path, query, **body))))

    def _write(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        idempotency_key: str | None,
        etag: str | None = None,
        *,
        json: Any = None,
        form: Form | None = None,
    ) -> requests.Response:
        """The answer to a write, which is done once however often it has to be sent."""
        headers = {"Idempotency-Key": uuid4().hex if idempotency_key is None else idempotency_key}
        if etag is not None:
            headers["If-Match"] = etag
        return self._connection.ask(Request(method, path, query or {}, headers, json, form))

    def _ask_for_job(self, path: str, query: Mapping[str, Any] | None, idempotency_key: str | None, **body: Any) -> Job:
        return read(Job, content(self._write("POST", path, query, idempotency_key, **body)))

    def _pages(
        self, kind: type[Result], path: str, what: str, query: Mapping[str, Any] | None = None
    ) -> Iterator[Result]:
        """All items of a list, page after page; nothing is asked for before the first one is wanted."""
        cursor = None
        while True:
            page = content(self._connection.ask(Request("GET", path, {**(query or {}), "cursor": cursor})))
            items, following = _page(page, what)
            for item in items:
                yield read(kind, item)
            if following is None or following == cursor:
                return
            cursor = following


def _page(page: Any, what: str) -> tuple[list[Any], str | None]:
    try:
        return list(page[what]), page.get("next_cursor")
    except (TypeError, KeyError, AttributeError):
        raise BadAnswer(f"The service's answer is no page of {what}: use the client of its release.") from None
