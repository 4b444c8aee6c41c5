"""The best distinct keys out of many rows whose similarity is first known approximately, then exactly.

Every approximate similarity lies within a known error of the exact one. Of each query a *bar* is kept: ``count``
distinct keys are known whose exact similarity is at least the bar. A row whose approximate similarity plus error is
below the bar cannot be in the answer; all others are kept. So the answer is that of exact search, whatever the error:
a larger one only leaves more rows to compute exactly.
"""

from collections.abc import Callable

import numpy as np

from recognizer.search.index import nobody

GROUP = 64  # similarities that are looked at through their maximum first
ROUNDING = 1e-6  # more than float32 loses where bars and similarities of -1..1 are added


class Candidates:
    """Rows that may be in the answers: arrays of one length, one entry for a row and a query."""

    FIELDS = {"query": np.int64, "key": np.int64, "place": np.int64, "similarity": np.float32, "error": np.float32}

    def __init__(self, **arrays: np.ndarray):
        self.arrays = arrays or {name: np.zeros(0, dtype) for name, dtype in self.FIELDS.items()}

    def __getattr__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def __len__(self) -> int:
        return len(self.arrays["query"])

    def __getitem__(self, chosen: np.ndarray) -> "Candidates":
        return Candidates(**{name: array[chosen] for name, array in self.arrays.items()})

    @staticmethod
    def joined(several: list["Candidates"]) -> "Candidates":
        """All entries of several."""
        return Candidates(**{
            name: np.concatenate([each.arrays[name] for each in several]) for name in Candidates.FIELDS
        }) if several else Candidates()  # fmt: skip


class Bars:
    """The bars of all queries of a pass; several threads raise them.

    Args:
        counts: int64 ``[q]``, distinct keys wanted.
        thresholds: float32 ``[q]``, similarities below which nothing is wanted.
    """

    def __init__(self, counts: np.ndarray, thresholds: np.ndarray):
        self.counts = counts
        self.thresholds = thresholds
        # Bars only rise and each value ever written is valid, so that a rise lost between two threads does no harm.
        self.values = np.array(thresholds, np.float32)

    def tighten(self, found: Candidates) -> Candidates:
        """Raise the bars by what was found and return what of it may still be in an answer."""
        if not len(found):
            return found
        lowest = found.similarity - found.error
        order = np.lexsort((-lowest, found.key, found.query))
        found, lowest = found[order], lowest[order]
        best = _firsts(found.query, found.key)
        own = np.repeat(lowest[best], np.diff([*np.flatnonzero(best), len(found)]))
        self.raise_to(*_at_rank(found.query[best], lowest[best], self.counts))
        highest = found.similarity + found.error + ROUNDING
        return found[(highest >= self.values[found.query]) & (highest >= own)]

    def raise_to(self, queries: np.ndarray, values: np.ndarray) -> None:
        """Raise the bars of some queries."""
        self.values[queries] = np.maximum(self.values[queries], values)


class Sieve:
    """Takes the similarities of one block after another and keeps the candidates; one for each thread.

    Args:
        bars: of the pass, shared by its threads.
    """

    def __init__(self, bars: Bars):
        self._bars = bars
        self._kept: list[Candidates] = []
        self._size = 0
        self._settled = 0  # how many were left when the bars were last raised

    def offer(self, similarities: np.ndarray, error: np.ndarray, keys: np.ndarray, place: int) -> None:
        """Look at the similarities of some rows.

        Args:
            similarities: float32 ``[n, q]``, n a multiple of ``GROUP``; rows that do not count hold -inf.
            error: float32 ``[q]``, the most by which they may be wrong.
            keys: int64, of the rows that there are (at most n).
            place: what the first row's place is; the others follow.
        """
        layers = similarities.reshape(GROUP, -1, len(error))  # row = layer * groups + group: maxima of whole vectors
        groups = layers.max(axis=0)
        cold = np.flatnonzero(np.isneginf(self._bars.values))
        depth = 4 * int(self._bars.counts.max()) + 16
        trial = self._bars.values.copy()
        while True:
            trial[cold] = _at_depth(groups[:, cold], depth) - error[cold] if len(cold) else 0
            found = self._above(layers, groups, trial, error, keys, place)
            if not len(cold):
                break
            found = self._bars.tighten(found)
            cold = np.flatnonzero(np.isneginf(self._bars.values))
            if not len(cold) or depth >= len(groups):  # all rows were taken in
                break
            depth *= 8  # the best rows were all of too few keys
        self._keep(found)

    def candidates(self) -> Candidates:
        """All that may be in an answer."""
        return self._bars.tighten(Candidates.joined(self._kept))

    def _above(self, layers, groups, bars, error, keys, place) -> Candidates:
        limit = bars - error - np.float32(ROUNDING)
        group, query = np.nonzero((groups >= limit) & (groups > -np.inf))
        if not len(group):
            return Candidates()
        values = layers[:, group, query]
        layer, hit = np.nonzero(values >= np.maximum(limit, np.finfo(np.float32).min)[query])
        row, query = layer * layers.shape[1] + group[hit], query[hit]
        similarity = values[layer, hit]
        return Candidates(query=query, key=keys[row], place=place + row, similarity=similarity, error=error[query])

    def _keep(self, found: Candidates) -> None:
        if len(found):
            self._kept.append(found)
            self._size += len(found)
            if self._size > 2 * self._settled + 16 * len(self._bars.values):
                self._kept = [self.candidates()]
                self._size = self._settled = len(self._kept[0])


