"""Photos of a person: list, add, average, replace, forget; their aligned faces."""

from collections.abc import Iterator
from typing import Literal

from recognizer.client.addresses import path
from recognizer.client.answers import content
from recognizer.client.asking import Asking
from recognizer.client.connection import Request
from recognizer.client.faces import Embeddings, either
from recognizer.client.forms import Files
from recognizer.client.people import enrolment_of, person_of
from recognizer.client.reading import read
from recognizer.client.results import Enrolment, Forgotten, Person, Photo


class Photos(Asking):
    """See :class:`recognizer.client.Client`."""

    def photos(
        self, name: str, *, similarities: bool = False, page_size: int = 100, gallery: str | None = None
    ) -> Iterator[Photo]:
        """A person's photos, oldest first; ``similarities``: with that of each to the mean of the others."""
        query = self._of(gallery, similarities=similarities, limit=page_size)
        return self._pages(Photo, path("people", name, "photos"), "photos", query)

    def add_photos(
        self,
        name: str,
        photos: Files | None = None,
        *,
        embeddings: Embeddings | None = None,
        mode: Literal["add", "average", "replace"] | None = None,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Enrolment:
        """Enrol photos of a person, or average ready embeddings in.

        Args:
            mode: "add": the person may be new; "average": must be there; "replace": the old photos go. None: "add",
                and with embeddings "average", which is the only one that takes them.

        Raises:
            ServiceRefused: nothing_enrolled, with the reasons in its details; unknown_person, bad_embedding.
        """
        body = either(photos, embeddings)
        query = self._of(gallery, mode=mode or ("average" if photos is None else "add"))
        answer = self._write("POST", path("people", name, "photos"), query, idempotency_key, etag, **body)
        return enrolment_of(answer)

    def delete_photos(
        self,
        name: str,
        *,
        undo_seconds: float | None = None,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Forgotten:
        """Forget all photos of a person, and with them the person: the same as ``delete_person``."""
        query = self._of(gallery, undo_seconds=undo_seconds)
        answer = self._write("DELETE", path("people", name, "photos"), query, idempotency_key, etag)
        return read(Forgotten, content(answer))

    def delete_photo(
        self,
        name: str,
        photo: int,
        *,
        gallery: str | None = None,
        etag: str | None = None,
        idempotency_key: str | None = None,
    ) -> Person:
        """Forget one photo, by its id; a person keeps at least one."""
        address = path("people", name, "photos", photo)
        return person_of(self._write("DELETE", address, self._of(gallery), idempotency_key, etag))

    def crop(self, name: str, photo: int, *, gallery: str | None = None) -> bytes:
        """The aligned face of a photo as PNG, where ``store_crops`` kept it. Raises ServiceRefused: unknown_photo."""
        address = path("people", name, "photos", photo, "crop")
        return self._connection.ask(Request("GET", address, self._of(gallery))).content
