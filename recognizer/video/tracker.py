"""Faces followed from one examined frame to the next: by where they are and by how they look."""

import heapq
from dataclasses import dataclass, field

import numpy as np

from recognizer.liveness import Liveness
from recognizer.video.examine import Examined

# A face that overlaps a track's predicted box so far is the same one, unless it looks like another person.
OVERLAP = 0.3
# Below this share of the recogniser's threshold two faces are of two people, wherever they are. Measured with
# mobilefacenet (threshold 0.47) on a blurred and noisy clip: one person from one examined frame to the next 0.64 and
# more, two people 0.36 and less. A track that is split is named twice; one that mixes people is named wrong.
OTHER = 0.75
LOST_AFTER = 0.7  # seconds, and at least two examined frames, without being found: then a track has ended
KEPT = 10  # best faces of a track that its name is taken from


@dataclass(frozen=True, eq=False)
class Sighting:
    """A track's face in one examined frame.

    Attributes:
        time: seconds since the beginning of the video.
        box, landmarks, score: see ``mtcnn.Detections``.
        embedding: float32 ``[d]``, of length 1.
        weight: how much it tells, 0..1.
        liveness: whether it is a person before the camera; None where that was not asked.
    """

    time: float
    box: np.ndarray
    landmarks: np.ndarray
    score: float
    embedding: np.ndarray = field(repr=False)
    weight: float
    liveness: Liveness | None = None


@dataclass(eq=False)
class Trail:
    """What is known of a face that is being followed.

    Attributes:
        times, boxes, landmarks: of every examined frame it was found in, in order.
        before: when the last frame was examined before it was found first; None: there was none.
        after: when the next frame was examined after it was found last; None: there was none.
        best: its sightings that tell most, as a heap of (weight, -number, sighting): of equal ones the first is best.
        newest: the last sighting.
        count: of frames it was found in.
    """

    before: float | None
    after: float | None = None
    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    landmarks: list[np.ndarray] = field(default_factory=list)
    best: list[tuple[float, int, Sighting]] = field(default_factory=list)
    newest: Sighting | None = None
    count: int = 0

    def add(self, sighting: Sighting) -> None:
        """Take the face's place in the next frame."""
        self.times.append(sighting.time)
        self.boxes.append(sighting.box)
        self.landmarks.append(sighting.landmarks)
        self.newest, self.after, self.count = sighting, None, self.count + 1
        push = heapq.heappush if len(self.best) < KEPT else heapq.heappushpop
        push(self.best, (sighting.weight, -self.count, sighting))

    def forget_past(self) -> None:
        """Keep of its places only those that the next one is predicted from."""
        del self.times[:-2], self.boxes[:-2], self.landmarks[:-2]

    def best_sighting(self) -> Sighting:
        """The one that tells most."""
        return max(self.best, key=lambda each: each[:2])[2]

    def embedding(self) -> np.ndarray:
        """The mean of the best faces by weight, float32 ``[d]`` of length 1."""
        mean = np.sum([weight * sighting.embedding for weight, _, sighting in self.best], axis=0)
        return (mean / max(1e-12, np.linalg.norm(mean))).astype(np.float32)

    def predicted(self, time: float) -> np.ndarray:
        """Where its box is at a time if it goes on moving as between the last two sightings, for as long as that."""
        if len(self.times) < 2:
            return self.boxes[-1]
        seen = self.times[-1] - self.times[-2]
        share = min(1.0, (time - self.times[-1]) / max(seen, 1e-6))
        return self.boxes[-1] + share * (self.boxes[-1] - self.boxes[-2])


class Tracker:
    """Gives each detected face to a track.

    A face belongs to a track where it overlaps the predicted box and does not look like another person, or where it
    looks like that person, wherever it is: a fast movement. Pairs are made from the most alike on, each face and track
    once. No optical flow: examined frames are a tenth of a second apart, and faces larger than they move in that time.

    Args:
        threshold: cosine, from which the recogniser takes two faces for one person.
        history: keep where every face was, and the tracks that have ended; False: for a camera that runs for weeks.
    """

    def __init__(self, threshold: float, history: bool = True):
        self._threshold, self._history = threshold, history
        self._previous: float | None = None
        self._interval = 0.0
        self.active: list[Trail] = []
        self.ended: list[Trail] = []

    def update(self, time: float, found: Examined) -> list[Trail]:
        """The track of each face found in a frame, whose time in seconds is later than that of the frame before."""
        self._end_the_lost(time)
        owners = self._owners(time, found.faces.boxes, found.embeddings)
        for trail in self.active:
            if trail.after is None:
                trail.after = time  # taken back where it is found again
        trails = []
        for i in range(len(found.faces)):
            trail = owners.get(i)
            if trail is None:
                trail = Trail(self._previous)
                self.active.append(trail)
            trail.add(_sighting(time, found, i))
            if not self._history:
                trail.forget_past()
            trails.append(trail)
        self._previous = time
        return trails

    def finish(self) -> list[Trail]:
        """All tracks, in the order in which they began."""
        self.ended += self.active
        self.active = []
        return sorted(self.ended, key=lambda trail: trail.times[0])

    def _end_the_lost(self, time: float) -> None:
        if self._previous is not None:
            self._interval = time - self._previous
        allowed = max(LOST_AFTER, 2.5 * self._interval)
        lost = [trail for trail in self.active if time - trail.times[-1] > allowed]
        self.ended += lost if self._history else []
        self.active = [trail for trail in self.active if trail not in lost]

    def _owners(self, time: float, boxes: np.ndarray, embeddings: np.ndarray) -> dict[int, Trail]:
        """Tracks by the index of the face that goes on with them."""
        if not self.active or not len(boxes):
            return {}
        overlaps = iou(np.array([trail.predicted(time) for trail in self.active]), boxes)
        alike = np.maximum(
            np.array([trail.embedding() for trail in self.active]) @ embeddings.T,
            np.array([trail.newest.embedding for trail in self.active]) @ embeddings.T,
        )
        near = (overlaps >= OVERLAP) & (alike >= OTHER * self._threshold)
        allowed = near | (alike >= self._threshold)
        affinity = np.where(allowed, overlaps + alike, -np.inf)
        owners: dict[int, Trail] = {}
        while np.isfinite(affinity).any():
            row, column = np.unravel_index(np.argmax(affinity), affinity.shape)
            owners[int(column)] = self.active[row]
            affinity[row], affinity[:, column] = -np.inf, -np.inf
        return owners


def _sighting(time: float, found: Examined, i: int) -> Sighting:
    faces = found.faces
    place = faces.boxes[i], faces.landmarks[i], float(faces.scores[i])
    return Sighting(time, *place, found.embeddings[i], float(found.weights[i]), found.alive[i])


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``[n, 4]`` and ``[m, 4]`` (x1, y1, x2, y2), float ``[n, m]``."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(0, high - low), axis=2)
    areas = [np.prod(np.maximum(0, boxes[:, 2:] - boxes[:, :2]), axis=1) for boxes in (first, second)]
    return shared / np.maximum(1e-9, areas[0][:, None] + areas[1][None, :] - shared)
