"""Search among many embeddings: our indexes beside FAISS, hnswlib and a NumPy matrix product.

Examples:

    python bench/search.py
    python bench/search.py --sizes 1000000 --only exact int8 numpy --markdown

The vectors are random, of length 1; each query is one of them with noise, at a cosine of 0.6 to 0.8, as between two
photos of a person. They, and the graphs (ours and hnswlib's), are kept in the cache folder: the first run at a million
rows takes more than an hour, nearly all of it for the two graphs, a later one some minutes. A time is that of one call;
the 1 and 8 threads ask one query at a time.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from bench import machine
from bench.peer_worker import in_threads, resident
from bench.peers import PeerProcess, start
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from bench.timing import interleave, timed
from common.errors import MissingDependency
from common.folders import cache_folder
from recognizer.search import INDEXES, snapshot

CHUNK = 50_000
BATCH = 64
THREADS = 8
MILVUS_UP_TO = 100_000  # rows: a file of Milvus Lite is meant for tests
LINKS, CONSTRUCTION = 32, 100  # of both graphs


@dataclass
class Contestant:
    """Something that searches.

    Attributes:
        run: queries ``[q, d]`` or, for threads, ``[t, n, d]`` -> (seconds, ids of the nearest).
        build: seconds to build it.
        memory: MB it takes.
    """

    run: Callable[[np.ndarray], tuple[float, np.ndarray]]
    build: float
    memory: float


def vectors_file(size: int, dimension: int) -> Path:
    """Random unit vectors float32 ``[size, dimension]`` in a file, made when it is not there."""
    path = cache_folder() / "bench" / f"vectors-{size}-{dimension}.npy"
    if not path.exists():
        progress(f"making {size} vectors")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        rows, random = np.lib.format.open_memmap(part, "w+", np.float32, (size, dimension)), np.random.default_rng(0)
        for first in range(0, size, CHUNK):
            count = min(CHUNK, size - first)
            rows[first : first + count] = unit(random.standard_normal((count, dimension), np.float32))
        rows.flush()
        part.replace(path)
    return path


def planted(rows: np.ndarray, count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Queries float32 ``[count, d]`` with a cosine of 0.6 to 0.8 to a row each, and which rows these are."""
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(rows), count)
    near = np.asarray(rows[chosen])
    noise = random.standard_normal(near.shape, np.float32)
    noise = unit(noise - near * np.sum(noise * near, axis=1, keepdims=True))
    cosine = random.uniform(0.6, 0.8, (count, 1)).astype(np.float32)
    return unit(cosine * near + np.sqrt(1 - cosine**2) * noise), chosen


