"""All pairs of a set of identities: every picture compared with every other one."""

from collections.abc import Iterator

import numpy as np

from common.cli.progress import counted
from common.errors import BadArgument
from eval.checks import labels as checked
from eval.checks import require_both, unit_rows
from eval.roc import Counter, Rates, readings

BLOCK_PAIRS = 4_000_000  # similarities held at a time: 16 MB
MOST_GENUINE = 20_000_000  # genuine pairs, whose similarities are all kept: 20 bytes each


def all_pairs(embeddings: np.ndarray, labels: np.ndarray, *, progress: bool = False) -> Rates:
    """Exact rates over all n (n - 1) / 2 pairs, a block at a time; no folds.

    Args:
        embeddings: float ``[n, d]``, normalised or not; compared in float32.
        labels: identity of each, ``[n]``, of any type that can be sorted.
        progress: whether to show a bar on a terminal.

    Raises:
        BadEmbedding: not ``[n, d]``, or a row that is not finite or zero.
        BadArgument: labels do not fit, pairs of one kind only, or more than 20 million genuine pairs.
    """
    rows = unit_rows(embeddings).astype(np.float32)
    _, positions = np.unique(checked(labels, len(rows)), return_inverse=True)
    order = np.argsort(positions, kind="stable")
    rows, counts = rows[order], np.bincount(positions, minlength=1)
    _check(counts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    ends = np.repeat(starts[1:], counts)  # where each row's identity ends: all behind are impostors, not yet compared
    counter = Counter(_genuine(rows, starts))
    blocks = list(_blocks(len(rows)))
    for block in counted(blocks, len(blocks), "comparing all pairs") if progress else blocks:
        similarities = rows[block] @ rows[block.start :].T
        counter.add(similarities[np.arange(block.start, len(rows)) >= ends[block, None]])
    return Rates(**readings(counter.roc()))


def _check(counts: np.ndarray) -> None:
    genuine = int((counts * (counts - 1) // 2).sum())
    require_both(genuine, int(counts.sum() * (counts.sum() - 1) // 2) - genuine)
    if genuine > MOST_GENUINE:
        raise BadArgument(
            f"{genuine} genuine pairs are more than the {MOST_GENUINE} that are kept in memory. "
            "Compare fewer pictures of each identity."
        )


def _genuine(rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    parts = []
    for start, end in zip(starts, starts[1:]):
        own = rows[start:end]
        for block in _blocks(len(own)):
            similarities = own[block] @ own[block.start :].T
            height, width = similarities.shape
            parts.append(similarities[np.arange(width) > np.arange(height)[:, None]])
    return np.concatenate(parts)


def _blocks(count: int) -> Iterator[slice]:
    size = max(BLOCK_PAIRS // max(count, 1), 1)
    return (slice(start, min(start + size, count)) for start in range(0, count, size))
