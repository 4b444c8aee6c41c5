"""Evaluation end to end beside the bare engine, and all pairs beside the bare matrix product.

Examples:

    python bench/evaluate.py --rounds 5
    python bench/evaluate.py --only pictures --flip none --markdown
    python bench/evaluate.py --only pairs --size 100000

Pictures: aligned faces of the sample photos, varied, as JPEGs in a ``.bin`` of as many pairs as LFW has, and in a
folder of identities. Each contestant has a process of its own, which loads the model, runs a batch that does not count,
and then does the whole work: reading and decoding, embedding, and the protocol. The bare engine has the decoded faces
in memory and does nothing but run them, as often as the flip rule asks. Memory is the peak of the process less what it
had after that first batch.

Pairs: the product is NumPy's, in tiles of the same size, once of those tiles that hold each pair once, as ours are, and
once of all.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np

import eval
import networks
from bench import machine
from bench.pipeline import varied_faces
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from bench.timing import interleave, medians, timed
from eval.bins import write_bin
from eval.building import Options
from eval.folder_embedding import embed_folder
from eval.measuring import measure
from eval.protocols.pairs import TILE
from eval.sets import find, read
from networks.card import FLIPS
from networks.network import Network

BARE, VERIFY, FOLDER = "the bare engine", "a .bin, as eval/verify.py", "a folder, as eval/all_pairs.py"
OURS, TRIANGLE, WHOLE = "this project, all pairs", "NumPy product, each pair once", "NumPy product, whole matrix"
PEOPLE = 10  # pictures of each person in the folder
NOISE = 1.2  # of pictures about their person's centre: a cosine of 0.4


@dataclass(frozen=True)
class Work:
    """What every contestant is given.

    Attributes:
        folder: holds ``faces.bin`` and the folder ``people``.
    """

    folder: Path
    model: str
    flip: str
    batch: int
    threads: int


@dataclass(frozen=True)
class Run:
    """Seconds for so many pictures, and MB of the peak besides the loaded model."""

    seconds: float
    pictures: int
    memory: float


def write_pictures(folder: Path, count: int) -> None:
    """``count`` JPEGs, even in number, as a ``.bin`` and as a folder of identities."""
    jpegs = list(varied_faces(count))
    write_bin(folder / "faces.bin", jpegs, [number % 2 == 0 for number in range(count // 2)])
    for number, jpeg in enumerate(jpegs):
        path = folder / "people" / f"p{number // PEOPLE}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg)


def bare(network: Network, work: Work) -> tuple[float, int]:
    """Only the network, on faces that are in memory; seconds and pictures."""
    pictures, _ = eval.read_bin(work.folder / "faces.bin")
    sides = 1 if work.flip == "none" else 2
    started = time.perf_counter()
    for start in range(0, len(pictures), work.batch):
        for _ in range(sides):
            network._engine(pictures[start : start + work.batch])
    return time.perf_counter() - started, len(pictures)


def whole_bin(network: Network, work: Work) -> tuple[float, int]:
    """A ``.bin`` read, embedded and judged in ten folds."""
    started = time.perf_counter()
    pairs = read(find([str(work.folder / "faces.bin")])[0])
    measure(network, pairs, backend="openvino", flip=work.flip, batch=work.batch)
    return time.perf_counter() - started, len(pairs.pictures)


def whole_folder(network: Network, work: Work) -> tuple[float, int]:
    """A folder read, embedded and all its pairs compared."""
    options = Options(aligned=True, size=network.card.input_size, jobs=work.threads)
    with tempfile.TemporaryDirectory() as keep:
        started = time.perf_counter()
        given = {"flip": work.flip, "batch": work.batch}
        found = embed_folder(work.folder / "people", network, options, Path(keep), **given)
        eval.all_pairs(found.embeddings, found.labels)
        return time.perf_counter() - started, len(found.labels)


CONTESTANTS = {BARE: bare, VERIFY: whole_bin, FOLDER: whole_folder}


def run_once(label: str, work: Work) -> Run:
    """One contestant's whole work, in this process."""
    network = networks.load(work.model, threads=work.threads)
    network.embed(np.zeros((work.batch, *network.card.input_size, 3), np.uint8), work.flip)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far, that of loading the model, is forgotten
    seconds, pictures = CONTESTANTS[label](network, work)
    return Run(seconds, pictures, memory("VmHWM") - before)


def memory(field: str) -> float:
    """MB of a field of /proc/self/status: "VmRSS", what is resident, or "VmHWM", its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


def in_a_process(label: str, work: Work) -> Run:
    """The same in a new process, whose peak is nobody else's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run_once, label, work).result()


