"""Whose faces they are: embeddings compared with the people of a gallery as it is now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.errors import BadArgument
from db import Threshold
from mtcnn import Detections
from networks import Network
from recognizer.faces import Seen
from recognizer.index import GalleryIndex
from recognizer.liveness import Liveness
from recognizer.results import Candidate, Recognition

if TYPE_CHECKING:  # it imports SQLAlchemy
    from db.gallery import Gallery

SHOWN = 2  # people that a recognition tells of: the nearest, and the runner-up


@dataclass(frozen=True)
class Match:
    """What the gallery says of one face.

    Attributes:
        name: the person, or None for a stranger.
        similarity: to the nearest person, -1..1, also for a stranger; -1 in an empty gallery.
        candidates: the nearest persons, best first, as many as were asked for.
        runner_up: the second nearest person.
    """

    name: str | None
    similarity: float
    candidates: tuple[Candidate, ...]
    runner_up: Candidate | None

    @property
    def margin(self) -> float | None:
        """How much nearer the best one is than the second."""
        return None if self.runner_up is None else self.similarity - self.runner_up.similarity


@dataclass(frozen=True, eq=False)
class Named:
    """The faces of one picture and what the gallery says of each, best detection first.

    Attributes:
        size: width and height in pixels.
        threshold: what similarities were compared with.
    """

    size: tuple[int, int]
    threshold: Threshold
    faces: tuple[tuple[Recognition, Match], ...]

    @property
    def recognitions(self) -> list[Recognition]:
        """As ``Recognizer.recognize`` gives them."""
        return [recognition for recognition, _ in self.faces]


class Matcher:
    """Says who somebody is. May be used from several threads.

    Args:
        index: of the gallery.
        gallery: its threshold counts where none is given,
        model: and that of its card where the gallery has none.
        threshold: the caller's own.
        live_only: whether only faces that are live are called by a name.
    """

    def __init__(
        self, index: GalleryIndex, gallery: "Gallery", model: Network, threshold: float | None, live_only: bool
    ):
        self._index, self._gallery, self._model, self._live_only = index, gallery, model, live_only
        self._given = None if threshold is None else Threshold(threshold, None)

    def threshold(self) -> Threshold:
        """From which cosine on a face is called by a name, as it was at the last search.

        Raises:
            BadArgument: nobody measured one.
        """
        return self._given or self._stored(self._index.threshold)

    def threshold_now(self) -> Threshold:
        """The same, read from the database. Raises BadArgument, DatabaseError."""
        return self._given or self._stored(self._gallery.threshold)

    def match(self, embeddings: np.ndarray, top: int) -> tuple[list[Match], Threshold]:
        """Who each of the embeddings float32 ``[n, d]``, L2-normalised, is, and what they were compared with.

        Args:
            top: so many of the nearest people.
        """
        found = self._index.search(embeddings, max(top, SHOWN))
        threshold = self.threshold()
        return [_match(candidates, threshold.similarity, top) for candidates in found], threshold

    def recognize(
        self, faces: Detections, embeddings: np.ndarray, alive: Sequence[Liveness | None]
    ) -> list[Recognition]:
        """Who faces are, by embeddings that need not be those of one picture alone."""
        matches, _ = self.match(embeddings, SHOWN)
        return [self._recognition(faces, i, alive[i], match) for i, match in enumerate(matches)]

    def name(self, seen: Sequence[Seen], embeddings: Sequence[np.ndarray], top: int = SHOWN) -> list[Named]:
        """Who is in several pictures, by the embeddings of each one's faces; all are searched together."""
        if not seen:
            return []
        matches, threshold = self.match(np.concatenate(embeddings), top)
        coming = iter(matches)
        return [
            Named(each.size, threshold, tuple(self._both(each, i, next(coming)) for i in range(len(each))))
            for each in seen
        ]

    def _both(self, seen: Seen, i: int, match: Match) -> tuple[Recognition, Match]:
        return self._recognition(seen.detections, i, seen.alive[i], match), match

    def _recognition(self, faces: Detections, i: int, alive: Liveness | None, match: Match) -> Recognition:
        live = alive is None or alive.live or not self._live_only
        return Recognition(
            name=match.name if live else None,
            similarity=match.similarity,
            runner_up=match.runner_up,
            box=faces.boxes[i],
            landmarks=faces.landmarks[i],
            score=float(faces.scores[i]),
            liveness=alive,
        )

    def _stored(self, of_gallery: Threshold | None) -> Threshold:
        stored = of_gallery or self._model.card.threshold
        if stored is None:
            raise BadArgument(f"Nobody measured a threshold for {self._model.name}: give Recognizer(threshold=...).")
        return Threshold(stored.similarity, stored.far)


def _match(candidates: list[Candidate], threshold: float, top: int) -> Match:
    best = candidates[0] if candidates else None
    return Match(
        name=best.name if best is not None and best.similarity >= threshold else None,
        similarity=best.similarity if best else -1.0,
        candidates=tuple(candidates[:top]),
        runner_up=candidates[1] if len(candidates) > 1 else None,
    )
