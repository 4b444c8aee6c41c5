"""Rows in memory that are searched while they change, without a lock between the two.

Rows lie in blocks. A row is written once; when it goes away, the version at which it did is noted beside it. A search
takes the state (one attribute, set by one assignment) and sees the rows that were there at the state's version, however
the rows change meanwhile. A block with many dead rows is replaced by a copy without them; searches that still read the
old one keep it alive.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recognizer.search.index import wrapped

BLOCK = 65536  # rows in a block at most
FIRST = 1024  # rows a new block has room for, at least
NEVER = np.iinfo(np.int64).max
_FEW = 256  # dead rows that are not worth a copy of their block
_PIECE = 16384  # rows gathered at a time

Columns = dict[str, np.ndarray]  # "keys", "stamps" and others, all [n, ...]
Allocate = Callable[[str, tuple[int, ...], np.dtype], np.ndarray]


class Block:
    """Rows in columns of one length; ``closed``: no more are appended, even where there is room."""

    def __init__(self, columns: Columns, closed: bool = False):
        self.columns = columns
        self.capacity = len(columns["keys"])
        self.closed = closed
        self.died: np.ndarray | None = None  # int64 [capacity], the version without the row; None: all live
        self.dead = 0
        self._ascending = closed and bool((np.diff(columns["keys"]) >= 0).all())

    def write(self, start: int, columns: Columns) -> int:
        """Write rows from slot ``start`` on; returns the slot after them."""
        stop = start + len(columns["keys"])
        for name, column in self.columns.items():
            column[start:stop] = columns[name]
        rising = bool((np.diff(self.columns["keys"][max(start - 1, 0) : stop]) >= 0).all())
        self._ascending = (start == 0 or self._ascending) and rising
        return stop

    def find(self, keys: np.ndarray, used: int) -> np.ndarray:
        """Slots of the live rows, of the first ``used``, with one of ``keys`` (ascending, each once)."""
        own = self.columns["keys"][:used]
        if self._ascending:
            first, last = np.searchsorted(own, keys, "left"), np.searchsorted(own, keys, "right")
            slots = _ranges(first, last)
        elif len(keys) == 1:  # the common change, 20 microseconds; isin takes milliseconds
            slots = np.flatnonzero(own == keys[0])
        else:
            slots = np.flatnonzero(np.isin(own, keys))
        return slots if self.died is None else slots[self.died[slots] == NEVER]

    def live(self, version: int, used: int) -> np.ndarray:
        """Slots of the first ``used`` rows that are there at a version."""
        return np.arange(used) if self.died is None else np.flatnonzero(self.died[:used] > version)

    def gone(self, version: int, start: int, stop: int) -> np.ndarray | None:
        """Which of the rows ``start:stop`` are not there at a version, counted from ``start``; None: none."""
        return None if self.died is None else np.flatnonzero(self.died[start:stop] <= version)

    def end(self, slots: np.ndarray, version: int) -> None:
        """Note that rows are gone from a version on."""
        if len(slots):
            if self.died is None:
                self.died = np.full(self.capacity, NEVER)
            self.died[slots] = version
            self.dead += len(slots)


class Part(NamedTuple):
    """A block and how many of its rows are written."""

    block: Block
    used: int


@dataclass(frozen=True, slots=True)
class State:
    """What a search sees. ``graph`` is what an index adds about the leading parts (see ``hnsw``)."""

    version: int = 0
    parts: tuple[Part, ...] = ()
    live: int = 0
    checksum: int = 0
    graph: object = None

    def slots(self) -> Iterator[tuple[Block, np.ndarray]]:
        """The blocks with the slots of their live rows."""
        for block, used in self.parts:
            yield block, block.live(self.version, used)


class Rows:
    """All rows of an index.

    Args:
        fields: name -> (dtype, shape of a row's value) of the columns besides ``keys`` and ``stamps``.
        allocate: makes a column from its name, shape and dtype.

    Attributes:
        state: what a search takes at its start.
        frozen: so many leading parts are neither appended to nor replaced by copies.
    """

    def __init__(self, fields: dict[str, tuple[type, tuple[int, ...]]], allocate: Allocate | None = None):
        self._fields = {"keys": (np.int64, ()), "stamps": (np.int64, ()), **fields}
        self._allocate = allocate or (lambda name, shape, dtype: np.empty(shape, dtype))
        self.state = State()
        self.frozen = 0

    def adopt(self, columns: Columns) -> None:
        """Use columns where they lie (they may be read-only) as the first rows."""
        parts = []
        for start in range(0, len(columns["keys"]), BLOCK):
            part = {name: columns[name][start : start + BLOCK] for name in self._fields}
            parts.append(Part(Block(part, closed=True), len(part["keys"])))
        total = wrapped(columns["stamps"].sum())
        self.state = State(self.state.version + 1, tuple(parts), len(columns["keys"]), total)

    def change(
        self, removed: np.ndarray, keys: np.ndarray, stamps: np.ndarray, columns: Callable[[slice], Columns]
    ) -> None:
        """Drop all rows of the keys ``removed`` and ``keys``, then add new rows.

        Nothing is changed when memory or disk runs out. Calls take turns (the caller sees to it).

        Args:
            removed: int64 ``[m]``.
            keys: int64 ``[n]``, of the new rows.
            stamps: int64 ``[n]``.
            columns: the other columns of a slice of the new rows.
        """
        state, version = self.state, self.state.version + 1
        every = np.unique(np.concatenate([removed, keys]))
        ended = [block.find(every, used) for block, used in state.parts]
        minus = sum(int(block.columns["stamps"][slots].sum()) for (block, _), slots in zip(state.parts, ended))
        parts, marks = self._without(ended)
        self._append(parts, marks, keys, stamps, columns)
        for block, slots in marks:
            block.end(slots, version)
        live = state.live + len(keys) - sum(map(len, ended))
        total = wrapped(state.checksum - minus + int(stamps.sum()))
        self.state = State(version, tuple(parts), live, total, state.graph)

    def replace(self, parts: list[Part], graph: object = None) -> None:
        """Put other parts with the same live rows in the place of all."""
        self.state = State(self.state.version, tuple(parts), self.state.live, self.state.checksum, graph)

    def _without(self, ended: list[np.ndarray]) -> tuple[list[Part], list[tuple[Block, np.ndarray]]]:
        """The parts once the rows ``ended`` are gone, and which rows are still to be marked in them."""
        parts, marks = list(self.state.parts[: self.frozen]), []
        sources = []  # of each further part: its blocks, each with the slots that stay, and whether to copy them
        for (block, used), slots in zip(self.state.parts[self.frozen :], ended[self.frozen :]):
            dead = block.dead + len(slots)
            many = dead > _FEW and dead > used // 4
            if many and sources and _rows(sources[-1][0]) + used - dead <= BLOCK // 2:
                sources[-1] = (sources[-1][0] + [(block, used, slots)], True)
            else:
                sources.append(([(block, used, slots)], many))
        marks += [(part.block, slots) for part, slots in zip(parts, ended)]
        for blocks, copy in sources:
            if copy:
                last = blocks[-1][0] is self.state.parts[-1].block
                parts += self._copied(blocks, room=FIRST if last else 0)
            else:
                block, used, slots = blocks[0]
                parts.append(Part(block, used))
                marks.append((block, slots))
        return parts, marks

    def _append(self, parts: list[Part], marks: list[tuple[Block, np.ndarray]], keys, stamps, columns) -> None:
        start, rows = 0, len(keys)
        while start < rows:
            if len(parts) <= self.frozen or parts[-1].block.closed or parts[-1].used == BLOCK:
                parts.append(Part(self.block(min(BLOCK, max(FIRST, rows - start))), 0))
            block, used = parts[-1]
            if used == block.capacity:
                slots = [slots for marked, slots in marks if marked is block]
                marks[:] = [mark for mark in marks if mark[0] is not block]
                parts[-1:] = self._copied([(block, used, np.concatenate([*slots, []]).astype(int))], rows - start)
                continue
            new = slice(start, min(rows, start + block.capacity - used, start + _PIECE))
            used = block.write(used, {"keys": keys[new], "stamps": stamps[new], **columns(new)})
            parts[-1] = Part(block, used)
            start = new.stop

    def _copied(self, blocks: list[tuple[Block, int, np.ndarray]], room: int) -> list[Part]:
        """One part of the rows of several that are live and not ``slots``, with room for more; [] for no rows."""
        staying = []
        for block, used, slots in blocks:
            stays = np.ones(used, bool) if block.died is None else block.died[:used] == NEVER
            stays[slots] = False
            staying.append((block, np.flatnonzero(stays)))
        rows = sum(len(slots) for _, slots in staying)
        if not rows:
            return []
        copy, filled = self.block(min(BLOCK, max(rows + room, 2 * rows if room else 0, FIRST if room else 0))), 0
        for block, slots in staying:
            for start in range(0, len(slots), _PIECE):
                piece = slots[start : start + _PIECE]
                filled = copy.write(filled, {name: block.columns[name][piece] for name in self._fields})
        return [Part(copy, filled)]

    def block(self, capacity: int) -> Block:
        """An empty block."""
        return Block({
            name: self._allocate(name, (capacity, *shape), np.dtype(dtype))
            for name, (dtype, shape) in self._fields.items()
        })  # fmt: skip


class Column:
    """A column of all live rows in a snapshot's order, gathered piece by piece; ``np.asarray`` gathers it whole."""

    def __init__(self, name: str, blocks: list[Block], number: np.ndarray, slots: np.ndarray):
        self._name, self._blocks, self._number, self._slots = name, blocks, number, slots
        pattern = blocks[0].columns[name]
        self.dtype, self.shape = pattern.dtype, (len(slots), *pattern.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def pieces(self) -> Iterator[np.ndarray]:
        """The rows in order, some thousands at a time."""
        for start in range(0, len(self), _PIECE):
            number, slots = self._number[start : start + _PIECE], self._slots[start : start + _PIECE]
            yield gather(self._blocks, self._name, number, slots)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        whole = np.concatenate([*self.pieces()])
        return whole if dtype is None else whole.astype(dtype, copy=False)


def gather(blocks: list[Block], name: str, number: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """The values of a column at slots of the blocks with such numbers."""
    numbers = np.unique(number)
    if len(numbers) == 1:
        return blocks[numbers[0]].columns[name][slots]
    column = blocks[0].columns[name]
    values = np.empty((len(slots), *column.shape[1:]), column.dtype)
    for each in numbers:
        chosen = number == each
        values[chosen] = blocks[each].columns[name][slots[chosen]]
    return values


def compact(state: State, fields: list[str]) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Live rows by ascending key: columns (``keys`` and ``stamps`` whole), and of each row the part and the slot."""
    blocks = [part.block for part in state.parts]
    live = [slots for _, slots in state.slots()]
    empty = np.zeros(0, np.int64)
    number = np.repeat(np.arange(len(blocks)), [len(slots) for slots in live])
    slots = np.concatenate([*live, empty]).astype(np.int64)
    keys = np.concatenate([*(block.columns["keys"][own] for block, own in zip(blocks, live)), empty])
    order = np.argsort(keys, kind="stable")
    number, slots = number[order], slots[order]
    columns = {"keys": keys[order], "stamps": gather(blocks, "stamps", number, slots) if len(keys) else empty}
    for name in fields if len(keys) else []:
        columns[name] = Column(name, blocks, number, slots)
    return columns, number, slots


def _rows(blocks: list[tuple[Block, int, np.ndarray]]) -> int:
    return sum(used - block.dead - len(slots) for block, used, slots in blocks)


def _ranges(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """All numbers of the ranges first:last, one after another."""
    lengths = last - first
    starts = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(first - starts, lengths)
