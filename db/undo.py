"""Deleting people so that it can be undone for a while: what they had is kept aside, under a token.

What is kept aside is in no list, no search and no export. It goes when its time is over, by the next call that looks
(:func:`purge`), and before that when its people are erased (:mod:`db.erasure`) or their gallery is deleted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import sqlalchemy as sa

from common.errors import NameTaken, NothingToUndo
from db import checks, clock, following, people
from db import names as naming
from db.connections import Connections
from db.records import Person
from db.schema import faces, persons, undo_faces, undo_persons
from db.write import Write

if TYPE_CHECKING:
    from db.gallery import Gallery

_face = ("embedding", "crop", "source", "picture", "score", "created")


@dataclass(frozen=True)
class Discarded:
    """People who were deleted, and until when that can be undone.

    Attributes:
        token: what :meth:`db.gallery.Gallery.undo` takes.
        names: of the people, as they were stored.
        until: in UTC.
    """

    token: str
    names: list[str]
    until: datetime


def discard(gallery: "Gallery", names: Iterable[str], seconds: float) -> Discarded:
    """See :meth:`db.gallery.Gallery.discard`."""
    wanted, kept = naming.distinct(names), checks.lifetime(seconds, "The time to undo a deletion")
    token = uuid4().hex

    def work(write: Write) -> Discarded:
        _purge_portion(write.connection)
        ids = list(people.require(write.connection, write.gallery_id, wanted).values())
        until = clock.read(write.connection) + kept
        for batch in people.batches(ids):
            _keep(write.connection, token, batch, until)
        people.remove(write, ids)
        return Discarded(token, wanted, clock.told(until))

    discarded = gallery._write(work)
    gallery._connections.erase_log()
    return discarded


def undo(gallery: "Gallery", token: str) -> list[Person]:
    """See :meth:`db.gallery.Gallery.undo`."""

    def work(write: Write) -> list[Person]:
        kept = _kept(write, token)
        _require_free(write, [row.name for row in kept])
        _require_origins(write, kept)
        columns = ("name", "metadata", "origin_id", "created")
        people.create(write, [{name: row._mapping[name] for name in columns} for row in kept])
        ids = people.require(write.connection, write.gallery_id, [row.name for row in kept])
        for row in kept:  # one at a time: their crops
            people.put_faces(write, ids, {row.name: _faces(write.connection, row.id)}, fresh=[row.name])
        remove(write.connection, [row.id for row in kept])
        return people.read_named(write.connection, ids)

    restored = gallery._write(work)
    gallery._connections.erase_log()
    return restored


def purge(connections: Connections) -> int:
    """Remove what can no longer be undone, portion by portion; how many people."""
    removed = 0
    while portion := connections.write(_purge_portion):
        removed += portion
    if removed:
        connections.erase_log()
    return removed


def remove(connection: sa.Connection, ids: Iterable[int]) -> tuple[int, int]:
    """Remove people who are kept aside, by their ids there; how many, and how many faces."""
    removed = [0, 0]
    for batch in people.batches(ids):
        for number, column in ((1, undo_faces.c.undo_id), (0, undo_persons.c.id)):
            removed[number] += connection.execute(sa.delete(column.table).where(column.in_(batch))).rowcount
    return removed[0], removed[1]


def ids_of(connection: sa.Connection, gallery_id: int, names: Sequence[str] | None = None) -> list[int]:
    """The ids, there, of people of a gallery who are kept aside: of some names, or all. Nobody restores them now."""
    here = sa.select(undo_persons.c.id).where(undo_persons.c.gallery_id == gallery_id).with_for_update()
    if names is None:
        return list(connection.scalars(here))
    batches = people.batches(names)
    return [each for batch in batches for each in connection.scalars(here.where(undo_persons.c.name.in_(batch)))]


def _keep(connection: sa.Connection, token: str, ids: list[int], until: datetime) -> None:
    """Copy persons and their faces, within the database: crops do not travel."""
    columns = ("gallery_id", "name", "metadata", "origin_id", "created")
    always = (sa.literal(token), persons.c.id, sa.literal(until, undo_persons.c.expires.type))
    selected = sa.select(*always, *(persons.c[name] for name in columns)).where(persons.c.id.in_(ids))
    connection.execute(sa.insert(undo_persons).from_select(["token", "person_id", "expires", *columns], selected))
    joined = sa.join(faces, undo_persons, faces.c.person_id == undo_persons.c.person_id)
    theirs = (undo_persons.c.token == token) & undo_persons.c.person_id.in_(ids)
    copied = sa.select(undo_persons.c.id, *(faces.c[name] for name in _face)).select_from(joined).where(theirs)
    ordered = copied.order_by(undo_persons.c.id, faces.c.id)
    connection.execute(sa.insert(undo_faces).from_select(["undo_id", *_face], ordered))


def _kept(write: Write, token: str) -> Sequence[sa.Row]:
    here = (undo_persons.c.token == str(token)) & (undo_persons.c.gallery_id == write.gallery_id)
    found = write.connection.execute(sa.select(undo_persons).where(here).order_by(undo_persons.c.id).with_for_update())
    kept, moment = found.all(), clock.read(write.connection)
    if not kept or any(row.expires <= moment for row in kept):
        raise NothingToUndo("That deletion cannot be undone: its time is over, or it has been undone already.")
    return kept


def _require_free(write: Write, names: list[str]) -> None:
    taken = people.find(write.connection, write.gallery_id, names)
    if taken:
        raise NameTaken(
            f"There is somebody else of that name by now: {naming.listing(list(taken))}. Rename that person, then undo "
            "the deletion again."
        )


def _require_origins(write: Write, kept: Sequence[sa.Row]) -> None:
    """Who was forgotten where a gallery is still made from does not come back here."""
    origins = {row.origin_id: row.name for row in kept if row.origin_id is not None}
    if not origins or following.source_of(write.connection, write.gallery_id) is None:
        return
    for batch in people.batches(origins):
        there = set(write.connection.scalars(sa.select(persons.c.id).where(persons.c.id.in_(batch))))
        gone = [origins[each] for each in batch if each not in there]
        if gone:
            raise NothingToUndo(f"{naming.listing(gone)}: deleted by now where this gallery is made from.")


def _faces(connection: sa.Connection, undo_id: int) -> list[dict[str, Any]]:
    selected = sa.select(*(undo_faces.c[name] for name in _face)).where(undo_faces.c.undo_id == undo_id)
    return [dict(row._mapping) for row in connection.execute(selected.order_by(undo_faces.c.id))]


def _purge_portion(connection: sa.Connection) -> int:
    over = undo_persons.c.expires <= clock.read(connection)
    chosen = sa.select(undo_persons.c.id).where(over).order_by(undo_persons.c.expires).limit(people.BATCH)
    return remove(connection, connection.scalars(chosen.with_for_update()).all())[0]
