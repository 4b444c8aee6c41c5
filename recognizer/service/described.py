"""Faces as the answers give them: plain numbers, rounded to what is meant by them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from db import Threshold
from mtcnn import Detections
from recognizer.matcher import Match, Named
from recognizer.recognizer import Recognizer
from recognizer.results import Candidate, Recognition
from recognizer.service import faces
from recognizer.service.schemas import faces as schemas
from recognizer.service.uploads import Upload


def detected(uploads: Sequence[Upload], found: Sequence[tuple[tuple[int, int], Detections]]) -> schemas.Detected:
    """The answer of ``detect``."""
    return schemas.Detected(
        photos=[
            schemas.DetectedPhoto(**_photo(upload, size), faces=[_face(each, i) for i in range(len(each))])
            for upload, (size, each) in zip(uploads, found, strict=True)
        ]
    )


def embedded(
    recognizer: Recognizer, uploads: Sequence[Upload], found: Sequence[faces.Embedded]
) -> schemas.Embedded:
    """The answer of ``embed``; embeddings are not rounded."""
    return schemas.Embedded(
        model=recognizer.model.name,
        dimension=recognizer.model.dim,
        photos=[
            schemas.EmbeddedPhoto(
                **_photo(upload, each.size),
                faces=[
                    _face(each.detections, i) | {"embedding": row.tolist()} for i, row in enumerate(each.embeddings)
                ],
            )
            for upload, each in zip(uploads, found, strict=True)
        ],
    )


def searched(
    recognizer: Recognizer, gallery: str, uploads: Sequence[Upload], found: Sequence[Named]
) -> schemas.Searched:
    """The answer of ``search`` with photos."""
    photos = [
        schemas.SearchedPhoto(**_photo(upload, each.size), faces=[_named(*face) for face in each.faces])
        for upload, each in zip(uploads, found, strict=True)
    ]
    return _searched(recognizer, gallery, found[0].threshold, photos=photos, embeddings=None)


def matched(
    recognizer: Recognizer, gallery: str, found: Sequence[Match], threshold: Threshold
) -> schemas.Searched:
    """The answer of ``search`` with embeddings."""
    return _searched(recognizer, gallery, threshold, photos=None, embeddings=[_match(each) for each in found])


def _searched(recognizer: Recognizer, gallery: str, threshold: Threshold, **found: Any) -> schemas.Searched:
    return schemas.Searched(
        gallery=gallery,
        model=recognizer.model.name,
        threshold=threshold.similarity,
        threshold_far=threshold.far,
        **found,
    )


def _photo(upload: Upload, size: tuple[int, int]) -> dict[str, Any]:
    return {"photo": upload.name, "width": size[0], "height": size[1]}


def _face(found: Detections, i: int) -> dict[str, Any]:
    return _where(found.boxes[i], found.landmarks[i], found.scores[i])


def _where(box: np.ndarray, landmarks: np.ndarray, score: float) -> dict[str, Any]:
    return {
        "box": [round(float(value), 1) for value in box],
        "landmarks": [[round(float(x), 1), round(float(y), 1)] for x, y in landmarks],
        "score": round(float(score), 4),
    }


def _named(recognition: Recognition, match: Match) -> dict[str, Any]:
    liveness = recognition.liveness and recognition.liveness.to_mapping()
    where = _where(recognition.box, recognition.landmarks, recognition.score)
    return where | _match(match) | {"name": recognition.name, "liveness": liveness}


def _match(match: Match) -> dict[str, Any]:
    return {
        "name": match.name,
        "similarity": _cosine(match.similarity),
        "runner_up": match.runner_up and _candidate(match.runner_up),
        "margin": None if match.margin is None else round(match.margin, 4),
        "candidates": [_candidate(each) for each in match.candidates],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {"name": candidate.name, "similarity": _cosine(candidate.similarity)}


def _cosine(value: float) -> float:
    return min(1.0, max(-1.0, round(value, 4)))
