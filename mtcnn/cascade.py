"""MTCNN: P-Net proposes, R-Net refines, O-Net decides and finds landmarks (Zhang et al. 2016, arXiv:1604.02878)."""

from pathlib import Path

import cv2
import numpy as np

from common.errors import BadArgument
from mtcnn import public_networks, pyramid
from mtcnn.detections import Detections
from mtcnn.detector import Detector
from mtcnn.nms import intersection_over_union, nms
from mtcnn.options import is_number

CLUSTER = 0.4  # candidates that overlap by more (intersection over union) are of one face
MAX_CROPS = 512  # crops drawn at once: cv2.remap counts rows in 16 bits


class Mtcnn(Detector):
    """The cascade with the public weights of David Sandberg's FaceNet.

    Args:
        files: paths of ``pnet``, ``rnet`` and ``onet`` (``networks.zoo.pull("mtcnn")``).
        min_face_size: smallest face looked for, pixels; time grows with the inverse of its square.
        thresholds: probability a candidate needs to pass P-Net, R-Net and O-Net.
        scale_factor: each level of the pyramid is this much smaller than the one before.
        threads: CPU threads, None for all.
    """

    def __init__(
        self,
        files: dict[str, Path],
        *,
        min_face_size: float = 40,
        thresholds: tuple[float, float, float] = (0.65, 0.7, 0.7),
        scale_factor: float = 0.709,
        threads: int | None = None,
    ):
        _check(min_face_size, thresholds, scale_factor)
        self.min_face_size = float(min_face_size)
        self.thresholds = tuple(float(t) for t in thresholds)
        self.scale_factor = float(scale_factor)
        self._pnet = public_networks.pnet(files["pnet"], threads)
        self._rnet = public_networks.rnet(files["rnet"], threads)
        self._onet = public_networks.onet(files["onet"], threads)

    def _detect(self, picture: np.ndarray) -> Detections:
        plan = pyramid.layout(*picture.shape[:2], self.min_face_size, self.scale_factor)
        if plan is None:
            return Detections.none()
        halves = pyramid.halvings(picture)
        boxes = self._refine(halves, self._propose(halves, plan))
        return self._decide(halves, boxes)

    def _propose(self, halves: list[np.ndarray], plan: pyramid.Layout) -> np.ndarray:
        """Candidates of all scales, float ``[n, 4]``."""
        output = self._pnet(pyramid.draw(halves, plan))[0][0]
        least = np.log(self.thresholds[0] / (1 - self.thresholds[0]))
        cells = np.flatnonzero((output[0] > least) & (plan.cell_level >= 0))
        level = plan.cell_level.reshape(-1)[cells]
        rows, columns = np.divmod(cells, output.shape[2])
        starts = np.array([(item.row, item.column) for item in plan.levels], np.float32)[level]
        scales = np.array([item.scale for item in plan.levels], np.float32)[level, None]
        corners = np.stack([rows, columns], axis=1) * pyramid.STRIDE - starts
        boxes = np.hstack([corners, corners + pyramid.CELL]) / scales
        regression, logits = output[1:].reshape(4, -1)[:, cells].T, output[0].reshape(-1)[cells]
        kept = nms(boxes, logits, 0.5, groups=level)
        kept = kept[nms(boxes[kept], logits[kept], 0.7)]
        return _square(_regress(boxes[kept], regression[kept]))

    def _refine(self, halves: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        probabilities, regression = self._rnet(_crops(halves, boxes, 24))
        passed = probabilities[:, 1] > self.thresholds[1]
        boxes, scores, regression = boxes[passed], probabilities[passed, 1], regression[passed]
        kept = nms(boxes, scores, 0.7)
        return _square(_regress(boxes[kept], regression[kept]))

    def _decide(self, halves: list[np.ndarray], boxes: np.ndarray) -> Detections:
        """Faces among candidates, which come best first.

        The best of each cluster is judged first, its neighbours only where it was no face: that spares half of
        O-Net's crops, 23 to 8 a photo, and finds the same faces.
        """
        leaders = nms(boxes, -np.arange(len(boxes)), CLUSTER)
        faces = self._judge(halves, boxes[leaders])
        others = np.delete(boxes, leaders, axis=0)
        covered = (intersection_over_union(others, _square(faces.boxes)) > CLUSTER).any(axis=1)
        more = self._judge(halves, others[~covered])
        boxes, landmarks, scores = (
            np.concatenate([getattr(faces, part), getattr(more, part)]) for part in ("boxes", "landmarks", "scores")
        )
        kept = nms(boxes, scores, 0.7, method="min")
        return Detections(boxes[kept], self._settle(halves, boxes[kept], landmarks[kept]), scores[kept])

    def _judge(self, halves: list[np.ndarray], boxes: np.ndarray) -> Detections:
        """Those of square boxes that O-Net takes for faces, in the order of the boxes."""
        probabilities, regression, points = self._onet(_crops(halves, boxes, 48))
        passed = probabilities[:, 1] > self.thresholds[2]
        boxes = boxes[passed]
        landmarks = _landmarks(boxes, points[passed])
        return Detections(_regress(boxes, regression[passed]), landmarks, probabilities[passed, 1])

    def _settle(self, halves: list[np.ndarray], boxes: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Landmarks averaged with those of two more looks, each at the box that the look before gave.

        O-Net's points shift with the crop it sees. On 40 face crops of 8 people this moved the lowest similarity of
        one person's faces from 0.476 to 0.536 and the highest of two people's from 0.359 to 0.351.
        """
        estimates = [landmarks]
        for _ in range(2):
            squares = _square(boxes)
            _, regression, points = self._onet(_crops(halves, squares, 48))
            estimates.append(_landmarks(squares, points))
            boxes = _regress(squares, regression)
        return np.mean(estimates, axis=0)


def _check(min_face_size: float, thresholds: tuple, scale_factor: float) -> None:
    if not is_number(min_face_size) or not min_face_size >= pyramid.CELL:
        raise BadArgument(f"min_face_size must be at least {pyramid.CELL} pixels, not {min_face_size!r}.")
    three = isinstance(thresholds, (tuple, list)) and len(thresholds) == 3
    if not three or not all(is_number(t) and 0 < t < 1 for t in thresholds):
        raise BadArgument(f"thresholds must be three probabilities between 0 and 1, not {thresholds!r}.")
    if not is_number(scale_factor) or not 0.1 <= scale_factor <= 0.95:
        raise BadArgument(f"scale_factor must be between 0.1 and 0.95, not {scale_factor!r}.")


def _regress(boxes: np.ndarray, regression: np.ndarray) -> np.ndarray:
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + regression * np.hstack([sides, sides])


def _landmarks(squares: np.ndarray, points: np.ndarray) -> np.ndarray:
    """O-Net's ten numbers, five x then five y as fractions of the crop, in pixels of the picture."""
    fractions = np.stack([points[:, :5], points[:, 5:]], axis=2)
    return squares[:, None, :2] + fractions * (squares[:, 2:] - squares[:, :2])[:, None]


def _square(boxes: np.ndarray) -> np.ndarray:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centres - half, centres + half])


