"""Non-maximum suppression."""

import cv2
import numpy as np

from common.errors import UnknownChoice

METHODS = ("union", "min")


def nms(
    boxes: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    method: str = "union",
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Indices of the boxes that no better box covers, best score first.

    Args:
        boxes: float ``[n, 4]`` x1, y1, x2, y2.
        scores: float ``[n]``.
        threshold: a box is dropped when its overlap with a better one is greater than this.
        method: overlap is the intersection over the "union", or over the smaller area ("min").
        groups: int ``[n]``; only boxes of one group suppress each other (method "union" only).

    Returns:
        int64 ``[kept]``.
    """
    if method not in METHODS:
        raise UnknownChoice(f"Unknown NMS method {method!r}. Expected one of: {', '.join(METHODS)}.")
    if len(boxes) == 0:
        return np.zeros(0, np.int64)
    if method == "min":
        return _nms_min(np.asarray(boxes, np.float32), np.asarray(scores), threshold)
    corners_and_sizes = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(np.float64)
    scores = np.asarray(scores, np.float32)
    scores = scores - scores.min() + 1  # OpenCV drops scores that are not above a threshold of at least 0
    if groups is None:
        kept = cv2.dnn.NMSBoxes(corners_and_sizes, scores, 0.0, threshold)
    else:
        corners_and_sizes[:, :2] -= corners_and_sizes[:, :2].min()  # OpenCV mixes groups up below 0
        kept = cv2.dnn.NMSBoxesBatched(corners_and_sizes, scores, np.asarray(groups, np.int32), 0.0, threshold)
    return np.asarray(kept, np.int64).reshape(-1)


def _nms_min(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        intersection = np.prod(np.maximum(sides, 0), axis=1)
        order = rest[intersection <= threshold * np.minimum(areas[best], areas[rest])]
    return np.array(kept, np.int64)


def intersection_over_union(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The overlap, 0..1, of each of ``boxes`` float ``[n, 4]`` with each of ``others`` ``[m, 4]``: float ``[n, m]``."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    intersection = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(np.maximum(each[:, 2:] - each[:, :2], 0), axis=1) for each in (boxes, others)]
    union = areas[0][:, None] + areas[1][None] - intersection
    return intersection / np.maximum(union, np.finfo(np.float32).tiny)
