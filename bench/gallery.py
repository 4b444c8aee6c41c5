"""What a gallery costs: enrolling, starting with a million people, noticing a change; on SQLite and on a server.

Examples:

    python bench/gallery.py
    python bench/gallery.py --people 100000 --only sqlite
    RECOGNIZER_TEST_DATABASE=mysql://user@host/ python bench/gallery.py --only server

The server is a private MariaDB or MySQL (or the one RECOGNIZER_TEST_DATABASE names), with a buffer pool of 2 GB; its
data lie where the tests put them, in memory (/dev/shm) where there is room, while SQLite's file is on disk. Embeddings
are given: no network runs. Starting is measured in new processes, from the import of the packages to the answer to the
first search. The databases are in a temporary folder and gone at the end.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np

import db
from bench import machine
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from bench.timing import timed
from common.errors import FaceError, MissingDependency
from db import Face
from recognizer.index import GalleryIndex

ROOT = Path(__file__).resolve().parents[1]
DIMENSION, BULK = 512, 5000
SINGLES, NOTICES, WRITERS = 300, 300, 8
SERVER_OPTIONS = ("--innodb-buffer-pool-size=2G",)
MODEL = ("bench", "0" * 64, DIMENSION)

START = f"""
import json, resource, sys, time
started = time.perf_counter()
import numpy, db
from recognizer.index import GalleryIndex
url, kind, keep = sys.argv[1:]
with db.open(url) as database:
    index = GalleryIndex(database, database.find("people"), kind, keep=keep)
    query = numpy.zeros((1, {DIMENSION}), numpy.float32)
    query[0, 0] = 1
    [found] = index.search(query, 2)
    seconds = time.perf_counter() - started
    assert len(found) == 2
    index.close()
