"""Which boxes of two detectors are the same face."""

import numpy as np

from mtcnn.nms import intersection_over_union

SAME_FACE = 0.4  # intersection over union; detectors crop faces differently, so 0.5 would part equal finds


def match(first: np.ndarray, second: np.ndarray, threshold: float = SAME_FACE) -> list[tuple[int, int]]:
    """Pairs (i, j) of boxes that are the same face, best overlap first, each box used at most once."""
    overlap = intersection_over_union(np.reshape(first, (-1, 4)), np.reshape(second, (-1, 4)))
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
