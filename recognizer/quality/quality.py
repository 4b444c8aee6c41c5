"""What is known of a face's quality."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shortfall:
    """One respect in which a face falls short.

    Attributes:
        measure: the attribute of ``Quality``.
        reason: what is wrong, with the number and the limit; no full sentence.
        advice: what to do about it, a sentence to the person before the camera.
    """

    measure: str
    reason: str
    advice: str


@dataclass(frozen=True)
class Quality:
    """Measures of one face, and where it falls short of what was asked.

    Attributes:
        size: the shorter side of its box, in pixels.
        sharpness: standard deviation of the Laplacian over that of the grey values, in the face as it is shown to the
            network (112x112): what detail there is, however light or dark. Sharp faces have 0.3 to 1.
        yaw, pitch, roll: degrees, see ``Pose``.
        brightness: mean grey value of the face, 0..255.
        contrast: standard deviation of its grey values, 0..128.
        side_light: how much brighter the right half of the face is in the picture, -1..1: the difference of both
            halves' means over their sum.
        score: the detector's confidence, 0..1; low for what is covered, or hardly a face.
        shortfalls: the worst hindrance first: size, score, light, pose, sharpness.
    """

    size: float
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    brightness: float
    contrast: float
    side_light: float
    score: float
    shortfalls: tuple[Shortfall, ...] = ()

    @property
    def acceptable(self) -> bool:
        """Whether it is all that was asked."""
        return not self.shortfalls

    @property
    def reasons(self) -> list[str]:
        """What is wrong."""
        return [shortfall.reason for shortfall in self.shortfalls]

    @property
    def advice(self) -> list[str]:
        """What to do about it: sentences, each once."""
        return list(dict.fromkeys(shortfall.advice for shortfall in self.shortfalls))

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        numbers = {name: value for name, value in vars(self).items() if name != "shortfalls"}
        rounded = {name: round(value, 3) for name, value in numbers.items()}
        return rounded | {"acceptable": self.acceptable, "reasons": self.reasons, "advice": self.advice}