def _crops(halves: list[np.ndarray], boxes: np.ndarray, side: int) -> np.ndarray:
    """Square boxes cut out and resized, transposed, uint8 ``[n, side, side, 3]``; black beyond the picture.

    Each is read bilinearly from the half that is one to two times too large: an area mean without its price.
    """
    crops = np.empty((len(boxes), side, side, 3), np.uint8)
    lengths = boxes[:, 2] - boxes[:, 0]
    source = np.clip(np.floor(np.log2(np.maximum(lengths, 1) / side)), 0, len(halves) - 1).astype(int)
    steps = (np.arange(side, dtype=np.float32) + 0.5) / side
    for index in np.unique(source):
        members = np.flatnonzero(source == index)
        shrunk = 2.0**index
        for start in range(0, len(members), MAX_CROPS):
            chosen = members[start : start + MAX_CROPS]
            grid = (boxes[chosen, :2, None] + lengths[chosen, None, None] * steps) / shrunk - 0.5
            crops[chosen] = _sample(halves[index], grid[:, 0], grid[:, 1])
    return crops


def _sample(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    count, side = x.shape
    map_x = np.broadcast_to(x[:, :, None], (count, side, side)).reshape(-1, side).astype(np.float32)
    map_y = np.broadcast_to(y[:, None, :], (count, side, side)).reshape(-1, side).astype(np.float32)
    sampled = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return sampled.reshape(count, side, side, 3)
