"""What the tests run in processes of their own: ``python gallery_process.py COMMAND URL ARGUMENTS...``."""

import os
import resource
import sys
import time

import numpy as np

import db
from common.errors import DatabaseError

DIMENSION = 64
DIGEST = "0" * 64


def embedding(seed: int) -> np.ndarray:
    """A unit vector, float32 ``[DIMENSION]``, the same in every process."""
    drawn = np.random.default_rng(seed).normal(size=DIMENSION)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def faces(*seeds: int) -> list[db.Face]:
    return [db.Face(embedding(seed)) for seed in seeds]


def gallery_of(database):
    return database.gallery("default", "tiny", DIGEST, DIMENSION)


def enrol(url: str, number: str, times: str) -> None:
    """Add faces one by one, in turns to a person of this process and to one whom all processes share."""
    with db.open(url) as database:
        gallery = gallery_of(database)
        for i in range(int(times)):
            seed = 1000 * int(number) + i
            gallery.add(f"own {number}", faces(seed))
            gallery.add("shared", faces(seed))


def enrol_forever(url: str, start: str) -> None:
    """Add a person of three faces and one face of a shared person at a time; say so when it is stored."""
    with db.open(url) as database:
        gallery = gallery_of(database)
        number = int(start)
        while True:
            gallery.add_many({f"p{number}": faces(number, number + 1, number + 2), "shared": faces(number)})
            print(number, flush=True)
            number += 1


def follow(url: str, seconds: str) -> None:
    """Follow a gallery by its changes; print each person seen or gone."""
    with db.open(url) as database:
        gallery = gallery_of(database)
        names, revision, end = {}, 0, time.monotonic() + float(seconds)
        print("ready", flush=True)
        while time.monotonic() < end and "end" not in names.values():
            changes = gallery.changes(revision)
            revision = changes.revision
            for person_id, name, template in zip(changes.ids, changes.names, changes.templates, strict=True):
                names[person_id] = name
                print(f"changed {name} {template[0]:.6f}", flush=True)
            for person_id in changes.deleted:
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
    commands = (enrol, enrol_forever, follow, fill_disk, write_as_nobody)
    {command.__name__: command for command in commands}[sys.argv[1]](*sys.argv[2:])
