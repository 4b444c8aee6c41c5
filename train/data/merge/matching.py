"""Which identities are the same person, block by block: of 100 thousand by 100 thousand cosines, 64 MB at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from train.data.prepare.plan import Progress, silent

INCOMING, KEPT = 1024, 16384  # rows and columns of a block of cosines


@dataclass(frozen=True)
class Matches:
    """For each identity, in order, the most similar one of those kept before it.

    Attributes:
        partner: int64 ``[n]``, that identity; -1 where there was none to compare with.
        cosine: float32 ``[n]``, to it; -1 where there was none.
        same: bool ``[n]``, whether the two are one person: the cosine exceeds the threshold. Then this identity is not
            kept, and those after it are not compared with it.
    """

    partner: np.ndarray
    cosine: np.ndarray
    same: np.ndarray


def match(
    centres: np.ndarray,
    groups: np.ndarray,
    threshold: float,
    across_only: bool = False,
    progress: Progress = silent,
) -> Matches:
    """Go through identities in order and compare each with those kept so far.

    The most similar kept identity decides, the earlier one of equals. A kept identity's centre stays what it was,
    whoever joins it: a chain of people of whom each resembles the next is not drawn together.

    Args:
        centres: float32 ``[n, d]``, normalised; a row of zeros matches nobody.
        groups: int ``[n]``, ascending, the dataset of each.
        threshold: cosine.
        across_only: trust each dataset that its identities are different people: compare with those of earlier ones
            only.
        progress: see ``train.data.prepare.plan``.
    """
    count = len(centres)
    found = Matches(np.full(count, -1), np.full(count, -1, np.float32), np.zeros(count, bool))
    kept, number = np.empty(count, np.int64), 0
    with progress("comparing identities", count) as advance:
        for first in range(0, count, INCOMING):
            block = slice(first, min(first + INCOMING, count))
            before = kept[:number]
            _compare_with_kept(found, centres, block, before, groups if across_only else None)
            _compare_within(found, centres, block, groups if across_only else None, threshold)
            new = first + np.flatnonzero(~found.same[block])
            kept[number : number + len(new)] = new
            number += len(new)
            advance(block.stop - block.start)
    return found


def nearest(rows: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row the most similar one of the others: int64 ``[n]`` (-1 without others) and float32 ``[n]`` cosine."""
    which, best = np.full(len(rows), -1), np.full(len(rows), -1, np.float32)
    for first in range(0, len(rows), INCOMING):
        block = slice(first, first + INCOMING)
        for start, cosines in _blocks(rows[block], others):
            _improve(which[block], best[block], cosines, np.arange(start, start + cosines.shape[1]))
    return which, best


def _compare_with_kept(
    found: Matches, centres: np.ndarray, block: slice, kept: np.ndarray, groups: np.ndarray | None
) -> None:
    for start in range(0, len(kept), KEPT):
        columns = kept[start : start + KEPT]
        cosines = products(centres[block], centres[columns])
        if groups is not None:
            cosines[groups[block][:, None] == groups[columns]] = -1
        _improve(found.partner[block], found.cosine[block], cosines, columns)


def _compare_within(
    found: Matches, centres: np.ndarray, block: slice, groups: np.ndarray | None, threshold: float
) -> None:
    """Compare a block's identities with each other, one after another, as whether one is kept decides for the next."""
    rows = centres[block]
    cosines = products(rows, rows)
    if groups is not None:
        cosines[groups[block][:, None] == groups[block]] = -1
    unkept = np.ones(len(rows), bool)  # also those that come later
    for row in range(len(rows)):
        number = block.start + row
        own = np.where(unkept[:row], -1, cosines[row, :row])
        if row and own.max() > found.cosine[number]:
            found.partner[number], found.cosine[number] = block.start + own.argmax(), own.max()
        found.same[number] = found.cosine[number] > threshold
        unkept[row] = found.same[number]


def _blocks(rows: np.ndarray, others: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(others), KEPT):
        yield start, products(rows, others[start : start + KEPT])


def _improve(partner: np.ndarray, best: np.ndarray, cosines: np.ndarray, columns: np.ndarray) -> None:
    """Take over what is more similar than what was found before; ``columns`` says who the columns are."""
    highest = cosines.argmax(axis=1)
    values = cosines[np.arange(len(cosines)), highest]
    better = values > best
    partner[better], best[better] = columns[highest[better]], values[better]


def products(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """All cosines of two blocks of normalised rows, float32 ``[r, c]``."""
    return rows @ columns.T