def best(
    found: Candidates, bars: Bars, exact: Callable[[np.ndarray, np.ndarray], np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The answers out of candidates, by their exact similarities.

    Args:
        found: with similarities and errors as above.
        bars: of the pass.
        exact: the exact similarities float32 of (query, place) pairs.
        count: columns of the answer.

    Returns:
        keys int64 and similarities float32, both ``[q, count]``; see ``Index.search``.
    """
    found = bars.tighten(found)
    known, depth = Candidates(), int(bars.counts.max()) + 8
    while len(found):
        found = found[np.lexsort((-found.similarity - found.error, found.query))]
        now = _ranks(found.query) < depth
        computed = found[now]
        computed.arrays["similarity"] = exact(computed.query, computed.place)
        computed.arrays["error"] = np.zeros(len(computed), np.float32)
        known = bars.tighten(Candidates.joined([known, computed]))
        found = found[~now]
        found = found[found.similarity + found.error + ROUNDING >= bars.values[found.query]]
        depth *= 8
    return answer(known, bars, count)


def keys_found(found: Candidates, queries: int) -> np.ndarray:
    """How many distinct keys there are for each query."""
    order = np.lexsort((found.key, found.query))
    query = found.query[order]
    return np.bincount(query[_firsts(query, found.key[order])], minlength=queries)


def cosines(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Cosines float32 of pairs of rows of length 1; summed in float64, and equal for equal rows wherever they lie."""
    products = np.vecdot(queries.astype(np.float64), vectors.astype(np.float64))
    return np.clip(products, -1, 1).astype(np.float32)


def answer(found: Candidates, bars: Bars, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The answers out of candidates whose similarities are exact; see ``best``."""
    found, counts = found[found.similarity >= bars.thresholds[found.query]], bars.counts
    found = found[np.lexsort((-found.similarity, found.key, found.query))]
    found = found[_firsts(found.query, found.key)]
    found = found[np.lexsort((found.key, -found.similarity, found.query))]
    rank = _ranks(found.query)
    keys, similarities = nobody(len(counts), count)
    taken = rank < np.minimum(counts, count)[found.query]
    keys[found.query[taken], rank[taken]] = found.key[taken]
    similarities[found.query[taken], rank[taken]] = found.similarity[taken]
    return keys, similarities


def _firsts(*sorted_arrays: np.ndarray) -> np.ndarray:
    """Where a new combination of values begins, bool ``[n]``."""
    new = np.ones(len(sorted_arrays[0]), bool)
    new[1:] = np.any([array[1:] != array[:-1] for array in sorted_arrays], axis=0)
    return new


def _ranks(queries: np.ndarray) -> np.ndarray:
    """The place of each entry among those of its query; ``queries`` ascending."""
    return np.arange(len(queries)) - np.searchsorted(queries, queries)


def _at_rank(queries: np.ndarray, values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The queries with at least ``counts`` values, and of each the count-th best value."""
    order = np.lexsort((-values, queries))
    queries, values = queries[order], values[order]
    there = _ranks(queries) == counts[queries] - 1
    return queries[there], values[there]


def _at_depth(groups: np.ndarray, depth: int) -> np.ndarray:
    """The depth-th largest maximum of each query, or -inf where there are not so many."""
    if depth >= len(groups):
        return np.full(groups.shape[1], -np.inf, np.float32)
    return np.partition(groups, len(groups) - depth, axis=0)[len(groups) - depth]
