"""A gallery as one file, for keeping it elsewhere or taking it to another database, of another engine.

Members of the file: ``people.jsonl`` has a line for each person, by name, followed by a line for each of the person's
photos; ``embeddings.f32`` (little-endian float32) and ``crops.bin`` hold what belongs to these photos, one behind the
other in their order; ``manifest.json`` says which model it is of, how much there is, and the SHA-256 of each.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa

from common.errors import BadArgument
from common.folders import sync_folder
from db import people
from db.gallery import Gallery
from db.portable_archive import Progress, Writer
from db.schema import faces, persons, templates

FORMAT, VERSION = "insightface-tensorflow gallery", 1
PEOPLE, EMBEDDINGS, CROPS = PARTS = ("people.jsonl", "embeddings.f32", "crops.bin")
BATCH_PEOPLE, BATCH_PHOTOS = 1000, 500  # held in memory at a time; crops of 25 KB make 12 MB of them

_columns = (persons.c.id, persons.c.name, persons.c.metadata, persons.c.created, templates.c.count)


def export(gallery: Gallery, path: str | Path, force: bool = False, progress: Progress | None = None) -> int:
    """Write a gallery, as it is at one moment, to a file that only its owner may read.

    The file has its name when it is complete and on the disk. Memory does not grow with the gallery.

    Args:
        path: of the file, which must not be there yet, unless ``force``.
        progress: wraps the steps: called with an iterable and its length.

    Returns:
        Bytes written.

    Raises:
        BadArgument: there is such a file already, or it cannot be written.
        UnknownGallery, ModelMismatch, DatabaseError: as the methods of the gallery.
    """
    with _replaced(Path(path), force) as file, gallery._connections.reading() as connection, Writer(file) as writer:
        manifest = _manifest(connection, gallery)
        with closing(_write_parts(connection, gallery, writer)) as steps:
            for _ in progress(steps, len(PARTS) * manifest["people"]) if progress else steps:
                pass
        writer.finish(manifest, progress)
        return file.tell()


def _manifest(connection: sa.Connection, gallery: Gallery) -> dict[str, Any]:
    threshold = gallery._state_in(connection, "template").threshold
    counted = sa.select(sa.func.count(), sa.func.sum(templates.c.count)).join_from(persons, templates)
    people, photos = connection.execute(counted.where(persons.c.gallery_id == gallery._id)).one()
    return {
        "format": FORMAT,
        "version": VERSION,
        "gallery": gallery.name,
        "model": {"name": gallery.model_name, "digest": gallery.model_digest, "dimension": gallery.dimension},
        "threshold": threshold and threshold._asdict(),
        "people": int(people),
        "photos": int(photos or 0),
    }


def _write_parts(connection: sa.Connection, gallery: Gallery, writer: Writer) -> Iterator[int]:
    """Write the members that hold people, each in one go over all of them; one step for each person."""
    with writer.part(PEOPLE) as append:
        for batch in _pages(connection, gallery):
            photos = _photos(connection, batch)
            for person in batch:
                append(_line(_person(person)))
                for photo in photos[person.id]:
                    append(_line(photo))
                yield 1
    for name, column in ((EMBEDDINGS, faces.c.embedding), (CROPS, faces.c.crop)):
        with writer.part(name) as append:
            for batch in _pages(connection, gallery):
                for stored in _blobs(connection, batch, column):
                    append(stored)
                yield from range(len(batch))


def _pages(connection: sa.Connection, gallery: Gallery) -> Iterator[list[sa.Row]]:
    """All persons by name, so many at a time that their photos fit in memory."""
    selected = sa.select(*_columns).join_from(persons, templates).where(persons.c.gallery_id == gallery._id)
    last = ""
    while True:
        page = connection.execute(
            selected.where(persons.c.name > last).order_by(persons.c.name).limit(BATCH_PEOPLE)
        ).all()
        if not page:
            return
        yield from batches(page, lambda row: row[-1])
        last = page[-1].name


def _photos(connection: sa.Connection, batch: list[sa.Row]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list] = {person.id: [] for person in batch}
    columns = (
        faces.c.person_id, faces.c.source, faces.c.score, faces.c.picture, faces.c.created, sa.func.length(faces.c.crop)
    )  # fmt: skip
    for ids in people.batches(found):
        selected = sa.select(*columns).where(faces.c.person_id.in_(ids)).order_by(faces.c.person_id, faces.c.id)
        for person_id, source, score, picture, created, crop in connection.execute(selected):
            found[person_id].append(
                {"source": source, "score": score, "picture": picture, "created": moment_text(created), "crop": crop}
            )
    return found


def _blobs(connection: sa.Connection, batch: list[sa.Row], column: sa.Column) -> Iterator[bytes]:
    """Embeddings or crops in the order of persons and of their photos."""
    found: dict[int, list[bytes]] = {person.id: [] for person in batch}
    for ids in people.batches(found, people.FACES_BATCH):
        here = faces.c.person_id.in_(ids) & column.is_not(None)
        for person_id, stored in connection.execute(
            sa.select(faces.c.person_id, column).where(here).order_by(faces.c.person_id, faces.c.id)
        ):
            found[person_id].append(stored)
    for person in batch:
        yield from found[person.id]


def _person(row: sa.Row) -> dict[str, Any]:
    return {"name": row.name, "metadata": row.metadata, "created": moment_text(row.created), "photos": row[-1]}


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def moment_text(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="microseconds")


def batches(
    items: Iterable[Any], photos: Callable[[Any], int] = lambda member: len(member.faces)
) -> Iterator[list[Any]]:
    """Persons in lists that have not much more than ``BATCH_PHOTOS`` photos."""
    batch, count = [], 0
    for item in items:
        batch.append(item)
        count += photos(item)
        if count >= BATCH_PHOTOS:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


@contextmanager
def _replaced(path: Path, force: bool) -> Iterator[BinaryIO]:
    """A file that takes its name when the block ends well, and until then is another, hidden one beside it."""
    path = path.expanduser()
    if path.is_dir() or not path.name:
        raise BadArgument(f"{path}: is a folder: give the name of a file.")
    if not force:
        _require_new(path)
    with _writing(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)  # 0600
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if force:
                temporary.replace(path)
            else:
                _link(temporary, path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> None:
    """Give a file its name, without ever taking it away from another one."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        _require_new(path)
    except OSError:  # a file system without hard links
        _require_new(path)
        temporary.replace(path)


def _require_new(path: Path) -> None:
    if os.path.lexists(path):
        raise BadArgument(f"{path} is there already: choose another name, or say that it may be overwritten (--force).")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadArgument(f"{path}: cannot be written ({error.strerror}). No file was left there.") from None