def unit(vectors: np.ndarray) -> np.ndarray:
    """Float32 rows at length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def ours(name: str, path: Path, threads: int, folder: str) -> tuple[Contestant, object]:
    """One of our indexes with all rows in it, as a contestant and as it is.

    Raises:
        MissingDependency: its package is not installed.
    """
    rows = np.load(path, mmap_mode="r")
    keys, dimension = np.arange(len(rows)), rows.shape[1]
    options = {"threads": threads}
    if name == "milvus":
        options = {"uri": f"{folder}/milvus.db", "index_type": "FLAT"}
    progress(f"building {name} of {len(rows)} rows")
    before, started = resident(), time.perf_counter()
    if name == "hnsw":
        index, seconds = _kept_graph(path, options)
    else:
        index = INDEXES[name](dimension, **options)
        index.add(keys, rows, keys)
        seconds = time.perf_counter() - started

    def run(queries: np.ndarray) -> tuple[float, np.ndarray]:
        if queries.ndim == 3:
            return timed(in_threads, lambda query: index.search(query, 2), queries), np.zeros(0)
        started = time.perf_counter()
        found = index.search(queries, 2)[0][:, 0]
        return time.perf_counter() - started, found

    return Contestant(run, seconds, resident() - before), index


def _kept_graph(path: Path, options: dict) -> tuple[object, float]:
    """Our graph of the rows, out of the cache folder or made, and the seconds that making it took."""
    rows = np.load(path, mmap_mode="r")
    keys, dimension = np.arange(len(rows)), rows.shape[1]
    kept = path.with_name(f"hnsw-{path.stem}-{LINKS}-{CONSTRUCTION}.snapshot")
    options = {**options, "links": LINKS, "construction": CONSTRUCTION}
    try:
        about, sections = snapshot.read(kept, {"rows": len(rows)})
    except snapshot.SnapshotRefused:
        started = time.perf_counter()
        index = INDEXES["hnsw"](dimension, **options)
        index.add(keys, rows, keys)
        index.settle()
        seconds = time.perf_counter() - started
        snapshot.write(kept, {"rows": len(rows), "seconds": seconds}, index.sections())
        return index, seconds
    return INDEXES["hnsw"].from_sections(dimension, sections, **options), about["seconds"]


def peers(size: int, path: Path, threads: int, effort: int) -> dict[str, tuple[str, dict]]:
    """Label -> peer and options, for ``bench.peers.start``."""
    given = {"threads": threads, "vectors": str(path)}
    graph = str(path.with_name(f"hnswlib-{path.stem}-{LINKS}-{CONSTRUCTION}.graph"))
    hnswlib = {**given, "links": LINKS, "construction": CONSTRUCTION, "effort": effort, "graph": graph}
    return {
        "NumPy matrix product": ("numpy", given),
        "FAISS IndexFlatIP": ("faiss", {**given, "kind": "Flat"}),
        "FAISS SQ8": ("faiss", {**given, "kind": "SQ8"}),
        "hnswlib": ("hnswlib", hnswlib),
    }


def from_peer(process: PeerProcess) -> Contestant:
    """A peer's process as a contestant."""
    built, memory = process(np.zeros((0, 1), np.float32))[1]
    return Contestant(lambda queries: process(queries), float(built), float(memory))


