"""A graph of neighbours (HNSW, https://arxiv.org/abs/1603.09320, by FAISS): a few thousand comparisons a query.

FAISS's graphs cannot forget, and must not be searched while they are added to. So a graph here never changes: rows
that came after it are compared one by one, rows that went are left out of what it finds, and once there are many of
either, a thread in the background makes another graph, which takes the place of the old one.

The graph keeps 8 bits a number and 8 bytes a link; float32, by which the best are ranked, lies in a mapped file.
"""

import logging
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.errors import MissingDependency
from common.folders import cache_folder
from recognizer.search import nearest
from recognizer.search.exact import ExactIndex
from recognizer.search.index import Normalised, nobody
from recognizer.search.int8 import mapped
from recognizer.search.nearest import Bars, Candidates
from recognizer.search.rows import BLOCK, Block, Part, State, compact
from recognizer.search.scan import MOST, SHIFT, vectors_at
from recognizer.search.snapshot import SnapshotRefused

RECENT = 8192  # rows outside the graph that are no reason for another one: comparing them takes half a millisecond
_RECENT_SHARE = 1 / 64  # of the graph's rows, the same
_DEAD_SHARE = 1 / 4  # of the graph's rows, gone: the graph is made anew
_STEP = 4096  # rows added at a time; a graph in the making is given up between two of them
_TRAINED_ON = 65536  # rows that say which range of each number the 8 bits have to cover
_SPARE = 8  # rows fetched from the graph beyond what is asked for


@dataclass(frozen=True)
class Graph:
    """A FAISS index and where its rows are.

    Attributes:
        index: ``IndexHNSWSQ``, never added to any more.
        places: int64, of each node, the row's place; -1: it is gone.
        parts: how many leading parts of the state it covers; rows of the others are compared one by one.
    """

    index: Any
    places: np.ndarray
    parts: int


