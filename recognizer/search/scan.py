"""Indexes that compare a query with every row: what ``exact`` and ``int8`` share.

A pass cuts the rows into pieces that stay in the processor's cache while they are looked at. Threads take one piece
after another; each has a sieve of its own for the candidates, whose best are compared exactly at the end.
"""

from abc import abstractmethod
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np

from common import cores
from recognizer.search import nearest
from recognizer.search.index import Index, Normalised, nobody
from recognizer.search.nearest import GROUP, Bars, Candidates, Sieve
from recognizer.search.rows import BLOCK, Block, Part, Rows, State, compact
from recognizer.search.turns import Task, Turns

MOST = 64  # queries in a pass
SHIFT = 32  # a row's place is its part's number << 32 | its slot
_AT_ONCE = 4096  # pairs compared exactly at a time, 16 MB of rows at 512 dimensions


class ScanIndex(Index):
    """Every row is compared; subclasses say how.

    Args:
        dimension: numbers in a vector.
        threads: CPU threads of a pass; None: as many as this process may use.
    """

    def __init__(self, dimension: int, threads: int | None = None):
        super().__init__(dimension)
        self._threads = threads or cores.usable()
        self._rows = Rows(self._fields(), self._allocate)
        self._turns = Turns(self._pass, MOST)
        self._workers = ThreadPoolExecutor(max(1, self._threads - 1), thread_name_prefix="search")

    @property
    def checksum(self) -> int:
        return self._rows.state.checksum

    def __len__(self) -> int:
        return self._rows.state.live

    def close(self) -> None:
        self._workers.shutdown()

    def sections(self) -> dict[str, np.ndarray]:
        return compact(self._rows.state, list(self._fields()))[0]

    @classmethod
    def from_sections(cls, dimension: int, sections: dict[str, np.ndarray], **options) -> Self:
        index = cls(dimension, **options)
        if len(sections["keys"]):
            index._rows.adopt(sections)
        return index

    @abstractmethod
    def _fields(self) -> dict[str, tuple[type, tuple[int, ...]]]:
        """The columns besides keys and stamps; ``vectors`` among them."""

    def _allocate(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return np.empty(shape, dtype)

    @abstractmethod
    def _columns(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        """The columns of new rows from their normalised vectors."""

    @abstractmethod
    def _prepare(self, queries: np.ndarray) -> Any:
        """Whatever comparing needs of the queries."""

    @abstractmethod
    def _compare(self, block: Block, start: int, stop: int, prepared: Any, out: np.ndarray) -> np.ndarray:
        """Write similarities of rows ``start:stop`` to out float32 ``[n, q]``; returns how wrong they may be."""

    def _change(self, removed: np.ndarray, keys: np.ndarray, vectors: Normalised, stamps: np.ndarray) -> None:
        self._rows.change(removed, keys, stamps, lambda rows: self._columns(vectors[rows]))

    def _search(self, queries: np.ndarray, count: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        tasks = [Task(queries[start : start + MOST], count, threshold) for start in range(0, len(queries), MOST)]
        answers = [self._turns.run(task) for task in tasks]
        return tuple(np.concatenate(each) for each in zip(*answers)) if len(answers) > 1 else answers[0]

    def _pass(self, tasks: list[Task]) -> None:
        queries = np.concatenate([task.queries for task in tasks])
        sizes = [len(task.queries) for task in tasks]
        counts = np.repeat([task.count for task in tasks], sizes)
        thresholds = np.repeat(np.array([task.threshold for task in tasks], np.float32), sizes)
        keys, similarities = self._nearest(self._rows.state, queries, counts, thresholds)
        start = 0
        for task, size in zip(tasks, sizes):
            own = slice(start, start + size)
            task.answer = (keys[own, : task.count], similarities[own, : task.count])
            start += size

    def _nearest(
        self, state: State, queries: np.ndarray, counts: np.ndarray, thresholds: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        most = min(int(counts.max()), state.live)
        if most == 0:
            return nobody(len(queries), int(counts.max()))
        bars = Bars(np.minimum(counts, most), thresholds)
        found = self._scan(state, 0, queries, bars)
        return nearest.best(found, bars, self._exact(state, queries), int(counts.max()))

    def _exact(self, state: State, queries: np.ndarray):
        """A function for the exact similarities of (query, place) pairs."""
        return lambda query, place: np.concatenate([
            nearest.cosines(queries[query[i : i + _AT_ONCE]], vectors_at(state.parts, place[i : i + _AT_ONCE]))
            for i in range(0, len(query), _AT_ONCE)
        ])  # fmt: skip

    def _scan(self, state: State, first: int, queries: np.ndarray, bars: Bars) -> Candidates:
        """Candidates out of the parts from the ``first`` on."""
        prepared = self._prepare(queries)
        step = piece_rows(len(queries))
        pieces = deque(
            (number, start, min(start + step, used))
            for number, (_, used) in enumerate(state.parts) if number >= first for start in range(0, used, step)
        )  # fmt: skip
        work = (state, pieces, step, prepared, len(queries), bars)
        helpers = [self._workers.submit(self._sift, *work) for _ in range(min(self._threads, len(pieces)) - 1)]
        found = [self._sift(*work), *(helper.result() for helper in helpers)]
        return bars.tighten(Candidates.joined(found))

    def _sift(self, state: State, pieces: deque, step: int, prepared: Any, queries: int, bars: Bars) -> Candidates:
        sieve = Sieve(bars)
        room = np.empty((step, queries), np.float32)
        while True:
            try:
                number, start, stop = pieces.popleft()
            except IndexError:
                return sieve.candidates()
            block, rows = state.parts[number].block, stop - start
            whole = -(-rows // GROUP) * GROUP
            error = self._compare(block, start, stop, prepared, room[:rows])
            room[rows:whole] = -np.inf
            gone = block.gone(state.version, start, stop)
            if gone is not None:
                room[gone] = -np.inf
            sieve.offer(room[:whole], error, block.columns["keys"][start:stop], number << SHIFT | start)


def vectors_at(parts: tuple[Part, ...], places: np.ndarray) -> np.ndarray:
    """The vectors float32 ``[n, d]`` of rows, by their places."""
    number, slots = places >> SHIFT, places & (1 << SHIFT) - 1
    values = np.empty((len(places), parts[0].block.columns["vectors"].shape[1]), np.float32)
    for each in np.unique(number):
        chosen = np.flatnonzero(number == each)
        values[chosen] = parts[each].block.columns["vectors"][slots[chosen]]
    return values


def piece_rows(queries: int) -> int:
    """Rows looked at in one go: 256 KB of similarities for one query, 1 MB for 64."""
    return min(BLOCK, max(4096, BLOCK // queries // GROUP * GROUP))
