"""One frame examined: its faces, how they look, and how much each tells."""

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from common.errors import BadArgument
from mtcnn import Detections
from recognizer.liveness import Liveness
from recognizer.results import Recognition
from recognizer.video.weights import weigh

if TYPE_CHECKING:
    from recognizer import Recognizer


class Examined(NamedTuple):
    """Faces of a frame, embeddings float32 ``[n, d]``, weights float64 ``[n]``, and liveness where that is asked."""

    faces: Detections
    embeddings: np.ndarray
    weights: np.ndarray
    alive: list[Liveness | None]


def examine(recognizer: "Recognizer", picture: np.ndarray, max_side: int | None = None) -> Examined:
    """Find and embed the faces of a picture uint8 ``[H, W, 3]`` BGR.

    Args:
        recognizer: whose detector and model are used.
        picture: the frame.
        max_side: faces are looked for in a copy whose longer side has at most so many pixels; they are cut out of
            the picture itself.
    """
    seen = recognizer.reader.see(picture, _found(recognizer, picture, max_side))
    [embeddings] = recognizer.reader.embed([seen.crops])
    return Examined(seen.detections, embeddings, weigh(picture, seen.detections), seen.alive)


def name_faces(
    recognizer: "Recognizer", faces: Detections, embeddings: np.ndarray, alive: list[Liveness | None]
) -> list[Recognition]:
    """Whose faces they are, by embeddings float32 ``[n, d]`` that may be means over several frames."""
    return recognizer.matcher.recognize(faces, embeddings, alive) if len(faces) else []


def check_max_side(max_side: int | None) -> None:
    """Raise BadArgument where no face could be found any more."""
    if max_side is not None and max_side < 64:
        raise BadArgument(f"max_side must be at least 64 pixels, not {max_side}.")


def _found(recognizer: "Recognizer", picture: np.ndarray, max_side: int | None) -> Detections:
    height, width = picture.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return recognizer.detect(picture)
    size = (max(1, round(width * max_side / max(height, width))), max(1, round(height * max_side / max(height, width))))
    found = recognizer.detect(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    scale = np.float32([width / size[0], height / size[1]])
    return Detections(found.boxes * np.tile(scale, 2), found.landmarks * scale, found.scores)
