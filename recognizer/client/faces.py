"""Faces in photos, and whose they are. Nothing is stored."""

from collections.abc import Iterable
from typing import Any

from common.errors import BadArgument
from recognizer.client.addresses import path
from recognizer.client.asking import Asking
from recognizer.client.forms import File, Files, Form, files_of
from recognizer.client.results import Detected, Embedded, Searched, Verified

Embeddings = Iterable[Iterable[float]]


class Faces(Asking):
    """See :class:`recognizer.client.Client`."""

    def detect(self, photos: Files, *, gallery: str | None = None) -> Detected:
        """Boxes, landmarks and scores of all faces of photos. Raises ServiceRefused: bad_picture, too_large."""
        return self._find(Detected, path("detect"), self._of(gallery), form=_form(photos))

    def embed(self, photos: Files, *, gallery: str | None = None) -> Embedded:
        """The same with embeddings, under the model of the gallery."""
        return self._find(Embedded, path("embed"), self._of(gallery), form=_form(photos))

    def verify(self, first: File, second: File, *, gallery: str | None = None) -> Verified:
        """Whether the most prominent faces of two photos are one person's. Raises ServiceRefused: no_face."""
        return self._find(Verified, path("verify"), self._of(gallery), form=_form([first, second]))

    def search(
        self,
        photos: Files | None = None,
        *,
        embeddings: Embeddings | None = None,
        top: int = 1,
        gallery: str | None = None,
    ) -> Searched:
        """Who is in photos: all faces, each with the ``top`` nearest people; or whose ready embeddings are."""
        return self._find(Searched, path("search"), self._of(gallery, top=top), **either(photos, embeddings))


def either(given: Files | None, embeddings: Embeddings | None) -> dict[str, Any]:
    """The body of a request: a form with photos, or embeddings as JSON. Raises BadArgument: both, neither, or none."""
    if given is not None and embeddings is None:
        return {"form": _form(given)}
    if embeddings is None or given is not None:
        raise BadArgument("Give either photos or embeddings.")
    try:
        rows = [[float(value) for value in row] for row in embeddings]
    except (TypeError, ValueError):
        raise BadArgument("Embeddings are rows of numbers, such as an array [n, d].") from None
    if not rows:
        raise BadArgument("Give at least one embedding.")
    return {"json": {"embeddings": rows}}


def _form(given: Files) -> Form:
    return Form({}, files_of(given))
