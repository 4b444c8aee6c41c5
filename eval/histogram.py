"""Similarities counted in bins, so that billions of comparisons need a megabyte, and the ROC curve of such counts."""

import os
from concurrent.futures import Executor, ThreadPoolExecutor

import cv2
import numpy as np

from eval.checks import require_both
from eval.roc import Roc

STEP = 2.0**-16
RANGE = (-1 - STEP, 1 + STEP)  # a bin more on each side: products of unit rows leave -1..1 by rounding errors
BINS = 2 * 2**16 + 2
IGNORED = 3.0  # what is no cosine is not counted
EXACT = 2**24  # OpenCV hands counts over as float32
THREADS = min(os.cpu_count() or 1, 8)


def threads() -> Executor:
    """What ``Histogram.add`` counts with; OpenCV leaves Python's lock."""
    return ThreadPoolExecutor(THREADS)


class Histogram:
    """How many similarities were at k / 2^16 or above and below (k + 1) / 2^16, for each k.

    Attributes:
        counts: int64 ``[BINS]``.
    """

    def __init__(self):
        self.counts = np.zeros(BINS, np.int64)

    def add(self, similarities: np.ndarray, pool: Executor) -> None:
        """Count cosines float32 ``[n]`` or ``[h, w]``.

        It takes 2.5 ns each on one core (``np.bincount`` of rounded ones 5, sorting them 37), where their product of
        512 dimensions takes 10.
        """
        parts = np.array_split(similarities, max(THREADS, -(-similarities.size // EXACT)))
        for counts in pool.map(_counts, [part for part in parts if part.size]):
            self.counts += counts.astype(np.int64)


def _counts(similarities: np.ndarray) -> np.ndarray:
    # The bins' width is a power of two and so exact: a bin holds what its edges say, to the last bit.
    return cv2.calcHist([similarities], [0], None, [BINS], RANGE).reshape(-1)


def binned_roc(genuine: Histogram, impostor: Histogram) -> Roc:
    """The curve of similarities rounded down to multiples of 2^-16.

    Raises:
        BadArgument: no genuine or no impostor comparisons.
    """
    impostors = int(impostor.counts.sum())
    require_both(int(genuine.counts.sum()), impostors)
    bins = np.flatnonzero(genuine.counts)[::-1]
    at_least = np.cumsum(impostor.counts[::-1])[::-1][bins]
    return Roc(
        RANGE[0] + bins * STEP, np.cumsum(genuine.counts[bins]), at_least, at_least - impostor.counts[bins], impostors
    )  # fmt: skip