print(json.dumps([seconds, index.path.exists(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def embeddings(count: int, seed: int) -> np.ndarray:
    """Unit vectors float32 ``[count, DIMENSION]``."""
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSION), dtype=np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[str, str]]:
    """(what it is called, URL) of an SQLite file."""
    import sqlite3

    yield f"SQLite {sqlite3.sqlite_version}", f"sqlite:///{folder}/people.db"


@contextmanager
def server(_folder: Path) -> Iterator[tuple[str, str]]:
    """(what it is called, URL) of a fresh database on the tests' server.

    Raises:
        MissingDependency: there is no server.
    """
    from tests.servers import NoServer, PrivateServer, started

    try:
        with started() as running:
            if isinstance(running, PrivateServer):
                running.stop()
                running.start(*SERVER_OPTIONS)
            name = running.new_database()
            try:
                yield running.version, running.url(name)
            finally:
                running.drop(name)
    except NoServer as error:
        raise MissingDependency(str(error)) from None


ENGINES = {"sqlite": sqlite, "server": server}


def fill(gallery, people: int) -> float:
    """Enrol so many people in bulk; seconds that it took, without drawing their embeddings."""
    seconds = 0.0
    for start in range(0, people, BULK):
        vectors = embeddings(min(BULK, people - start), start)
        faces = {f"person {start + i}": [Face(vector)] for i, vector in enumerate(vectors)}
        seconds += timed(gallery.add_many, faces)
        if start % (10 * BULK) == 0:
            progress(f"  {start + len(vectors)} of {people} people enrolled")
    return seconds


def singles(gallery, prefix: str, count: int) -> list[float]:
    """Seconds of each of ``count`` enrolments, one person with one face at a time."""
    vectors = embeddings(count, 1)
    return [timed(gallery.add, f"{prefix} {i}", [Face(vector)]) for i, vector in enumerate(vectors)]


def crowd(url: str) -> float:
    """People enrolled per second by ``WRITERS`` threads, each one person at a time."""
    with db.open(url, timeout=60) as database:
        gallery = database.find("people")
        threads = [
            threading.Thread(target=singles, args=(gallery, f"crowd {number}", SINGLES // 4))
            for number in range(WRITERS)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return WRITERS * (SINGLES // 4) / (time.perf_counter() - started)


def noticing(database, gallery) -> dict[str, list[float]]:
    """Seconds of asking whether something changed when nothing did, and of a search after a change over one without."""
    query = embeddings(1, 2)
    index = GalleryIndex(database, gallery, "int8", keep="never")
    index.search(query, 2)
    asking = [timed(gallery.state) for _ in range(NOTICES)]
    plain, changed = [], []
    for number in range(NOTICES // 5):
        plain.append(timed(index.search, query, 2))
        gallery.add(f"noticed {number}", [Face(embeddings(1, 10 + number)[0])])
        changed.append(timed(index.search, query, 2))
    index.close()
    return {"asking": asking, "search": plain, "search after a change": changed}


def start(url: str, kind: str, keep: str, cache: Path) -> tuple[float, bool, float]:
    """Seconds from nothing to the first answer in a new process, whether it left a snapshot, and its peak in MB."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RECOGNIZER_CACHE": str(cache)}
    command = [sys.executable, "-c", START, url, kind, keep]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise FaceError(f"A process that starts from {kind} failed: {done.stderr.strip().splitlines()[-1]}")
    return tuple(json.loads(done.stdout))


def measure(name: str, people: int, kind: str, runs: int, folder: Path) -> dict:
    """All figures of one engine."""
    with ENGINES[name](folder) as (title, url):
        progress(title)
        with db.open(url, timeout=60) as database:
            gallery = database.gallery("people", *MODEL)
            first = singles(gallery, "single", SINGLES)
            many = crowd(url)
            bulk = people / fill(gallery, people)
            progress("  noticing changes")
            notice = noticing(database, gallery)
        starts: dict[str, list] = {"database": [], "snapshot": []}
        for number in range(runs):
            progress(f"  starting, {number + 1} of {runs}")
            cache = folder / f"cache {name} {number}"
            starts["database"].append(start(url, kind, "always", cache))
            starts["snapshot"].append(start(url, kind, "always", cache))
            (snapshot,) = (cache / "indexes").glob("*.index")
            size = snapshot.stat().st_size
            snapshot.unlink()
        return {
            "engine": title, "single": first, "threads": many, "bulk": bulk, "noticing": notice,
            "starts": starts, "snapshot_bytes": size,
        }  # fmt: skip


def report(results: dict[str, dict], people: int, kind: str) -> Report:
    """The tables of all engines."""
    titles = [each["engine"] for each in results.values()]
    enrolling = Table("Enrolling, people per second, embeddings given", ["", *titles])
    enrolling.rows.append(["one at a time", *(f"{1 / median(each['single']):.0f}" for each in results.values())])
    enrolling.rows.append([f"{WRITERS} threads", *(f"{each['threads']:.0f}" for each in results.values())])
    enrolling.rows.append([f"in bulk ({BULK} a call)", *(f"{each['bulk']:.0f}" for each in results.values())])
    starting = Table(f"Starting with {people} people ({kind}), seconds to the first answer", ["", *titles])
    for what, label in (("database", "from the database"), ("snapshot", "from the snapshot")):
        starting.rows.append([label, *(f"{_seconds(each, what):.2f}" for each in results.values())])
    starting.rows.append([
        "peak memory from the database, MB", *(f"{max(run[2] for run in each['starts']['database']):.0f}"
        for each in results.values()),
    ])  # fmt: skip
    change = Table("Noticing a change, milliseconds", ["", *titles])
    notices = [each["noticing"] for each in results.values()]
    change.rows.append(["asking, nothing changed", *(f"{1e3 * median(each['asking']):.2f}" for each in notices)])
    change.rows.append(["search, nothing changed", *(f"{1e3 * median(each['search']):.2f}" for each in notices)])
    label = "search after another's enrolment"
    change.rows.append([label, *(f"{1e3 * median(each['search after a change']):.2f}" for each in notices)])
    return Report(machine.facts(), [enrolling, starting, change], results)


def _seconds(result: dict, what: str) -> float:
    return median(run[0] for run in result["starts"][what])


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--people", type=positive, default=1_000_000, help="how many are enrolled")
    parser.add_argument("--only", choices=list(ENGINES), help="one engine instead of both")
    parser.add_argument("--index", default="int8", choices=["exact", "int8"], help="the index that is started")
    parser.add_argument("--runs", type=positive, default=3, help="starts of each kind")
    arguments = parser.parse_args()
    results = {}
    for name in [arguments.only] if arguments.only else ENGINES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                results[name] = measure(name, arguments.people, arguments.index, arguments.runs, Path(folder))
            except MissingDependency as error:
                progress(f"{name} is left out: {error}")
    report(results, arguments.people, arguments.index).print(arguments.form)


if __name__ == "__main__":
    run_command(main)
