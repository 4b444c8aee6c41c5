"""What is computed of requests' photos: faces seen one photo at a time, embedded and searched all together.

It says what ``Recognizer.recognize`` says, with more than two candidates where they are asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.errors import BadPicture
from db import Threshold
from mtcnn import Detections, Picture, read_picture
from recognizer.liveness import Liveness
from recognizer.recognizer import Recognizer
from recognizer.results import Candidate, Recognition
from recognizer.service.errors import TooLarge, Unprocessable


@dataclass(frozen=True, eq=False)
class Seen:
    """The faces of one photo.

    Attributes:
        size: width and height in pixels.
        detections: best first.
        crops: aligned, uint8 ``[n, h, w, 3]`` BGR.
        alive: of each face; None where it was not asked.
    """

    size: tuple[int, int]
    detections: Detections
    crops: np.ndarray = field(repr=False)
    alive: list[Liveness | None]

    def __len__(self) -> int:
        """The number of faces."""
        return len(self.detections)


@dataclass(frozen=True, eq=False)
class Embedded:
    """The faces of one photo, and their embeddings float32 ``[n, d]``."""

    size: tuple[int, int]
    detections: Detections
    embeddings: np.ndarray = field(repr=False)


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
    """The faces of one photo and what the gallery says of each, best detection first.

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


def see(recognizer: Recognizer, photos: Sequence[Picture], most: int) -> list[Seen]:
    """Read photos, find and cut out their faces.

    Raises:
        Unprocessable: a photo that cannot be read; ``details`` say which. TooLarge: more than ``most`` faces in all.
    """
    seen = []
    for picture, detections in _found(recognizer, photos, most):
        crops = recognizer._align(picture, detections)
        alive = recognizer._antispoof(picture, detections) if recognizer._antispoof else [None] * len(detections)
        seen.append(Seen(_size(picture), detections, crops, alive))
    return seen


def find(recognizer: Recognizer, photos: Sequence[Picture], most: int) -> list[tuple[tuple[int, int], Detections]]:
    """The width and height of photos and their faces. Raises as :func:`see`."""
    return [(_size(picture), detections) for picture, detections in _found(recognizer, photos, most)]


def _found(recognizer: Recognizer, photos: Sequence[Picture], most: int) -> Iterator[tuple[np.ndarray, Detections]]:
    faces = 0
    for number, photo in enumerate(photos, 1):
        try:
            picture = read_picture(photo)
        except BadPicture as error:
            raise Unprocessable(f"Photo {number}: {error}", "bad_picture", photo=number) from None
        detections = recognizer.detector.detect(picture)
        faces += len(detections)
        if faces > most:
            raise TooLarge(f"The photos of one request show more than {most} faces.", most=most)
        yield picture, detections


def _size(picture: np.ndarray) -> tuple[int, int]:
    return picture.shape[1], picture.shape[0]


def embed(recognizer: Recognizer, seen: Sequence[Seen]) -> list[Embedded]:
    """The embeddings of photos' faces, computed together."""
    rows = recognizer._embed_many([each.crops for each in seen])
    return [Embedded(each.size, each.detections, mine) for each, mine in zip(seen, rows, strict=True)]


def name(recognizer: Recognizer, seen: Sequence[Seen], top: int) -> list[Named]:
    """Who is in photos; all faces are embedded and searched together."""
    if not seen:
        return []
    rows = np.concatenate([each.embeddings for each in embed(recognizer, seen)])
    matches, threshold = _matches(recognizer, rows, top)
    coming = iter(matches)
    return [
        Named(each.size, threshold, tuple(_named(recognizer, each, i, next(coming)) for i in range(len(each))))
        for each in seen
    ]


def match(recognizer: Recognizer, embeddings: Sequence[np.ndarray], top: int) -> tuple[list[Match], Threshold]:
    """Who ready embeddings ``[d]`` are, which need not have length 1, and what they were compared with.

    Raises:
        BadEmbedding: one is not of the model's dimension, not finite, or zero.
    """
    return _matches(recognizer, recognizer._checked(list(embeddings)), top)


def _matches(recognizer: Recognizer, embeddings: np.ndarray, top: int) -> tuple[list[Match], Threshold]:
    found = recognizer._index.search(embeddings, max(top, 2))
    threshold = _threshold(recognizer)
    return [_match(candidates, threshold.similarity, top) for candidates in found], threshold


def _threshold(recognizer: Recognizer) -> Threshold:
    """As it was at the last search."""
    similarity = recognizer._threshold_of_search()
    if recognizer._threshold is not None:
        return Threshold(similarity, None)
    return Threshold(similarity, (recognizer._index.threshold or recognizer.model.card.threshold).far)


def _match(candidates: list[Candidate], threshold: float, top: int) -> Match:
    best = candidates[0] if candidates else None
    return Match(
        name=best.name if best is not None and best.similarity >= threshold else None,
        similarity=best.similarity if best else -1.0,
        candidates=tuple(candidates[:top]),
        runner_up=candidates[1] if len(candidates) > 1 else None,
    )


def _named(recognizer: Recognizer, seen: Seen, i: int, found: Match) -> tuple[Recognition, Match]:
    live = seen.alive[i] is None or not recognizer._liveness_required or seen.alive[i].live
    recognition = Recognition(
        name=found.name if live else None,
        similarity=found.similarity,
        runner_up=found.runner_up,
        box=seen.detections.boxes[i],
        landmarks=seen.detections.landmarks[i],
        score=float(seen.detections.scores[i]),
        liveness=seen.alive[i],
    )
    return recognition, found
