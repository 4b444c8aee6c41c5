"""From photos to faces ready to be stored, and a report of those that are not."""

from dataclasses import dataclass, field

import numpy as np

from common.errors import BadPicture, NothingEnrolled
from mtcnn import Detector
from mtcnn.align import align
from mtcnn.detector import most_prominent
from mtcnn.pictures import Picture, read_picture
from recognizer.results import Refusal

SMALLEST_EYE_DISTANCE = 10.0  # pixels; below, a 112-pixel face is mostly invented


@dataclass
class Gathered:
    """Aligned faces of some people, and what happened to each picture.

    Attributes:
        names, sources, scores, crops: one entry per usable picture; crops are uint8 ``[112, 112, 3]`` BGR.
        refused, notes: see ``Enrolment``.
    """

    names: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    crops: list[np.ndarray] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[Refusal] = field(default_factory=list)

    def take(self, name: str, source: str, img: Picture, detector: Detector, size: tuple[int, int]) -> None:
        """Use the face that a picture is about, or note why there is none to use."""
        try:
            picture = read_picture(img)
        except BadPicture as error:
            self.refused.append(Refusal(name, source, f"unreadable: {error}"))
            return
        detections = detector.detect(picture)
        if not len(detections):
            self.refused.append(Refusal(name, source, "no face found"))
            return
        chosen = most_prominent(detections, picture.shape)
        face = detections[chosen]
        eyes = face.landmarks[0, :2]
        if np.linalg.norm(eyes[1] - eyes[0]) < SMALLEST_EYE_DISTANCE:
            reason = f"face too small: the eyes must be at least {SMALLEST_EYE_DISTANCE:.0f} pixels apart"
            self.refused.append(Refusal(name, source, reason))
            return
        if len(detections) > 1:
            left, top, right, bottom = (round(float(value)) for value in face.boxes[0])
            reason = f"{len(detections)} faces; took the most prominent, at {left},{top}-{right},{bottom}"
            self.notes.append(Refusal(name, source, reason))
        self.names.append(name)
        self.sources.append(source)
        self.scores.append(float(face.scores[0]))
        self.crops.append(align(picture, face.landmarks, size)[0])

    def require_some(self) -> None:
        """Raise NothingEnrolled, saying why, where no picture was usable."""
        if self.crops:
            return
        reasons = "; ".join(f"{refusal.source or refusal.name}: {refusal.reason}" for refusal in self.refused[:3])
        more = f"; and {len(self.refused) - 3} more" if len(self.refused) > 3 else ""
        raise NothingEnrolled(f"No usable picture, nothing was stored. {reasons or 'No picture was given'}{more}")
