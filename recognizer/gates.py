"""What enrolment asks of a photo's face: quality and liveness."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mtcnn import Detections
from recognizer.liveness import Antispoof
from recognizer.quality import QualityLimits, assess


@dataclass(frozen=True)
class Verdict:
    """What the gates say of a face.

    Attributes:
        refusal: why it must not be enrolled; None where it may.
        notes: what is said of a face that is enrolled all the same.
    """

    refusal: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gates:
    """Which gates there are. Each that is there refuses a face, or, where it is not required, only makes a note.

    Attributes:
        limits: of quality; None: it is not measured.
        antispoof: None: liveness is not looked at.
        quality_required, liveness_required: whether falling short is a refusal.
    """

    limits: QualityLimits | None = None
    antispoof: Antispoof | None = None
    quality_required: bool = True
    liveness_required: bool = True

    def judge(self, picture: np.ndarray, detections: Detections, i: int) -> Verdict:
        """The verdict on face ``i`` of a picture uint8 ``[H, W, 3]`` BGR."""
        notes = []
        for reason, required in self._reasons(picture, detections, i):
            if required:
                return Verdict(reason)
            notes.append(reason)
        return Verdict(notes=tuple(notes))

    def _reasons(self, picture: np.ndarray, detections: Detections, i: int) -> Iterator[tuple[str, bool]]:
        """What is wrong, by gate, and whether the gate is required; the network runs only on what gets so far."""
        if self.limits is not None:
            quality = assess(picture, detections, i, self.limits)
            if not quality.acceptable:
                yield f"{', '.join(quality.reasons)}. {' '.join(quality.advice)}", self.quality_required
        if self.antispoof is not None:
            [liveness] = self.antispoof(picture, detections[i])
            if not liveness.live:
                yield liveness.reason, self.liveness_required
