"""How many pictures the identities of a dataset have."""

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from train.data.sources import open_source
from train.data.sources.shards import ShardsSource

EDGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # where the histogram's groups begin


@dataclass(frozen=True)
class Statistics:
    """The numbers of a dataset.

    Attributes:
        identities: with at least one picture.
        pictures: in all.
        least, median, mean, most: pictures of an identity.
        histogram: (from, to, identities): how many identities have so many pictures; "to" of the last is None.
        empty: identities without a picture.
    """

    identities: int
    pictures: int
    least: int
    median: float
    mean: float
    most: int
    histogram: list[tuple[int, int | None, int]]
    empty: int

    def to_mapping(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def statistics(path: str | os.PathLike) -> Statistics:
    """The numbers of a folder of shards, a ``.rec``, a list or a folder of identities.

    Raises:
        BadDataset: it is none of these, or damaged.
    """
    return from_counts(count_pictures(path))


def count_pictures(path: str | os.PathLike) -> np.ndarray:
    """Pictures of each identity, int64 ``[classes]``."""
    source = open_source(path)
    if isinstance(source, ShardsSource) and source.counts is not None:
        return np.array(source.counts, np.int64)
    classes = len(source.identities())
    return np.bincount(source.items(np.arange(classes)).labels, minlength=classes)


def from_counts(counts: np.ndarray) -> Statistics:
    """The numbers of identities that have so many pictures each."""
    there = counts[counts > 0]
    if not len(there):
        return Statistics(0, 0, 0, 0.0, 0.0, 0, [], len(counts))
    ends = [*EDGES[1:], None]
    groups = [
        (start, None if end is None else end - 1, int(((there >= start) & (there < (end or np.inf))).sum()))
        for start, end in zip(EDGES, ends)
    ]
    while groups[-1][2] == 0:
        groups.pop()
    return Statistics(
        len(there),
        int(there.sum()),
        int(there.min()),
        float(np.median(there)),
        float(there.mean()),
        int(there.max()),
        groups,
        len(counts) - len(there),
    )
