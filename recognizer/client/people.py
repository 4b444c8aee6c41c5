"""People: who is there, enrolling, renaming, metadata, putting together, forgetting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import EllipsisType
from typing import Any, overload

import requests

from recognizer.client.addresses import path
from recognizer.client.answers import content
from recognizer.client.asking import Asking
from recognizer.client.connection import Request
from recognizer.client.forms import Files, Form, files_of
from recognizer.client.reading import read
from recognizer.client.results import Enrolment, Forgotten, Person, Receipt, Restored


class People(Asking):
    """See :class:`recognizer.client.Client`."""

    def people(self, prefix: str = "", *, page_size: int = 100, gallery: str | None = None) -> Iterator[Person]:
        """Everyone whose name begins so, by name; ``page_size`` of them are asked for at a time."""
        return self._pages(Person, path("people"), "people", self._of(gallery, prefix=prefix, limit=page_size))

    @overload
    def person(self, name: str, *, gallery: str | None = None) -> Person: ...
    @overload
    def person(self, name: str, *, gallery: str | None = None, etag: str) -> Person | None: ...
    def person(self, name: str, *, gallery: str | None = None, etag: str | None = None) -> Person | None:
        """One person; None where that is still the version ``etag``. Raises ServiceRefused: unknown_person."""
        headers = {} if etag is None else {"If-None-Match": etag}
        answer = self._connection.ask(Request("GET", path("people", name), self._of(gallery), headers))
        return None if answer.status_code == 304 else person_of(answer)

    def add_person(
        self,
        name: str,
        photos: Files,
        *,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Enrolment:
        """Enrol somebody new. Raises ServiceRefused: name_taken, nothing_enrolled."""
        answer = self._write(
            "POST",
            path("people"),
            self._of(gallery),
            idempotency_key,
            etag,
            form=Form({"name": name}, files_of(photos)),
        )
        return enrolment_of(answer)

    def change_person(
        self,
        name: str,
        *,
        new_name: str | None = None,
        metadata: Mapping[str, Any] | None | EllipsisType = ...,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Person:
        """Another name, other metadata (None: none), or both in one step. Raises ServiceRefused: name_taken."""
        change = ({} if new_name is None else {"name": new_name}) | ({} if metadata is ... else {"metadata": metadata})
        answer = self._write("PATCH", path("people", name), self._of(gallery), idempotency_key, etag, json=change)
        return person_of(answer)

    def delete_person(
        self,
        name: str,
        *,
        undo_seconds: float | None = None,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Forgotten:
        """Forget a person. ``undo`` takes it back, for the service's time or ``undo_seconds``; 0: for good."""
        query = self._of(gallery, undo_seconds=undo_seconds)
        answer = self._write("DELETE", path("people", name), query, idempotency_key, etag)
        return read(Forgotten, content(answer))

    def merge_people(
        self,
        name: str,
        names: Sequence[str],
        *,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Person:
        """Give all photos of ``names`` to ``name``, and forget them, with their metadata."""
        merge = {"names": list_of(names)}
        answer = self._write(
            "POST", path("people", name, "merge"), self._of(gallery), idempotency_key, etag, json=merge
        )
        return person_of(answer)

    def move_photos(
        self,
        name: str,
        photos: Sequence[int] | int,
        *,
        create: bool = False,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Person:
        """Give photos of others, by their ids, to ``name``, who with ``create`` may be new."""
        move = {"photos": list_of(photos), "create": create}
        answer = self._write("POST", path("people", name, "move"), self._of(gallery), idempotency_key, etag, json=move)
        return person_of(answer)

    def erase_person(
        self,
        name: str,
        *,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Receipt:
        """Forget a person for good, out of the database's files, too; it takes as long as writing these anew."""
        answer = self._write("POST", path("people", name, "erase"), self._of(gallery), idempotency_key, etag)
        return read(Receipt, content(answer))

    def undo(self, token: str, *, gallery: str | None = None, idempotency_key: str | None = None) -> Restored:
        """Take a deletion back, by the ``token`` of its ``undo``. Raises ServiceRefused: nothing_to_undo."""
        answer = self._write("POST", path("undo", token), self._of(gallery), idempotency_key)
        return read(Restored, content(answer))


def person_of(answer: requests.Response) -> Person:
    """The person of an answer, with the version."""
    return replace(read(Person, content(answer)), etag=answer.headers.get("ETag"))


def enrolment_of(answer: requests.Response) -> Enrolment:
    """The enrolment of an answer, with the version of the person in it."""
    found = read(Enrolment, content(answer))
    return replace(found, person=replace(found.person, etag=answer.headers.get("ETag")))


def list_of(values: Sequence[Any] | Any) -> list[Any]:
    """One value or several."""
    return [values] if isinstance(values, str | int) else list(values)
