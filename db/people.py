"""The statements on persons, faces and templates. Each works within the caller's transaction."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np
import sqlalchemy as sa

from common.errors import UnknownPerson
from db import names as naming
from db import vectors
from db.records import Face, Person, Photo, Rows
from db.schema import deletions, faces, now, persons, templates
from db.write import Write

BATCH = 500  # values per statement, far below the limits of SQLite (32,766) and MySQL
FACES_BATCH = 50  # rows with crops: one packet to MySQL has 16 MiB at most by default

_person = (persons.c.name, templates.c.count, persons.c.metadata, persons.c.created, persons.c.id)


def find(connection: sa.Connection, gallery_id: int, names: Iterable[str]) -> dict[str, int]:
    """The ids of those of ``names`` that the gallery knows."""
    found = {}
    for batch in batches(names):
        known = sa.select(persons.c.name, persons.c.id).where(
            persons.c.gallery_id == gallery_id, persons.c.name.in_(batch)
        )
        found.update(dict(connection.execute(known).all()))
    return found


def require(connection: sa.Connection, gallery_id: int, names: Iterable[str]) -> dict[str, int]:
    """The ids of ``names``.

    Raises:
        UnknownPerson: the gallery does not know all of them.
    """
    names = list(names)
    found = find(connection, gallery_id, names)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise UnknownPerson(f"Not in the gallery: {naming.listing(unknown)}. Nothing was changed.")
    return found


def create(write: Write, values: Iterable[Mapping[str, Any]]) -> None:
    """Insert persons without faces; ``values`` are columns of ``persons``, ``name`` among them."""
    always = {"gallery_id": write.gallery_id, "revision": write.revision}
    for batch in batches(values):
        write.connection.execute(sa.insert(persons), [{"created": now(), **row, **always} for row in batch])


def stamp(write: Write, ids: Iterable[int]) -> None:
    """Mark persons as changed at this revision."""
    for batch in batches(ids):
        write.connection.execute(
            sa.update(persons).where(persons.c.id.in_(batch)).values(revision=write.revision)
        )


def put_faces(
    write: Write, ids: Mapping[str, int], rows: Mapping[str, list[dict]], fresh: Collection[str] = ()
) -> None:
    """Insert faces and bring the templates of their persons up to date.

    Args:
        ids: of the persons, by name.
        rows: columns of ``faces``, by name.
        fresh: those who have no other faces; their means need no reading.
    """
    created = now()
    for names in batches(rows):
        values = [
            {"created": created, **row, "person_id": ids[name], "digest": vectors.digest(ids[name], row["embedding"])}
            for name in names
            for row in rows[name]
        ]
        write.faces += sum(value["digest"] for value in values)
        for some in batches(values, FACES_BATCH if any(value["crop"] for value in values) else BATCH):
            write.connection.execute(sa.insert(faces), some)
        known = [name for name in names if name in fresh]
        _put_templates(write, [(ids[name], [row["embedding"] for row in rows[name]]) for name in known])
        refresh_templates(write, [ids[name] for name in names if name not in fresh])


def refresh_templates(write: Write, ids: Iterable[int]) -> None:
    """Recompute templates from the stored faces: exact whatever came before, at the cost of reading them."""
    for batch in batches(ids):
        _remove_templates(write, batch)
        stored = (
            sa.select(faces.c.person_id, faces.c.embedding)
            .where(faces.c.person_id.in_(batch))
            .order_by(faces.c.person_id, faces.c.id)
        )
        rows = groupby(write.connection.execute(stored), key=lambda row: row[0])
        _put_templates(write, [(person_id, [row[1] for row in some]) for person_id, some in rows])


def remove_faces(write: Write, ids: Iterable[int]) -> None:
    """Delete all faces and the template of persons."""
    for batch in batches(ids):
        _remove_templates(write, batch)
        theirs = faces.c.person_id.in_(batch)
        write.faces -= sum(write.connection.scalars(sa.select(faces.c.digest).where(theirs)))
        write.connection.execute(sa.delete(faces).where(theirs))


def move_faces(write: Write, face_ids: Iterable[int], person_id: int) -> None:
    """Give faces to another person; templates are not brought up to date."""
    for batch in batches(face_ids):
        chosen = faces.c.id.in_(batch)
        for face_id, digest, stored in write.connection.execute(
            sa.select(faces.c.id, faces.c.digest, faces.c.embedding).where(chosen)
        ).all():
            moved = vectors.digest(person_id, stored)
            write.faces += moved - digest
            values = {"person_id": person_id, "digest": moved}
            write.connection.execute(sa.update(faces).where(faces.c.id == face_id).values(values))


def remove(write: Write, ids: Iterable[int]) -> None:
    """Delete persons and all of theirs; only their ids stay, for readers that follow the changes."""
    ids = list(ids)
    remove_faces(write, ids)
    always = {"gallery_id": write.gallery_id, "revision": write.revision}
    for batch in batches(ids):
        write.connection.execute(sa.delete(persons).where(persons.c.id.in_(batch)))
        write.connection.execute(sa.insert(deletions), [{"person_id": each, **always} for each in batch])


def read(connection: sa.Connection, condition: sa.ColumnElement[bool], limit: int | None = None) -> list[Person]:
    """The persons that meet a condition, ordered by the code points of their names."""
    selected = sa.select(*_person).join_from(persons, templates).where(condition)
    found = connection.execute(selected.order_by(persons.c.name).limit(limit))
    return [
        Person(name, count, metadata, created.replace(tzinfo=UTC), person_id)
        for name, count, metadata, created, person_id in found
    ]


def read_named(connection: sa.Connection, ids: Mapping[str, int]) -> list[Person]:
    """The persons of ``ids``, in the order of its names."""
    found = {
        person.name: person for batch in batches(ids.values()) for person in read(connection, persons.c.id.in_(batch))
    }
    return [found[name] for name in ids]


def read_faces(connection: sa.Connection, ids: Iterable[int], dimension: int) -> Iterator[tuple[int, list[Face]]]:
    """(person, all of the person's faces, oldest first) of persons, by their ids."""
    columns = ("embedding", "source", "score", "crop", "picture", "id", "created")
    selected = sa.select(faces.c.person_id, *(faces.c[name] for name in columns))
    for batch in batches(ids, FACES_BATCH):
        found = selected.where(faces.c.person_id.in_(batch)).order_by(faces.c.person_id, faces.c.id)
        for person_id, rows in groupby(connection.execute(found), key=lambda row: row[0]):
            rows = list(rows)
            embeddings = vectors.decode([row[1] for row in rows], dimension)
            yield person_id, [
                Face(embedding, *row[2:7], _in_utc(row[7])) for embedding, row in zip(embeddings, rows, strict=True)
            ]


def read_photos(connection: sa.Connection, person_id: int) -> list[Photo]:
    """The faces of a person without embeddings and crops, oldest first."""
    columns = (faces.c.id, faces.c.source, faces.c.score, faces.c.picture, faces.c.created, faces.c.crop.is_not(None))
    found = connection.execute(sa.select(*columns).where(faces.c.person_id == person_id).order_by(faces.c.id))
    return [Photo(*row[:4], _in_utc(row[4]), bool(row[5])) for row in found]


def read_rows(
    connection: sa.Connection, matching: str, condition: sa.ColumnElement[bool], dimension: int
) -> Rows:
    """The vectors of persons that meet a condition, by person and then by age."""
    if matching == "template":
        selected = sa.select(persons.c.id, templates.c.mean, templates.c.digest).join_from(persons, templates)
        order = (persons.c.id,)
    else:
        selected = sa.select(persons.c.id, faces.c.embedding, faces.c.digest).join_from(
            persons, faces, faces.c.person_id == persons.c.id
        )
        order = (persons.c.id, faces.c.id)
    found = connection.execute(selected.where(condition).order_by(*order)).all()
    ids, stored, digests = zip(*found) if found else ((), (), ())
    return Rows(np.array(ids, np.int64), vectors.decode(stored, dimension), np.array(digests, np.int64))


def _remove_templates(write: Write, ids: list[int]) -> None:
    theirs = templates.c.person_id.in_(ids)
    write.templates -= sum(write.connection.scalars(sa.select(templates.c.digest).where(theirs)))
    write.connection.execute(sa.delete(templates).where(theirs))


def _put_templates(write: Write, stored: list[tuple[int, list[bytes]]]) -> None:
    """Insert the templates of persons who have none, from all of their embeddings."""
    values = []
    for person_id, embeddings in stored:
        mean = vectors.mean(vectors.decode(embeddings, write.dimension))
        digest = vectors.digest(person_id, mean)
        values.append({"person_id": person_id, "mean": mean, "digest": digest, "count": len(embeddings)})
    write.templates += sum(value["digest"] for value in values)
    if values:
        write.connection.execute(sa.insert(templates), values)


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def batches(values: Iterable[Any], size: int = BATCH) -> Iterator[list[Any]]:
    """``values`` as lists of at most ``size``."""
    values = list(values)
    for start in range(0, len(values), size):
        yield values[start : start + size]
