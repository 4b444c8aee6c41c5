"""New photos that are as near to somebody else as photos of one person are: a duplicate, or a poisoned enrolment."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.errors import BadArgument, FaceError
from db import Threshold
from db import names as naming
from networks.network import normalise
from recognizer.index import GalleryIndex
from recognizer.results import Candidate, Refusal

if TYPE_CHECKING:  # it imports SQLAlchemy
    from db.gallery import Gallery

AUTO_UP_TO = 100_000  # people: reading as many takes a second or two, a million twelve to twenty-four
BLOCK = 1024  # photos compared with all people of a call at a time

log = logging.getLogger("recognizer")


@dataclass
class Duplicates:
    """Compares new photos with everyone but their own person: of the gallery as it is now, and of the same call.

    Attributes:
        index: of the gallery.
        gallery: how large it is says whether "auto" looks.
        threshold: gives that from which two photos count as one person's, after a search; raises BadArgument where
            nobody measured one, and then nothing is compared.
        when: "always"; "never"; "auto": where the gallery has at most 100,000 people, or its index is in memory.
    """

    index: GalleryIndex
    gallery: "Gallery"
    threshold: Callable[[], Threshold]
    when: str = "auto"

    def notes(self, people: Sequence[str], sources: Sequence[str], embeddings: np.ndarray) -> list[Refusal]:
        """A note for each photo that is too near to somebody else. A failing index is logged, and hinders nothing.

        Args:
            people: whose photo each is; sources: what it is called.
            embeddings: float32 ``[n, d]``, L2-normalised.
        """
        if not len(embeddings) or not self._is_due():
            return []
        try:
            found = self._of_gallery(people, embeddings)
        except FaceError as error:
            log.warning("New photos were not compared with the other people: %s", error)
            return []
        try:
            threshold = self.threshold().similarity
        except BadArgument:
            return []
        nearest = map(_nearer, found, _of_call(people, embeddings))
        return [
            Refusal(person, source, _said(near, threshold), near.name)
            for person, source, near in zip(people, sources, nearest, strict=True)
            if near is not None and near.similarity >= threshold
        ]

    def _is_due(self) -> bool:
        if self.when != "auto":
            return self.when == "always"
        return self.index.is_loaded or self.gallery.count()[0] <= AUTO_UP_TO

    def _of_gallery(self, people: Iterable[str], embeddings: np.ndarray) -> list[Candidate | None]:
        """The nearest other person of each: one of the two nearest."""
        return [
            next((candidate for candidate in candidates if candidate.name != person), None)
            for person, candidates in zip(people, self.index.search(embeddings, 2), strict=True)
        ]


def _of_call(people: Sequence[str], embeddings: np.ndarray) -> list[Candidate | None]:
    """The nearest other person of each among the people of the same call, who may not be in the gallery yet."""
    names, owners = np.unique(np.array(people, object), return_inverse=True)
    if len(names) < 2:
        return [None] * len(people)
    templates = np.zeros((len(names), embeddings.shape[1]))
    np.add.at(templates, owners, embeddings)
    templates = normalise(templates).T
    found = []
    for start in range(0, len(people), BLOCK):
        own = owners[start : start + BLOCK]
        similarities = np.clip(embeddings[start : start + BLOCK] @ templates, -1, 1)
        similarities[np.arange(len(own)), own] = -2
        best = similarities.argmax(axis=1)
        found += [Candidate(names[j], float(row[j])) for j, row in zip(best, similarities)]
    return found


def _nearer(first: Candidate | None, second: Candidate | None) -> Candidate | None:
    candidates = [candidate for candidate in (first, second) if candidate is not None]
    return max(candidates, key=lambda candidate: candidate.similarity, default=None)


def _said(near: Candidate, threshold: float) -> str:
    return (
        f"as near to {naming.excerpt(near.name)} as photos of one person are (similarity {near.similarity:.3f}, "
        f"threshold {threshold:g}): the same person under two names, or a photo of somebody else?"
    )
