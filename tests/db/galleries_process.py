"""What the tests of whole galleries run in processes of their own, and how they compare two galleries."""

import os
import sys
import time
from dataclasses import astuple

import db


def contents(gallery) -> dict:
    """All that a gallery holds, except ids and revisions: two galleries hold the same if this is equal."""
    return {
        person.name: (
            person.metadata,
            person.created,
            [(face.embedding.tobytes(), *astuple(face)[1:5], face.created) for face in gallery.faces(person.name)],
        )
        for person in gallery.people()
    }


def slowly(items, _total):
    """Progress that gives a killer time."""
    for item in items:
        yield item
        time.sleep(0.002)


def copy(url: str, name: str, new_name: str) -> None:
    """Copy a gallery, a few people at a time."""
    from db import following

    following.PEOPLE = following.PHOTOS = 4
    with db.open(url) as database:
        database.copy_gallery(name, new_name, slowly)


def import_(url: str, path: str, name: str, how: str) -> None:
    """Import a file, a few people at a time."""
    from db import portable
    from db.portable_file import GalleryFile

    portable.BATCH_PHOTOS = 4
    with db.open(url) as database, GalleryFile(path) as file:
        file.verify()
        database.import_gallery(file, name, how == "merge", how == "replace", slowly)


def export(url: str, path: str, name: str) -> None:
    """Write a gallery to a file, over the one that is there."""
    from db import portable

    portable.BATCH_PHOTOS = 4
    with db.open(url) as database:
        database.find(name).export(path, force=True, progress=slowly)


def in_forks() -> None:
    """Each line of standard input, tab-separated, is a command for a forked process: without importing anew."""
    import db.database
    import db.portable_import  # noqa: F401

    commands = {"copy": copy, "import": import_, "export": export}
    for line in sys.stdin:
        name, *arguments = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            print(f"began {os.getpid()}", flush=True)
            commands[name](*arguments)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(f"ended {status}", flush=True)


if __name__ == "__main__":
    in_forks()