def measure(
    contestants: dict[str, Contestant], rows: np.ndarray, rounds: int, asked: int = 1024
) -> dict[str, dict[str, float]]:
    """Label -> figures: p50, p99 (ms), batch, one, eight (queries/s), recall, memory (MB), build (s)."""
    queries, right = planted(rows, asked)
    shapes = {"single": queries[:1], "batch": queries[:BATCH],
              "one": queries[: 4 * THREADS].reshape(1, 4 * THREADS, -1),
              "eight": queries[: 4 * THREADS].reshape(THREADS, 4, -1)}  # fmt: skip
    seconds = {}
    for kind, example in shapes.items():
        progress(f"timing {kind} among {len(rows)} rows")
        runs = {label: _runner(each.run, queries, example.shape) for label, each in contestants.items()}
        seconds[kind] = interleave(runs, *((rounds, 20) if kind == "single" else (max(3, rounds // 3), 1)))
    figures = {}
    for label, each in contestants.items():
        progress(f"recall of {label}")
        found = np.concatenate([each.run(queries[i : i + BATCH])[1] for i in range(0, len(queries), BATCH)])
        median = {kind: float(np.median(seconds[kind][label])) for kind in shapes}
        figures[label] = {
            "p50": median["single"] * 1e3, "p99": float(np.percentile(seconds["single"][label], 99)) * 1e3,
            "batch": BATCH / median["batch"], "one": 4 * THREADS / median["one"],
            "eight": 4 * THREADS / median["eight"], "recall": float((found == right).mean()),
            "memory": each.memory, "build": each.build,
        }  # fmt: skip
    return figures


def _runner(run: Callable, queries: np.ndarray, shape: tuple[int, ...]) -> Callable[[], float]:
    """A function that times a call with other queries each time, of the given shape."""
    random, count = np.random.default_rng(0), int(np.prod(shape[:-1]))

    def once() -> float:
        return run(queries[random.integers(0, len(queries), count)].reshape(shape))[0]

    return once


def equal_answers(one: object, other: object, rows: np.ndarray, count: int = 10) -> tuple[int, int]:
    """For how many of how many queries two indexes answer alike, similarities included."""
    queries = np.concatenate([planted(rows, 512, seed=2)[0], planted(rows, 512, seed=3)[0][:, ::-1]])
    same = 0
    for first in range(0, len(queries), BATCH):
        answers = [index.search(np.ascontiguousarray(queries[first : first + BATCH]), count) for index in (one, other)]
        same += int(np.all([(a == b).all(axis=1) for a, b in zip(*answers)], axis=0).sum())
    return same, len(queries)


def table(size: int, dimension: int, figures: dict[str, dict[str, float]]) -> Table:
    """One row a contestant."""
    columns = ["index", "one query, p50 ms", "p99 ms", f"batch of {BATCH}, queries/s", "1 thread, queries/s",
               f"{THREADS} threads, queries/s", "recall@1", "memory, MB", "built in, s"]  # fmt: skip
    rows = [[
        label, f"{each['p50']:.2f}", f"{each['p99']:.2f}", f"{each['batch']:.0f}", f"{each['one']:.1f}",
        f"{each['eight']:.1f}", f"{each['recall']:.4f}", f"{each['memory']:.0f}", f"{each['build']:.0f}",
    ] for label, each in figures.items()]  # fmt: skip
    return Table(f"Search, {size} vectors of {dimension} numbers", columns, rows)


def run(sizes: list[int], dimension: int, only: list[str] | None, rounds: int, threads: int, effort: int) -> Report:
    """Measure everything at every size."""
    facts, tables, data = machine.facts(), [], {}
    facts["threads of each"] = str(threads)
    for size in sizes:
        path = vectors_file(size, dimension)
        rows = np.load(path, mmap_mode="r")
        with ExitStack() as stack:
            contestants, indexes = {}, {}
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            for name in INDEXES:
                if (only and name not in only) or (name == "milvus" and size > MILVUS_UP_TO):
                    continue
                try:
                    contestants[f"this project, {name}"], indexes[name] = ours(name, path, threads, folder)
                    stack.callback(indexes[name].close)
                except MissingDependency as error:
                    facts[f"this project, {name}"] = str(error)
            wanted = peers(size, path, threads, effort)
            wanted = {label: each for label, each in wanted.items() if not only or each[0] in only}
            running, reasons = start(wanted, stack)
            facts |= reasons | {label: process.description for label, process in running.items()}
            contestants |= {label: from_peer(process) for label, process in running.items()}
            slow = {label: each for label, each in contestants.items() if label.endswith("milvus")}
            fast = {label: each for label, each in contestants.items() if label not in slow}
            figures = measure(fast, rows, rounds) | measure(slow, rows, min(rounds, 2), asked=128)
            if {"exact", "int8"} <= set(indexes):
                same, asked = equal_answers(indexes["exact"], indexes["int8"], rows)
                facts[f"int8 answers as exact does, best 10 of {size}"] = f"{same} of {asked} queries"
            tables.append(table(size, dimension, figures))
            data[str(size)] = figures
    return Report(facts, tables, data)


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--sizes", type=positive, nargs="+", default=[100_000, 1_000_000], help="rows")
    parser.add_argument("--dimension", type=positive, default=512, help="numbers in a vector")
    names = [*INDEXES, "numpy", "faiss", "hnswlib"]
    parser.add_argument("--only", nargs="+", choices=names, help="measure these alone")
    parser.add_argument("--rounds", type=positive, default=10, help="turns of each contestant")
    parser.add_argument("--threads", type=positive, default=2, help="CPU threads of each contestant")
    parser.add_argument("--effort", type=positive, default=400, help="ef of hnswlib")
    arguments = parser.parse_args()
    run(
        arguments.sizes, arguments.dimension, arguments.only, arguments.rounds, arguments.threads, arguments.effort
    ).print(arguments.form)


if __name__ == "__main__":
    run_command(main)
