"""Enrolment from a camera: the best face of several pictures."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from common.errors import BadArgument, NoFace
from db.names import clean
from mtcnn.detector import most_prominent
from recognizer.results import Enrolment
from recognizer.video.camera import Camera
from recognizer.video.weights import weigh

if TYPE_CHECKING:
    from recognizer import Recognizer

PICTURES = 10
SECONDS = 10.0


@dataclass(frozen=True, eq=False)
class Taken:
    """What was taken from a camera and enrolled.

    Attributes:
        enrolment: what was stored.
        picture: uint8 ``[H, W, 3]`` BGR, the picture with the best face.
        box: float32 ``[4]``, that face in it.
        time: seconds since the camera was opened.
        pictures: with a face, among which it was the best.
        weight: how much the face tells, 0..1; see ``weights.weigh``.
    """

    enrolment: Enrolment
    picture: np.ndarray = field(repr=False)
    box: np.ndarray
    time: float
    pictures: int
    weight: float


def take_pic(
    recognizer: "Recognizer", camera: Camera, name: str, pictures: int = PICTURES, seconds: float = SECONDS
) -> Taken:
    """Enrol a person by the best of the most prominent faces of several pictures of a camera.

    Args:
        recognizer: in whose gallery.
        camera: an open one.
        name: the person; one who is there gets another photo.
        pictures: with a face, from which the best is taken.
        seconds: after which it has to do with those there are.

    Raises:
        NoFace: not one picture showed a face. BadName: no name for a person. NothingEnrolled: the best face cannot be
        used. BadVideo: the camera cannot be read.
    """
    clean(name, "person")
    if pictures < 1 or seconds <= 0:
        raise BadArgument(f"At least one picture and some time are needed, not {pictures} in {seconds} s.")
    deadline, best, seen, looked = time.monotonic() + seconds, None, 0, 0
    shot = camera.shot(timeout=seconds)
    while shot is not None:
        looked += 1
        found = _prominent(recognizer, shot.picture)
        if found is not None:
            seen += 1
            weight, box = found
            if best is None or weight > best[0]:
                best = weight, box, shot
        left = deadline - time.monotonic()
        shot = camera.shot(shot.time, left) if seen < pictures and left > 0 else None
    if best is None:
        raise NoFace(f"No face was seen in {looked} pictures of {camera.name}. Nobody was enrolled.")
    weight, box, shot = best
    enrolment = recognizer.add_customs(name, shot.picture)
    return Taken(enrolment, shot.picture, box, shot.time, seen, weight)


def _prominent(recognizer: "Recognizer", picture: np.ndarray) -> tuple[float, np.ndarray] | None:
    faces = recognizer.detect(picture)
    if not len(faces):
        return None
    face = faces[most_prominent(faces, picture.shape)]
    return float(weigh(picture, face)[0]), face.boxes[0]
