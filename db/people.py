"""The statements on persons, faces and templates. Each works within the caller's transaction."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from itertools import groupby
from typing import Any

import numpy as np
import sqlalchemy as sa

from common.errors import UnknownGallery, UnknownPerson
from db import names as naming
from db import vectors
from db.records import Face, Person
from db.schema import deletions, faces, galleries, now, persons, templates

BATCH = 500  # values per statement, far below the limits of SQLite (32,766) and MySQL
FACES_BATCH = 50  # rows with crops: one packet to MySQL has 16 MiB at most by default


def raise_revision(connection: sa.Connection, gallery_id: int) -> int:
    """The new revision of a gallery.

    First statement of every write: the row lock that it takes makes the order of revisions that of commits.

    Raises:
        UnknownGallery: as :func:`known`.
    """
    gallery = sa.update(galleries).where(galleries.c.id == gallery_id)
    connection.execute(gallery.values(revision=galleries.c.revision + 1))
    return revision(connection, gallery_id)


def revision(connection: sa.Connection, gallery_id: int) -> int:
    """The revision of a gallery. Raises UnknownGallery as :func:`known`."""
    return known(connection.scalar(sa.select(galleries.c.revision).where(galleries.c.id == gallery_id)))


def known(found: int | None) -> int:
    """A revision that was found; raises UnknownGallery where there is none: the gallery's row is gone."""
    if found is None:
        raise UnknownGallery("The gallery is no longer in the database: open it again to start a new one.")
    return found


def find(connection: sa.Connection, gallery_id: int, names: Iterable[str]) -> dict[str, int]:
    """The ids of those of ``names`` that the gallery knows."""
    found = {}
    for batch in _batches(names):
        known = sa.select(persons.c.name, persons.c.id).where(
            persons.c.gallery_id == gallery_id, persons.c.name.in_(batch)
        )
        found.update(dict(connection.execute(known).all()))
    return found


def require(connection: sa.Connection, gallery_id: int, names: Iterable[str]) -> dict[str, int]:
    """The ids of ``names``.

    Raises:
        UnknownPerson: the gallery lacks some of them; the message lists these.
    """
    names = list(names)
    found = find(connection, gallery_id, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise UnknownPerson(
            f"The gallery does not know {naming.listing(missing)}: check the spelling, or add."
        )
    return found


def create(connection: sa.Connection, gallery_id: int, names: Iterable[str], revision: int) -> None:
    """Insert persons whom the gallery does not know yet; they need faces in the same transaction."""
    common = {"gallery_id": gallery_id, "revision": revision, "created": now()}
    rows = [common | {"name": name} for name in names]
    if rows:
        connection.execute(sa.insert(persons), rows)


def stamp(connection: sa.Connection, ids: Iterable[int], revision: int) -> None:
    """Mark persons as changed by ``revision``."""
    for batch in _batches(ids):
        connection.execute(sa.update(persons).where(persons.c.id.in_(batch)).values(revision=revision))


def put_faces(
    connection: sa.Connection, ids: Mapping[str, int], rows: Mapping[str, list[dict]], dimension: int
) -> None:
    """Insert faces (column values by person's name) and bring the templates of these persons up to date."""
    created = now()
    for batch in _batches(rows):
        values = [row | {"person_id": ids[name], "created": created} for name in batch for row in rows[name]]
        for some in _batches(values, FACES_BATCH):
            connection.execute(sa.insert(faces), some)
        _refresh_templates(connection, [ids[name] for name in batch], dimension)


def remove_faces(connection: sa.Connection, ids: Iterable[int]) -> None:
    """Delete all faces and the template of persons."""
    for batch in _batches(ids):
        connection.execute(sa.delete(templates).where(templates.c.person_id.in_(batch)))
        connection.execute(sa.delete(faces).where(faces.c.person_id.in_(batch)))


def remove(connection: sa.Connection, gallery_id: int, ids: Iterable[int], revision: int) -> None:
    """Delete persons and all of theirs; only their ids stay, for readers that follow the changes."""
    ids = list(ids)
    remove_faces(connection, ids)
    for batch in _batches(ids):
        connection.execute(sa.delete(persons).where(persons.c.id.in_(batch)))
    gone = [{"gallery_id": gallery_id, "person_id": person_id, "revision": revision} for person_id in ids]
    connection.execute(sa.insert(deletions), gone)


def read(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Person]:
    """The persons that meet a condition, ordered by the code points of their names."""
    selected = (
        sa.select(persons.c.name, templates.c.count, persons.c.metadata, persons.c.created)
        .join_from(persons, templates)
        .where(condition)
        .order_by(persons.c.name)
    )
    return [
        Person(name, count, metadata, created.replace(tzinfo=UTC))
        for name, count, metadata, created in connection.execute(selected)
    ]


def read_many(connection: sa.Connection, ids: Iterable[int]) -> Iterator[Person]:
    """The persons of ``ids``, in no particular order."""
    for batch in _batches(ids):
        yield from read(connection, persons.c.id.in_(batch))


def read_faces(connection: sa.Connection, person_id: int, dimension: int) -> list[Face]:
    """All faces of a person, oldest first."""
    selected = (
        sa.select(faces.c.embedding, faces.c.source, faces.c.score, faces.c.crop)
        .where(faces.c.person_id == person_id)
        .order_by(faces.c.id)
    )
    rows = connection.execute(selected).all()
    embeddings = vectors.decode([row[0] for row in rows], dimension)
    return [Face(embedding, *row[1:]) for embedding, row in zip(embeddings, rows, strict=True)]


def read_templates(
    connection: sa.Connection, condition: sa.ColumnElement[bool], dimension: int
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Ids int64 ``[n]``, names and means float32 ``[n, dimension]`` of those who meet a condition, by id."""
    selected = (
        sa.select(persons.c.id, persons.c.name, templates.c.mean)
        .join_from(persons, templates)
        .where(condition)
        .order_by(persons.c.id)
    )
    rows = connection.execute(selected).all()
    ids = np.array([row[0] for row in rows], np.int64)
    return ids, [row[1] for row in rows], vectors.decode([row[2] for row in rows], dimension)


def _refresh_templates(connection: sa.Connection, ids: list[int], dimension: int) -> None:
    """Recompute templates from the stored faces: exact whatever came before, at the cost of reading them."""
    connection.execute(sa.delete(templates).where(templates.c.person_id.in_(ids)))
    stored = (
        sa.select(faces.c.person_id, faces.c.embedding)
        .where(faces.c.person_id.in_(ids))
        .order_by(faces.c.person_id, faces.c.id)
    )
    means = []
    for person_id, rows in groupby(connection.execute(stored), key=lambda row: row[0]):
        embeddings = vectors.decode([row[1] for row in rows], dimension)
        means.append({"person_id": person_id, "mean": vectors.mean(embeddings), "count": len(embeddings)})
    connection.execute(sa.insert(templates), means)


def _batches(values: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    values = list(values)
    for start in range(0, len(values), size):
        yield values[start : start + size]
