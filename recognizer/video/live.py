"""Faces of a camera, recognised as they come."""

from typing import TYPE_CHECKING

import numpy as np

from recognizer.results import Recognition
from recognizer.video.examine import check_max_side, examine, name_faces
from recognizer.video.tracker import Tracker

if TYPE_CHECKING:
    from recognizer import Recognizer

AWAY = 5.0  # seconds out of sight after which somebody counts as having come anew


class LiveRecognizer:
    """Names the faces of one picture after another: by the best faces of each so far, not by the newest alone.

    The gallery is searched for every picture, so that somebody who is enrolled elsewhere is named at once. What is
    kept does not grow with time.

    Args:
        recognizer: names the faces.
        max_side: faces are looked for in pictures shrunk to so many pixels in the longer side.
    """

    def __init__(self, recognizer: "Recognizer", max_side: int | None = None):
        check_max_side(max_side)
        self._recognizer, self._max_side = recognizer, max_side
        self._tracker = Tracker(recognizer.threshold, history=False)

    def look(self, time: float, picture: np.ndarray) -> list[Recognition]:
        """The faces of a picture uint8 ``[H, W, 3]`` BGR that was taken at a time in seconds, later than the last."""
        found = examine(self._recognizer, picture, self._max_side)
        trails = self._tracker.update(time, found)
        embeddings = np.array([trail.embedding() for trail in trails])
        return name_faces(self._recognizer, found.faces, embeddings, found.alive)


class Arrivals:
    """Who has come into sight, once for each time."""

    def __init__(self):
        self._seen: dict[str, float] = {}

    def of(self, time: float, faces: list[Recognition]) -> list[Recognition]:
        """Those faces of known people that were not in sight for ``AWAY`` seconds."""
        new = [face for face in faces if face.name and time - self._seen.get(face.name, -AWAY) >= AWAY]
        self._seen |= {face.name: time for face in faces if face.name}
        return new
