"""Which boxes of two detectors are the same face."""

import numpy as np

SAME_FACE = 0.4  # intersection over union; detectors crop faces differently, so 0.5 would part equal finds


def intersection_over_union(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 ``[n, m]`` for boxes ``[n, 4]`` and ``[m, 4]`` (x1, y1, x2, y2); 0 where both are empty."""
    first, second = np.asarray(first, float).reshape(-1, 1, 4), np.asarray(second, float).reshape(1, -1, 4)
    corners_low = np.maximum(first[..., :2], second[..., :2])
    corners_high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.prod(np.clip(corners_high - corners_low, 0, None), axis=-1)
    union = _area(first) + _area(second) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match(first: np.ndarray, second: np.ndarray, threshold: float = SAME_FACE) -> list[tuple[int, int]]:
    """Pairs (i, j) of boxes that are the same face, best overlap first, each box used at most once."""
    overlap = intersection_over_union(first, second)
    pairs = []
    while overlap.size and overlap.max() >= threshold:
        i, j = (int(k) for k in np.unravel_index(overlap.argmax(), overlap.shape))
        pairs.append((i, j))
        overlap[i, :] = overlap[:, j] = -1
    return pairs


def unmatched(found: np.ndarray, ours: np.ndarray, threshold: float = SAME_FACE) -> list[int]:
    """Indices of the boxes in ``found`` that have no partner in ``ours``."""
    partnered = {i for i, _ in match(found, ours, threshold)}
    return [i for i in range(len(found)) if i not in partnered]


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0, None), axis=-1)