def measure_pictures(work: Work, rounds: int, once: Callable[[str, Work], Run] = in_a_process) -> dict[str, dict]:
    """Label -> pictures/s, and the highest peak of memory in MB."""
    runs: dict[str, list[Run]] = {label: [] for label in CONTESTANTS}

    def turn(label: str) -> float:
        progress(label)
        runs[label].append(once(label, work))
        return runs[label][-1].seconds

    interleave({label: lambda label=label: turn(label) for label in CONTESTANTS}, rounds)
    return {
        label: {"rate": median(run.pictures / run.seconds for run in done), "memory": max(run.memory for run in done)}
        for label, done in runs.items()
    }


def pictures_table(figures: dict[str, dict], count: int, flip: str) -> Table:
    """One row a contestant."""
    title = f"{count} aligned pictures, flip {flip}"
    rows = [
        [label, f"{each['rate']:.0f}", f"{each['rate'] / figures[BARE]['rate']:.0%}".replace("%", " %"),
         "-" if label == BARE else f"{each['memory']:.0f}"]
        for label, each in figures.items()
    ]  # fmt: skip
    return Table(title, ["contestant", "pictures/s", "of the bare engine", "peak memory besides the model, MB"], rows)


def people(size: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings float32 ``[size, dimension]`` of people with 20 pictures each, and their labels."""
    random, labels = np.random.default_rng(0), np.arange(size) // 20
    centres = random.standard_normal((labels[-1] + 1, dimension), np.float32)
    rows = centres[labels] + np.float32(NOISE) * random.standard_normal((size, dimension), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels


def product(rows: np.ndarray, whole: bool) -> None:
    """All similarities, a tile at a time, each thrown away."""
    buffer = np.empty((TILE, TILE), np.float32)
    starts = range(0, len(rows), TILE)
    for first in starts:
        for second in starts if whole else range(first, len(rows), TILE):
            left, right = rows[first : first + TILE], rows[second : second + TILE]
            np.matmul(left, right.T, out=buffer[: len(left), : len(right)])


def measure_pairs(size: int, dimension: int, rounds: int) -> dict[str, float]:
    """Label -> seconds."""
    rows, labels = people(size, dimension)
    contestants = {
        OURS: lambda: timed(eval.all_pairs, rows, labels),
        TRIANGLE: lambda: timed(product, rows, False),
        WHOLE: lambda: timed(product, rows, True),
    }
    return medians(interleave(contestants, rounds))


def pairs_table(seconds: dict[str, float], size: int, dimension: int) -> Table:
    """One row a contestant."""
    title = f"All {size * (size - 1) // 2} pairs of {size} embeddings of {dimension} numbers"
    columns = ["contestant", "s", "of the product, each pair once", "of the whole matrix"]
    rows = [
        [label, f"{value:.2f}", f"{value / seconds[TRIANGLE]:.2f}", f"{value / seconds[WHOLE]:.2f}"]
        for label, value in seconds.items()
    ]  # fmt: skip
    return Table(title, columns, rows)


def run(only: str | None, pictures: int, size: int, dimension: int, rounds: int, work: Work) -> Report:
    """Measure both, or one of the two."""
    facts, tables, data = machine.facts(), [], {}
    facts |= {"model": work.model, "batch": str(work.batch), "threads": str(work.threads), "rounds": str(rounds)}
    facts["NumPy's product"] = f"{machine.gemm_peak(work.threads):.0f} GFLOP/s"
    if only != "pairs":
        progress(f"writing {pictures} pictures")
        write_pictures(work.folder, pictures)
        data["pictures"] = measure_pictures(work, rounds)
        tables.append(pictures_table(data["pictures"], pictures, work.flip))
    if only != "pictures":
        progress(f"comparing {size} embeddings")
        data["pairs"] = measure_pairs(size, dimension, rounds)
        tables.append(pairs_table(data["pairs"], size, dimension))
    return Report(facts, tables, data)


def even(text: str) -> int:
    """An argparse type: two pictures make a pair."""
    return positive(text) + int(text) % 2


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--only", choices=["pictures", "pairs"], help="measure one of the two")
    parser.add_argument("--pictures", type=even, default=12_000, help="faces that are embedded")
    parser.add_argument("--size", type=positive, default=50_000, help="embeddings that are compared")
    parser.add_argument("--dimension", type=positive, default=512, help="numbers in one of those")
    parser.add_argument("--model", default="mobilefacenet", help="a name, a bundle or a model file")
    parser.add_argument("--flip", choices=FLIPS, default="sum_raw", help="the rule of embedding")
    parser.add_argument("--batch", type=positive, default=64, help="faces in a call of the model")
    parser.add_argument("--rounds", type=positive, default=3, help="turns of each contestant")
    parser.add_argument("--threads", type=positive, default=2, help="CPU threads of the model")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder), given.model, given.flip, given.batch, given.threads)
        run(given.only, given.pictures, given.size, given.dimension, given.rounds, work).print(given.form)


if __name__ == "__main__":
    run_command(main)
