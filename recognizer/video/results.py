"""What recognising a video returns."""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recognizer.results import Recognition


@dataclass(frozen=True)
class VideoProgress:
    """How far a video has come.

    Attributes:
        stage: "finding faces" or "writing".
        frames: of this stage so far.
        fraction: of this stage, 0..1; None where the file does not say how long it is.
        rate: frames per second of this stage.
        left: seconds until this stage ends, as it has gone so far; None where that is not known.
    """

    stage: str
    frames: int
    fraction: float | None
    rate: float
    left: float | None


@dataclass(frozen=True, eq=False)
class Track:
    """One face, followed as long as it was in sight, and named once.

    Attributes:
        recognition: who it is, from the weighted mean of its best faces; box, landmarks and score are those of the
            best frame.
        best_time: when that frame is shown, in seconds since the beginning of the file.
        times: float64 ``[n]``, seconds, of the examined frames it was found in.
        boxes: float32 ``[n, 4]``, x1, y1, x2, y2 in pixels of the upright video.
        landmarks: float32 ``[n, 5, 2]``, see ``mtcnn.Detections``.
        shown_from, shown_until: as long the face is taken to be in sight: half of the way to the examined frames
            before and after, in which it was not found.
        bridged: seconds; where it was not found for longer than this, it is taken to be out of sight in between.
    """

    recognition: Recognition
    best_time: float
    times: np.ndarray = field(repr=False)
    boxes: np.ndarray = field(repr=False)
    landmarks: np.ndarray = field(repr=False)
    shown_from: float
    shown_until: float
    bridged: float = float("inf")

    @property
    def name(self) -> str | None:
        """The person, or None for a stranger."""
        return self.recognition.name

    @property
    def first(self) -> float:
        """Seconds, when it was found first."""
        return float(self.times[0])

    @property
    def last(self) -> float:
        """Seconds, when it was found last."""
        return float(self.times[-1])

    def at(self, time: float) -> Recognition | None:
        """The face at a time, its place interpolated between examined frames; None where it is not in sight."""
        if not self.shown_from <= time <= self.shown_until:
            return None
        if len(self.times) == 1:
            return self.recognition
        i = min(max(bisect_right(self.times, time) - 1, 0), len(self.times) - 2)
        gap = self.times[i + 1] - self.times[i]
        if gap > self.bridged and self.times[i] < time < self.times[i + 1]:
            return None
        share = (time - self.times[i]) / gap
        return replace(
            self.recognition,
            box=_between(self.boxes[i], self.boxes[i + 1], share),
            landmarks=_between(self.landmarks[i], self.landmarks[i + 1], share),
        )

    def to_mapping(self, boxes: bool = False) -> dict[str, Any]:
        """Plain values for JSON; ``boxes``: also where it was in each examined frame."""
        best = self.recognition.to_mapping()
        mapping = {key: best.pop(key) for key in ("name", "similarity", "runner_up")}
        mapping |= {"first": round(self.first, 3), "last": round(self.last, 3), "examined": len(self.times)}
        mapping["best"] = {"time": round(self.best_time, 3), **best}
        if boxes:
            mapping["boxes"] = [
                {"time": round(float(time), 3), "box": [round(float(value), 1) for value in box]}
                for time, box in zip(self.times, self.boxes)
            ]
        return mapping


@dataclass(frozen=True, eq=False)
class VideoResult:
    """Who is in a video.

    Attributes:
        tracks: by the time they begin.
        threshold: cosine from which a face was called by a name.
        frames: that were read; ``examined``: in which faces were looked for.
        seconds: from the first frame that was read to the last.
        size: width and height in pixels, upright.
        damage: what was wrong with the file, in words; empty where all of it could be read.
        notes: what was decided, such as that a sound was left out.
        out: the annotated video, where one was written.
    """

    tracks: list[Track]
    threshold: float
    frames: int
    examined: int
    seconds: float
    size: tuple[int, int]
    damage: list[str]
    notes: list[str]
    out: Path | None = None

    def people(self) -> dict[str | None, float]:
        """Seconds in sight by person, longest first; strangers together, each track for itself, under None."""
        seconds: dict[str | None, float] = {}
        for track in self.tracks:
            seconds[track.name] = seconds.get(track.name, 0.0) + track.last - track.first
        return dict(sorted(seconds.items(), key=lambda item: -item[1]))

    def to_mapping(self, boxes: bool = False) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "tracks": [track.to_mapping(boxes) for track in self.tracks],
            "totals": {
                "people": [{"name": name, "seconds": round(value, 3)} for name, value in self.people().items()],
                "tracks": len(self.tracks),
                "frames": self.frames,
                "examined": self.examined,
                "seconds": round(self.seconds, 3),
            },
            "threshold": self.threshold,
            "size": list(self.size),
            "damage": self.damage,
            "notes": self.notes,
            **({"annotated": str(self.out)} if self.out else {}),
        }


def _between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    return (first + np.float32(share) * (second - first)).astype(np.float32)
