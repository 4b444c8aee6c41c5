"""What the tests run in processes of their own: ``python gallery_process.py COMMAND URL ARGUMENTS...``."""

import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from threading import Event, Lock, Thread

import numpy as np

import db
from common.errors import DatabaseError, UnknownPerson

DIMENSION = 64
DIGEST = "0" * 64


def embedding(seed: int) -> np.ndarray:
    """A unit vector, float32 ``[DIMENSION]``, the same in every process."""
    drawn = np.random.default_rng(seed).normal(size=DIMENSION)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def faces(*seeds: int) -> list[db.Face]:
    """Faces whose sources are their seeds."""
    return [db.Face(embedding(seed), source=str(seed)) for seed in seeds]


def gallery_of(database, name="default"):
    return database.gallery(name, "tiny", DIGEST, DIMENSION)


def rows(gallery, matching: str = "template") -> tuple[db.State, db.Rows]:
    """All vectors of a gallery at once."""
    with gallery.scan(matching) as (state, pieces):
        found = list(pieces)
    empty = db.Rows(np.empty(0, np.int64), np.empty((0, gallery.dimension), np.float32), np.empty(0, np.int64))
    return state, db.Rows(*map(np.concatenate, zip(empty, *found, strict=True)))


def means(gallery) -> dict[str, np.ndarray]:
    """Every person's template."""
    _, found = rows(gallery)
    names = gallery.names(found.ids)
    return {names[person_id]: mean for person_id, mean in zip(found.ids.tolist(), found.vectors, strict=True)}


def check_exact(gallery) -> None:
    """Every person has photos and the mean of them, every digest and every sum of digests is true."""
    templates, photos = (rows(gallery, matching) for matching in ("template", "photo"))
    for state, found in (templates, photos):
        digests = [
            int.from_bytes(blake2b(key.to_bytes(8, "little") + row.tobytes(), digest_size=8).digest(), "little")
            for key, row in zip(found.ids.tolist(), found.vectors, strict=True)
        ]
        assert (found.digests.view(np.uint64) == np.array(digests, np.uint64)).all()
        assert state.digest % 2**64 == sum(digests) % 2**64
    counted = {person.id: person.count for person in gallery.people()}
    ids, positions, counts = np.unique(photos[1].ids, return_inverse=True, return_counts=True)
    assert counted == dict(zip(ids.tolist(), counts.tolist(), strict=True))
    assert np.array_equal(templates[1].ids, ids)
    sums = np.zeros((len(ids), gallery.dimension))
    np.add.at(sums, positions, photos[1].vectors)
    assert len(ids) == 0 or np.abs(templates[1].vectors - sums / counts[:, None]).max() < 1e-6


def started_together() -> None:
    """Import what opening needs, say so, and wait for a line: then all processes begin at the same moment."""
    import db.database  # noqa: F401

    print("ready", flush=True)
    sys.stdin.readline()


def mix(url: str, number: str, times: str, gallery_name: str) -> None:
    """Add, replace and delete people in random order: some of this process alone, some of all processes.

    Prints a JSON list of every call: when it began and ended, what it did, to whom, and the seed of the new faces.
    """
    draw = random.Random(int(number))
    started_together()
    with db.open(url) as database:
        gallery = gallery_of(database, gallery_name)
        for i in range(int(times)):
            seed = 10_000 * int(number) + i
            names = draw.sample([f"own {number}", "contested 1", "contested 2"], draw.randint(1, 3))
            what = draw.choice(["add", "add", "add", "replace", "delete"])
            began = time.monotonic()
            try:
                if what == "add":
                    gallery.add_many({name: faces(seed) for name in [*names, "shared"]})
                elif what == "replace":
                    gallery.replace({name: faces(seed) for name in names})
                else:
                    gallery.delete(names)
            except UnknownPerson:
                what = "unknown"
            print(json.dumps([began, time.monotonic(), what, names, seed]), flush=True)


