"""All pairs of a set of identities: every picture compared with every other one."""

from collections.abc import Iterator

import numpy as np

from common.cli.progress import counted
from eval.checks import labels as checked
from eval.checks import require_both, unit_rows
from eval.histogram import IGNORED, Histogram, binned_roc, threads
from eval.roc import Rates, readings

TILE = 2048  # rows and columns of a tile of similarities: 16 MB, which stay in the processor's cache
PORTION = 512  # rows that are normalised at a time, in float64


def all_pairs(embeddings: np.ndarray, labels: np.ndarray, *, progress: bool = False) -> Rates:
    """Rates over all n (n - 1) / 2 pairs, a tile of the matrix of similarities at a time; no folds.

    Similarities are float32 products, rounded to multiples of 2^-15. What is returned is exact for those: every pair is
    counted once. A threshold is the least similarity that is rounded up to one that is accepted: accepting those at or
    above it gives the rates that are stated with it, but for similarities that lie on it to the last bit. Without
    rounding, it would be higher by less than 2^-15.

    Besides the embeddings, and a copy of them in float32, this needs some 30 MB, whatever the number of pairs.

    Args:
        embeddings: float ``[n, d]``, normalised or not; may be mapped from a file.
        labels: identity of each, ``[n]``, of any type that can be sorted.
        progress: whether to show a bar on a terminal.

    Raises:
        BadEmbedding: not ``[n, d]``, or a row that is not finite or zero.
        BadArgument: labels do not fit, or pairs of one kind only.
    """
    labels = checked(labels, len(embeddings))
    require_pairs(labels)
    _, positions = np.unique(labels, return_inverse=True)
    order = np.argsort(positions, kind="stable")  # an identity's pairs lie in few tiles then, near the diagonal
    genuine, impostor = _compare(_unit(embeddings, order), positions[order].astype(np.int32), progress)
    return Rates(**readings(binned_roc(genuine, impostor)))


def require_pairs(labels: np.ndarray) -> None:
    """Refuse identities ``[n]`` of which all pairs are of one kind.

    Raises:
        BadArgument: no genuine or no impostor pairs.
    """
    _, counts = np.unique(labels, return_counts=True)
    genuine = int((counts * (counts - 1) // 2).sum())
    require_both(genuine, len(labels) * (len(labels) - 1) // 2 - genuine)


def _unit(embeddings: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The embeddings at length 1 and in order, float32 ``[n, d]``."""
    unit = np.empty(np.shape(embeddings), np.float32)
    place = np.argsort(order)
    for start in range(0, len(unit), PORTION):
        portion = slice(start, start + PORTION)
        unit[place[portion]] = unit_rows(embeddings[portion], f"embeddings[{start}:]" if start else "embeddings")
    return unit


def _compare(rows: np.ndarray, owners: np.ndarray, progress: bool) -> tuple[Histogram, Histogram]:
    """The genuine and the impostor similarities of rows that are sorted by owner."""
    genuine, impostor = Histogram(), Histogram()
    buffer = np.empty((min(TILE, len(rows)),) * 2, np.float32)
    twice = np.tri(len(buffer), dtype=bool)  # in a tile on the diagonal: pairs that come up right of it as well
    tiles = list(_tiles(len(rows)))
    with threads() as pool:
        for first, second in counted(tiles, len(tiles), "comparing all pairs") if progress else tiles:
            tile = buffer[: first.stop - first.start, : second.stop - second.start]
            np.matmul(rows[first], rows[second].T, out=tile)
            if first != second and owners[first.stop - 1] != owners[second.start]:
                impostor.add(tile, pool)
                continue
            same = owners[first, None] == owners[second]
            again = twice[: len(tile), : len(tile)] if first == second else np.False_
            genuine.add(tile[same & ~again], pool)
            same |= again
            np.copyto(tile, IGNORED, where=same)
            impostor.add(tile, pool, np.count_nonzero(same))
    return genuine, impostor


def _tiles(count: int) -> Iterator[tuple[slice, slice]]:
    """The rows and columns of the tiles on the diagonal and right of it."""
    parts = [slice(start, min(start + TILE, count)) for start in range(0, count, TILE)]
    return ((first, second) for number, first in enumerate(parts) for second in parts[number:])
