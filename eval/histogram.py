"""Similarities counted in bins, so that billions of comparisons need a megabyte, and the ROC curve of such counts."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np

from eval.checks import require_both
from eval.roc import Roc

SCALE = 2**15
STEP = 1 / SCALE
BINS = 2 * SCALE  # for -1, -1 + STEP, ..., 1 - STEP; what is above counts as the last
IGNORED = -3.0  # stands for what is not to be counted
EXACT = 2**24  # OpenCV hands counts over as float32
THREADS = min(os.cpu_count() or 1, 8)


@contextmanager
def threads() -> Iterator[Executor]:
    """What ``Histogram.add`` counts with: OpenCV leaves Python's lock, and its own threads, which are slower, rest."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            yield pool
    finally:
        cv2.setNumThreads(before)


class Histogram:
    """How many similarities were nearest to k / 2^15, for each k from -2^15; of two as near, the even k.

    Attributes:
        counts: int64 ``[BINS]``.
    """

    def __init__(self):
        self.counts = np.zeros(BINS, np.int64)

    def add(self, similarities: np.ndarray, pool: Executor, ignored: int = 0) -> None:
        """Count cosines float32 ``[n]`` or ``[h, w]``, of which so many are IGNORED.

        It takes 0.8 ns each on one core: 0.25 to round to 16 bits, 0.5 to count. (OpenCV's histogram of floats takes
        2.5, ``np.bincount`` of rounded ones 5, sorting them 37, their product of 512 dimensions 6.)
        """
        parts = np.array_split(similarities, max(THREADS, -(-similarities.size // EXACT)))
        for counts in pool.map(_counts, [part for part in parts if part.size]):
            self.counts += counts.astype(np.int64)
        self.counts[0] -= ignored


def _counts(similarities: np.ndarray) -> np.ndarray:
    # Scaling by a power of two is exact, and OpenCV rounds half to even and saturates: IGNORED becomes the lowest.
    rounded = cv2.addWeighted(similarities, SCALE, similarities, 0, 0, dtype=cv2.CV_16S)
    # It counts no negative numbers; as if they had no sign, those come last.
    return np.roll(cv2.calcHist([rounded.view(np.uint16)], [0], None, [BINS], (0, BINS)).reshape(-1), SCALE)


def binned_roc(genuine: Histogram, impostor: Histogram) -> Roc:
    """The curve of similarities rounded to multiples of 2^-15; its thresholds are the least that are rounded to those.

    Raises:
        BadArgument: no genuine or no impostor comparisons.
    """
    impostors = int(impostor.counts.sum())
    require_both(int(genuine.counts.sum()), impostors)
    bins = np.flatnonzero(genuine.counts)[::-1]
    at_least = np.cumsum(impostor.counts[::-1])[::-1][bins]
    return Roc(
        (bins - SCALE - 0.5) * STEP,
        np.cumsum(genuine.counts[bins]),
        at_least,
        at_least - impostor.counts[bins],
        impostors,
    )