def enrol_forever(url: str, start: str) -> None:
    """Add four persons of three faces and one face of a shared person at a time; say so when all is stored."""
    with db.open(url) as database:
        gallery = gallery_of(database)
        print("opened", flush=True)
        number = int(start)
        while True:
            gallery.add_many(
                {f"p{i}": faces(i, i + 1, i + 2) for i in range(number, number + 4)} | {"shared": faces(number)}
            )
            print(f"stored {number}", flush=True)
            number += 4


def enrol_in_forks(_url: str) -> None:
    """For every line ``URL NUMBER``, enrol_forever in a forked process until it is killed: without importing anew."""
    import db.database  # noqa: F401

    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            print(f"began {os.getpid()}", flush=True)
            enrol_forever(*line.split())
        os.waitpid(child, 0)
        print("ended", flush=True)


def load(url: str, path: str, timeout: str) -> None:
    """Add faces to people and read them from four threads until standard input ends.

    Appends a JSON list of every call to the file ``path``: when it began and ended, what it was, the seed of the
    added face, and None or the error.
    """
    ended, lock = Event(), Lock()
    with db.open(url, timeout=float(timeout)) as database, open(path, "a") as file:  # noqa: PTH123
        gallery = gallery_of(database)

        def record(what: str, seed: int | None, call: Callable[[], object]) -> None:
            began, error = time.monotonic(), None
            try:
                call()
            except DatabaseError as caught:
                error = str(caught)
            with lock:
                file.write(json.dumps([began, time.monotonic(), what, seed, error]) + "\n")
                file.flush()

        def work(number: int) -> None:
            for seed in range(100_000 * number, 100_000 * (number + 1)):
                if ended.is_set():
                    return
                name = f"p{number} {seed % 3}"
                record("add", seed, lambda seed=seed, name=name: gallery.add_many({name: faces(seed)}))
                record("read", None, gallery.revision)
                record("read", None, gallery.people)

        Thread(target=lambda: ended.set() if sys.stdin.read() == "" else None, daemon=True).start()
        print("ready", flush=True)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))


def upgrade(url: str) -> None:
    """Upgrade a database; print the revisions before and after."""
    started_together()
    print(*db.upgrade(url), flush=True)


def follow(url: str, seconds: str) -> None:
    """Follow a gallery by its changes; print each person seen or gone."""
    with db.open(url) as database:
        gallery = gallery_of(database)
        names, revision, end = {}, 0, time.monotonic() + float(seconds)
        print("ready", flush=True)
        while time.monotonic() < end and "end" not in names.values():
            changes = gallery.changes(revision)
            revision = changes.state.revision
            names |= gallery.names(changes.rows.ids)
            for person_id, template in zip(changes.rows.ids.tolist(), changes.rows.vectors, strict=True):
                print(f"changed {names[person_id]} {template[0]:.6f}", flush=True)
            for person_id in changes.removed.tolist():
                if person_id in names:
                    print(f"deleted {names.pop(person_id)}", flush=True)
            time.sleep(0.005)


def fill_disk(url: str, limit: str) -> None:
    """Add persons with large crops until no file may grow further; print those stored, then the error."""
    with db.open(url) as database:
        gallery = gallery_of(database)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
        number = 0
        try:
            while True:
                gallery.add(f"p{number}", [db.Face(embedding(number), crop=bytes(40_000))])
                print(number, flush=True)
                number += 1
        except DatabaseError as error:
            print(error, flush=True)


def write_as_nobody(url: str) -> None:
    """Without root's rights, try to add a person; print the error."""
    with db.open("sqlite://") as database:  # imports what will be unreadable later
        gallery_of(database).add("Ann", faces(1))
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        with db.open(url) as database:
            gallery_of(database).add("Ann", faces(1))
    except DatabaseError as error:
        print(error, flush=True)


if __name__ == "__main__":
    commands = (mix, enrol_in_forks, load, upgrade, follow, fill_disk, write_as_nobody)
    {command.__name__: command for command in commands}[sys.argv[1]](*sys.argv[2:])