class HnswIndex(ExactIndex):
    """Approximate search for many millions of rows.

    Args:
        dimension: numbers in a vector.
        threads: CPU threads of batches and of making graphs; None: as many as this process may use.
        folder: of the mapped files, which have no name and are gone when the process ends; None: the user's cache.
        links: M of the paper, links of a node; twice as many on the lowest layer.
        construction: efConstruction of the paper, candidates kept while a row is added.
        effort: efSearch of the paper, candidates kept while searching.

    Raises:
        MissingDependency: FAISS is not installed.
    """

    def __init__(
        self, dimension: int, threads: int | None = None, folder: str | Path | None = None,
        links: int = 32, construction: int = 100, effort: int = 400,
    ):  # fmt: skip
        self._faiss = _faiss()
        self._folder = Path(folder or cache_folder() / "search")
        self._links, self._construction, self._effort = links, construction, effort
        self._builder: threading.Thread | None = None
        self._closed = False
        super().__init__(dimension, threads)

    def close(self) -> None:
        self._closed = True
        builder = self._builder
        if builder is not None:
            builder.join()
        super().close()

    def settle(self) -> None:
        """Wait until no other graph is being made."""
        while (builder := self._builder) is not None:
            builder.join()

    def sections(self) -> dict[str, np.ndarray]:
        state = self._rows.state
        columns, number, slots = compact(state, ["vectors"])
        graph: Graph | None = state.graph
        if graph is not None and len(number):
            starts = np.cumsum([0, *(used for _, used in state.parts)])
            row = np.full(starts[-1], -1, np.int32)
            row[starts[number] + slots] = np.arange(len(number))
            parts, slots = graph.places >> SHIFT, graph.places & (1 << SHIFT) - 1
            columns["nodes"] = np.where(graph.places < 0, np.int32(-1), row[starts[parts] + np.minimum(slots, BLOCK)])
            columns["graph"] = self._faiss.serialize_index(graph.index)
        return columns

    @classmethod
    def from_sections(cls, dimension: int, sections: dict[str, np.ndarray], **options) -> Self:
        index = cls(dimension, **options)
        if len(sections["keys"]):
            index._rows.adopt(sections)
            if "graph" in sections:
                index._take_graph(sections)
            index._consider()
        return index

    def _take_graph(self, sections: dict[str, np.ndarray]) -> None:
        nodes, keys = np.asarray(sections["nodes"]), np.asarray(sections["keys"])
        try:
            graph = self._faiss.deserialize_index(np.asarray(sections["graph"]))
        except RuntimeError as error:
            raise SnapshotRefused(f"The snapshot's graph cannot be read: {str(error).splitlines()[0]}") from None
        if graph.d != self.dimension or graph.ntotal != len(nodes) or not hasattr(graph, "hnsw"):
            raise SnapshotRefused("The snapshot's graph is not one of its vectors.")
        if len(nodes) and (nodes.min() < -1 or nodes.max() >= len(keys)):
            raise SnapshotRefused("The snapshot's graph has nodes that are none of its rows.")
        covered = np.zeros(len(keys), bool)
        covered[nodes[nodes >= 0]] = True
        rows = nodes.astype(np.int64)
        places = np.where(rows < 0, -1, rows // BLOCK << SHIFT | rows % BLOCK)
        parts = self._rows.state.parts
        self._rows.replace(list(parts), Graph(graph, places, len(parts)))
        self._rows.frozen = len(parts)
        outside = np.flatnonzero(np.isin(keys, keys[~covered]))  # all rows of keys with a row outside: put in anew
        if len(outside):
            vectors, stamps = sections["vectors"], np.asarray(sections["stamps"])[outside]
            nothing = np.zeros(0, np.int64)
            self._rows.change(nothing, keys[outside], stamps, lambda rows: {"vectors": vectors[outside[rows]]})

    def _allocate(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return mapped(self._folder, shape, dtype) if name == "vectors" else np.empty(shape, dtype)

    # Searching

    def _search(self, queries: np.ndarray, count: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        answers = [
            self._searched(queries[start : start + MOST], count, threshold) for start in range(0, len(queries), MOST)
        ]
        return tuple(np.concatenate(each) for each in zip(*answers))

    def _searched(self, queries: np.ndarray, count: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        state = self._rows.state
        if state.graph is None:
            return super()._search(queries, count, threshold)
        most = min(count, state.live)
        if most == 0:
            return nobody(len(queries), count)
        bars = Bars(np.full(len(queries), most), np.full(len(queries), threshold, np.float32))
        found, ended = self._out_of_graph(state, queries, most)
        if len(state.parts) > state.graph.parts:
            found = bars.tighten(found)
            found = Candidates.joined([found, self._scan(state, state.graph.parts, queries, bars)])
            keys, similarities = nearest.best(found, bars, self._exact(state, queries), count)
        else:
            keys, similarities = nearest.answer(found, bars, count)
        if len(ended):
            keys[ended], similarities[ended] = super()._search(queries[ended], count, threshold)
        return keys, similarities

    def _out_of_graph(self, state: State, queries: np.ndarray, count: int) -> tuple[Candidates, np.ndarray]:
        """Live rows near each query, with their exact similarities; more are fetched until keys are enough.

        Second, the queries whose walk came to an end before: among many equal rows, a graph has no ways out.
        """
        graph: Graph = state.graph
        open_, fetch, found, ended = np.arange(len(queries)), count + _SPARE, [], []
        while len(open_):
            fetch = min(fetch, graph.index.ntotal)
            parameters = self._faiss.SearchParametersHNSW(efSearch=max(self._effort, fetch))
            nodes = graph.index.search(queries[open_], fetch, params=parameters)[1]
            here = self._live(state, open_, nodes, queries)
            short = nearest.keys_found(here, len(queries))[open_] < count
            full = (nodes >= 0).all(axis=1)
            again = short & full & (fetch < graph.index.ntotal)
            ended.append(open_[short & ~full])
            found.append(here[~np.isin(here.query, open_[again])] if again.any() else here)
            open_, fetch = open_[again], fetch * 4
        return found[0] if len(found) == 1 else Candidates.joined(found), np.concatenate(ended)

    def _live(self, state: State, queries: np.ndarray, nodes: np.ndarray, vectors: np.ndarray) -> Candidates:
        graph: Graph = state.graph
        query, column = np.nonzero(nodes >= 0)
        places = graph.places[nodes[query, column]]
        known = places >= 0
        query, places = queries[query[known]], places[known]
        key, there = np.empty(len(places), np.int64), np.ones(len(places), bool)
        number, slots = places >> SHIFT, places & (1 << SHIFT) - 1
        for each in np.unique(number):
            chosen, block = np.flatnonzero(number == each), state.parts[each].block
            key[chosen] = block.columns["keys"][slots[chosen]]
            if block.died is not None:
                there[chosen] = block.died[slots[chosen]] > state.version
        query, places, key = query[there], places[there], key[there]
        similarity = nearest.cosines(vectors[query], vectors_at(state.parts, places))
        error = np.zeros(len(key), np.float32)
        return Candidates(query=query, key=key, place=places, similarity=similarity, error=error)

    # Making graphs

    def _change(self, removed: np.ndarray, keys: np.ndarray, vectors: Normalised, stamps: np.ndarray) -> None:
        super()._change(removed, keys, vectors, stamps)
        self._consider()

    def _consider(self) -> None:
        with self._writing:
            if self._builder is None and not self._closed and self._wanted(self._rows.state):
                self._builder = threading.Thread(target=self._build, name="graph", daemon=True)
                self._builder.start()

    def _wanted(self, state: State) -> bool:
        return self._worn(state) or _recent(state) > max(RECENT, _RECENT_SHARE * _nodes(state))

    def _worn(self, state: State) -> bool:
        """Whether so much of the graph is gone that it has to be made anew."""
        covered = state.parts[: state.graph.parts] if state.graph is not None else ()
        live = sum(used - block.dead for block, used in covered)
        gone = _nodes(state) - live
        return gone > RECENT // 4 and gone > _DEAD_SHARE * _nodes(state)

    def _build(self) -> None:
        with suppress(OSError, AttributeError):  # this thread only, and those that FAISS starts from it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
        self._faiss.omp_set_num_threads(self._threads)
        more = True
        while more:
            try:
                self._make()
                with self._writing:
                    more = not self._closed and self._wanted(self._rows.state)
                    self._builder = self._builder if more else None
            except BaseException:
                logging.getLogger(__name__).exception("No other graph was made; the rows outside are compared instead.")
                self._builder = None
                return

    def _make(self) -> None:
        with self._writing:
            before = self._rows.state
            self._rows.frozen = len(before.parts)  # from here on, new rows go to further blocks
            anew = before.graph is None or self._worn(before)
        if anew:
            parts, sources = self._copies(before)
            index, nodes, first = self._empty(parts), np.zeros(0, np.int64), 0
        else:
            parts, sources = list(before.parts), None
            index, nodes, first = self._faiss.clone_index(before.graph.index), before.graph.places, before.graph.parts
        places = [nodes]
        for number in range(first, len(parts)):
            block, used = parts[number]
            slots = block.live(before.version, used)
            places.append(number << SHIFT | slots)
            for start in range(0, len(slots), _STEP):
                if self._closed:
                    return
                index.add(block.columns["vectors"][slots[start : start + _STEP]])
        with self._writing:
            now = self._rows.state
            for (copy, _), (block, slots) in zip(parts, sources or []):
                _pass_on_deaths(block, slots, copy)
            graph = Graph(index, np.concatenate(places), len(parts))
            self._rows.replace([*parts, *now.parts[len(before.parts) :]], graph)
            self._rows.frozen = len(parts)

    def _copies(self, state: State) -> tuple[list[Part], list[tuple[Block, np.ndarray]]]:
        """The parts without their dead rows, and of each copy the block and the slots that it was made of."""
        parts, sources = [], []
        for block, slots in state.slots():
            if block.died is None:
                parts.append(Part(block, len(slots)))
                sources.append((block, np.zeros(0, np.int64)))
            elif len(slots):
                columns = {name: column[slots] for name, column in block.columns.items()}
                copy = self._rows.block(len(slots))
                copy.write(0, columns)
                parts.append(Part(copy, len(slots)))
                sources.append((block, slots))
        return parts, sources

    def _empty(self, parts: list[Part]) -> Any:
        faiss = self._faiss
        index = faiss.IndexHNSWSQ(
            self.dimension, faiss.ScalarQuantizer.QT_8bit, self._links, faiss.METRIC_INNER_PRODUCT
        )
        index.hnsw.efConstruction = self._construction
        share = max(1, sum(used for _, used in parts) // _TRAINED_ON)
        index.train(np.concatenate([block.columns["vectors"][:used:share] for block, used in parts]))
        return index


def _nodes(state: State) -> int:
    return len(state.graph.places) if state.graph is not None else 0


def _recent(state: State) -> int:
    first = state.graph.parts if state.graph is not None else 0
    return sum(used - block.dead for block, used in state.parts[first:])


def _pass_on_deaths(block: Block, slots: np.ndarray, copy: Block) -> None:
    """Note in a copy of some rows which of them have gone since."""
    if block.died is None or not len(slots):
        return
    died = block.died[slots]
    gone = np.flatnonzero(died != np.iinfo(np.int64).max)
    for version in np.unique(died[gone]):
        copy.end(gone[died[gone] == version], int(version))


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingDependency(
            "The search index hnsw needs FAISS: pip install 'insightface-tensorflow[search]', "
            "or choose the index exact."
        ) from None
    return faiss
