"""What the recognizer's calls return."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from db import Person
    from recognizer.liveness import Liveness

# Wraps an iteration for a progress bar: called with the iterable and its length, yields the same.
Progress: TypeAlias = Callable[[Iterable, int], Iterable]


@dataclass(frozen=True)
class Candidate:
    """A person of the gallery and the cosine, -1..1, between a face and the person's template."""

    name: str
    similarity: float


@dataclass(frozen=True, eq=False)
class Recognition:
    """One face of a picture.

    Attributes:
        name: the person, or None for a stranger.
        similarity: cosine to the nearest person of the gallery, -1..1, also for a stranger; -1 in an empty gallery.
        runner_up: the second nearest person; None where the gallery holds fewer than two.
        box: float32 ``[4]``, x1, y1, x2, y2 in pixels.
        landmarks: float32 ``[5, 2]``, see ``mtcnn.Detections``.
        score: the detector's confidence, 0..1.
        liveness: whether the face is a person before the camera; None where that was not asked.
    """

    name: str | None
    similarity: float
    runner_up: Candidate | None
    box: np.ndarray = field(repr=False)
    landmarks: np.ndarray = field(repr=False)
    score: float
    liveness: "Liveness | None" = None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON; ``liveness`` is there where it was asked."""
        runner_up = self.runner_up and {
            "name": self.runner_up.name,
            "similarity": round(self.runner_up.similarity, 4),
        }
        mapping = {
            "name": self.name,
            "similarity": round(self.similarity, 4),
            "runner_up": runner_up,
            "box": [round(float(value), 1) for value in self.box],
            "landmarks": [[round(float(x), 1), round(float(y), 1)] for x, y in self.landmarks],
            "score": round(self.score, 4),
        }
        return mapping | ({"liveness": self.liveness.to_mapping()} if self.liveness else {})


@dataclass(frozen=True)
class Verification:
    """Whether the faces that two pictures are about are one person's.

    Attributes:
        same: similarity is at least the threshold.
        similarity: cosine, -1..1.
        threshold: what it was compared with.
    """

    same: bool
    similarity: float
    threshold: float


@dataclass(frozen=True)
class Refusal:
    """A picture that was not used, and why; or what is doubtful of one that was.

    Attributes:
        near: who else the face is too near to, where that is what is doubtful.
    """

    name: str
    source: str
    reason: str
    near: str | None = None


@dataclass(frozen=True)
class Enrolment:
    """What an enrolment did.

    Attributes:
        added: photos stored, by person.
        refused: pictures that could not be used.
        notes: what was decided on pictures that were used, such as which of several faces was taken; and what is
            doubtful about them, such as that they are near to another person.
        seen: photos of a facebank that were passed over because their person has them already.
        people: who got photos, as they are since then; not told of a facebank.
    """

    added: dict[str, int]
    refused: list[Refusal]
    notes: list[Refusal]
    seen: int = 0
    people: tuple["Person", ...] = field(default=(), repr=False)

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON, without ``people``."""
        told = {name: [asdict(each) for each in getattr(self, name)] for name in ("refused", "notes")}
        return {"added": self.added, **told, "seen": self.seen}
