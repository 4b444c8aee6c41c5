"""Which picture stands at which position of an endless stream, computed for any position without those before it."""

import threading
from functools import lru_cache

import numpy as np

from train.data.randomness import permutation


class InOrder:
    """The pictures as they are stored, over and over."""

    def __init__(self, images: int):
        self.images = images

    def indices(self, first: int, count: int) -> np.ndarray:
        """int64 ``[count]``: the pictures at the positions from ``first`` on."""
        return np.arange(first, first + count) % self.images


class Shuffled:
    """Every picture once in each epoch, in another order each time; epoch e is positions e n .. (e + 1) n - 1.

    The pictures are cut into runs that lie together in a file. An epoch draws an order of the runs; in that order,
    every ``window`` pictures are mixed among each other. So reading touches ``window / run`` places of the files at a
    time, and with a window of all pictures (or runs of one) the order is a permutation of all, each equally likely.

    Args:
        files: how many pictures each file holds; a run lies in one file.
        run: pictures in a run.
        window: pictures that are mixed.
        seed: another seed, another order.
    """

    def __init__(self, files: list[int], run: int, window: int, seed: int):
        self.images = sum(files)
        self.window = min(window, self.images)
        self._seed = seed
        self._starts, self._lengths = _runs(files, run)
        self._lock = threading.Lock()  # else two readers that need the same window would both compute it
        self._epoch_runs = lru_cache(2)(self._draw_runs)
        # This window and the one read ahead, and while threads cross a border the one before; of all pictures, two.
        self._window = lru_cache(2 if self.window == self.images else 4)(self._draw_window)

    def indices(self, first: int, count: int) -> np.ndarray:
        """int64 ``[count]``: the pictures at the positions from ``first`` on."""
        parts = []
        while count > 0:
            epoch, place = divmod(first, self.images)
            number, offset = divmod(place, self.window)
            part = self.mixed(epoch, number)[offset : offset + count]
            parts.append(part)
            first, count = first + len(part), count - len(part)
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def after(self, first: int) -> tuple[int, int]:
        """(epoch, window) of the window that follows the one in which position ``first`` lies."""
        epoch, place = divmod(first, self.images)
        number = place // self.window + 1
        return (epoch, number) if number * self.window < self.images else (epoch + 1, 0)

    def mixed(self, epoch: int, number: int) -> np.ndarray:
        """The pictures of one window, in their order."""
        with self._lock:
            return self._window(epoch, number)

    def _draw_runs(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        order = permutation(len(self._starts), self._seed, "runs", epoch)
        lengths = self._lengths[order]
        return self._starts[order], lengths, np.cumsum(lengths)

    def _draw_window(self, epoch: int, number: int) -> np.ndarray:
        if self.window == self.images:
            return permutation(self.images, self._seed, "pictures", epoch)
        first, last = number * self.window, min((number + 1) * self.window, self.images)
        starts, lengths, ends = self._epoch_runs(epoch)
        touched = slice(np.searchsorted(ends, first, "right"), np.searchsorted(ends, last, "left") + 1)
        starts, lengths, ends = starts[touched], lengths[touched], ends[touched]
        begin = ends[0] - lengths[0]
        pictures = np.repeat(starts - (ends - lengths), lengths) + np.arange(begin, ends[-1])
        pictures = pictures[first - begin : last - begin]
        return pictures[permutation(len(pictures), self._seed, "pictures", epoch, number)]


class Balanced:
    """Every class equally often, however many pictures it has.

    Positions are dealt in rounds: a round shows each class once, in an order drawn for that round. A class shows its
    pictures in turn, in an order drawn for each epoch (about as many rounds as fill it), so that none is seen again
    before all of them were or the epoch is over.

    Args:
        labels: int ``[images]``, the class of each picture; a class without one takes no part.
        seed: another seed, another order.
    """

    def __init__(self, labels: np.ndarray, seed: int):
        self.images = len(labels)
        self._labels, self._seed = np.asarray(labels), seed
        self._counts = np.unique(self._labels, return_counts=True)[1]
        self._firsts = np.cumsum(self._counts) - self._counts
        self.rounds = -(-self.images // len(self._counts))
        self._lock = threading.Lock()
        self._members = lru_cache(2)(self._draw_members)
        self._round = lru_cache(64)(self._draw_round)

    def indices(self, first: int, count: int) -> np.ndarray:
        """int64 ``[count]``: the pictures at the positions from ``first`` on."""
        parts, classes = [], len(self._counts)
        while count > 0:
            number, place = divmod(first, classes)
            epoch, turn = divmod(number, self.rounds)
            with self._lock:
                members, order = self._members(epoch), self._round(number)
            shown = order[place : place + count]
            parts.append(members[self._firsts[shown] + turn % self._counts[shown]])
            first, count = first + len(shown), count - len(shown)
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _draw_members(self, epoch: int) -> np.ndarray:
        """All pictures, sorted by class, in a drawn order within each class."""
        drawn = permutation(self.images, self._seed, "members", epoch)
        return drawn[np.argsort(self._labels[drawn], kind="stable")]

    def _draw_round(self, number: int) -> np.ndarray:
        return permutation(len(self._counts), self._seed, "round", number)


def _runs(files: list[int], run: int) -> tuple[np.ndarray, np.ndarray]:
    """First picture and length of every run; the last run of a file may be shorter."""
    starts, lengths, begin = [], [], 0
    for images in files:
        firsts = np.arange(0, images, run)
        starts.append(begin + firsts)
        lengths.append(np.minimum(run, images - firsts))
        begin += images
    return np.concatenate(starts), np.concatenate(lengths)
