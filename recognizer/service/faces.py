"""What is computed of requests' photos: faces seen one photo at a time, embedded and searched all together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.errors import BadPicture
from db import Threshold
from mtcnn import Detections, Picture, read_picture
from recognizer.faces import Seen
from recognizer.forms import ready_rows
from recognizer.matcher import Match, Named
from recognizer.recognizer import Recognizer
from recognizer.service.errors import TooLarge, Unprocessable


@dataclass(frozen=True, eq=False)
class Embedded:
    """The faces of one photo, and their embeddings float32 ``[n, d]``."""

    size: tuple[int, int]
    detections: Detections
    embeddings: np.ndarray = field(repr=False)


def see(recognizer: Recognizer, photos: Sequence[Picture], most: int) -> list[Seen]:
    """Read photos, find and cut out their faces.

    Raises:
        Unprocessable: a photo that cannot be read; ``details`` say which. TooLarge: more than ``most`` faces in all.
    """
    return [recognizer.reader.see(*each) for each in _found(recognizer, photos, most)]


def find(recognizer: Recognizer, photos: Sequence[Picture], most: int) -> list[tuple[tuple[int, int], Detections]]:
    """The width and height of photos and their faces. Raises as :func:`see`."""
    found = _found(recognizer, photos, most)
    return [((picture.shape[1], picture.shape[0]), detections) for picture, detections in found]


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


def embed(recognizer: Recognizer, seen: Sequence[Seen]) -> list[Embedded]:
    """The embeddings of photos' faces, computed together."""
    rows = recognizer.reader.embed([each.crops for each in seen])
    return [Embedded(each.size, each.detections, mine) for each, mine in zip(seen, rows, strict=True)]


def name(recognizer: Recognizer, seen: Sequence[Seen], top: int) -> list[Named]:
    """Who is in photos; all faces are embedded and searched together."""
    return recognizer.matcher.name(seen, recognizer.reader.embed([each.crops for each in seen]), top)


def match(recognizer: Recognizer, embeddings: Sequence[np.ndarray], top: int) -> tuple[list[Match], Threshold]:
    """Who ready embeddings ``[d]`` are, which need not have length 1, and what they were compared with.

    Raises:
        BadEmbedding: one is not of the model's dimension, not finite, or zero.
    """
    return recognizer.matcher.match(ready_rows(list(embeddings), recognizer.model.dim), top)
