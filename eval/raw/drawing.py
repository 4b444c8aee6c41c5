"""Pairs of pictures whose people are known: all of them, or some drawn by chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import BadArgument
from eval.raw.rawset import FOLDS, Pair, in_folds, require_at_most


@dataclass(frozen=True)
class Groups:
    """Pictures of people, those of one person one after another.

    Attributes:
        names: of n pictures.
        ends: int64 ``[n]``, of each picture the number after the last of the same person.
    """

    names: list[str]
    ends: np.ndarray

    @classmethod
    def of(cls, people: Sequence[tuple[str, Sequence[str]]]) -> "Groups":
        """From (person, pictures)."""
        counts = [len(pictures) for _, pictures in people]
        names = [name for _, pictures in people for name in pictures]
        return cls(names, np.repeat(np.cumsum(counts, dtype=np.int64), counts))

    def genuine(self) -> "_Later":
        """Pairs of one person."""
        return _Later(np.arange(len(self.names)) + 1, self.ends)

    def impostor(self) -> "_Later":
        """Pairs of two people."""
        return _Later(self.ends, np.full(len(self.names), len(self.names)))


class _Later:
    """Pairs of each picture with those from ``begins`` to before ``stops``, numbered through."""

    def __init__(self, begins: np.ndarray, stops: np.ndarray):
        self._stops = stops
        self._totals = np.cumsum(stops - begins)
        self.count = int(self._totals[-1]) if len(stops) else 0

    def __getitem__(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first = np.searchsorted(self._totals, numbers, side="right")
        return first, self._stops[first] - (self._totals[first] - numbers)


def every(groups: Groups, where: str) -> list[Pair]:
    """All pairs, ordered so that each of ten folds has its share of both kinds.

    Raises:
        BadDataset: more than a set may hold.
    """
    both = groups.genuine(), groups.impostor()
    require_at_most(sum(each.count for each in both), f"All pairs of {where}")
    return _named(groups, *(each[np.arange(each.count)] for each in both))


def drawn(groups: Groups, count: int, seed: int, folds: int = FOLDS) -> list[Pair]:
    """``count`` pairs, half of them genuine, each pair of its kind as likely as any other, none twice.

    Raises:
        BadArgument: an odd number, none, or more than there are.
    """
    if count < 2 or count % 2:
        raise BadArgument(f"pairs must be an even number from 2 up, half of them genuine, not {count}.")
    genuine, impostor = groups.genuine(), groups.impostor()
    most = min(genuine.count, impostor.count)
    if count > 2 * most:
        raise BadArgument(
            f"There are {genuine.count} genuine and {impostor.count} impostor pairs here: at most {2 * most} can be "
            f"drawn with as many of each kind, not {count}."
        )
    random = np.random.default_rng(seed)
    chosen = [each[np.sort(random.choice(each.count, count // 2, replace=False))] for each in (genuine, impostor)]
    return _named(groups, *chosen, folds=folds)


def _named(groups: Groups, genuine: tuple, impostor: tuple, folds: int = FOLDS) -> list[Pair]:
    pairs = [
        (groups.names[first], groups.names[second], same)
        for (firsts, seconds), same in ((genuine, True), (impostor, False))
        for first, second in zip(firsts.tolist(), seconds.tolist())
    ]
    return in_folds(pairs, folds)
