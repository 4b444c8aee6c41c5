"""Forgetting what is older than an age: photos, and the people who have none left."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from db import checks, clock, people
from db.schema import faces, persons
from db.write import Write

if TYPE_CHECKING:
    from db.gallery import Gallery

PORTION = 200  # people of one transaction


@dataclass(frozen=True)
class Expired:
    """What was forgotten, or would be.

    Attributes:
        photos: how many.
        people: the names of those of whom none is left.
    """

    photos: int
    people: list[str]


def expire(gallery: "Gallery", older_than: timedelta, dry_run: bool = False) -> Expired:
    """See :meth:`db.gallery.Gallery.expire`."""
    age, connections = checks.age(older_than, "The age of photos"), gallery._connections
    moment = connections.read(clock.read) - age
    if dry_run:
        return connections.read(lambda connection: _expiring(connection, gallery._id, moment))
    photos, names, last = 0, [], 0
    while (portion := gallery._write(lambda write, last=last: _forget(write, moment, last))) is not None:
        last = portion[0]
        photos += portion[1]
        names += portion[2]
    connections.erase_log()
    return Expired(photos, sorted(names))


def _old(gallery_id: int, moment: datetime) -> sa.ColumnElement[bool]:
    return (persons.c.gallery_id == gallery_id) & (faces.c.created < moment)


def _expiring(connection: sa.Connection, gallery_id: int, moment: datetime) -> Expired:
    joined = sa.join(persons, faces, faces.c.person_id == persons.c.id)
    newest = sa.select(persons.c.name).select_from(joined).where(persons.c.gallery_id == gallery_id)
    gone = newest.group_by(persons.c.id, persons.c.name).having(sa.func.max(faces.c.created) < moment)
    counted = sa.select(sa.func.count()).select_from(joined).where(_old(gallery_id, moment))
    return Expired(connection.scalar(counted), sorted(connection.scalars(gone)))


def _forget(write: Write, moment: datetime, last: int) -> tuple[int, int, list[str]] | None:
    """The next people with old photos, by id: the last of them, how many photos went, and who is gone."""
    connection = write.connection
    joined = sa.join(persons, faces, faces.c.person_id == persons.c.id)
    chosen = sa.select(persons.c.id).select_from(joined).where(_old(write.gallery_id, moment), persons.c.id > last)
    ids = connection.scalars(chosen.distinct().order_by(persons.c.id).limit(PORTION)).all()
    if not ids:
        return None
    theirs = faces.c.person_id.in_(ids)
    left = set(connection.scalars(sa.select(faces.c.person_id).where(theirs, faces.c.created >= moment).distinct()))
    gone = [each for each in ids if each not in left]
    names = connection.scalars(sa.select(persons.c.name).where(persons.c.id.in_(gone))).all()
    photos = _remove_photos(write, theirs & (faces.c.created < moment))
    people.remove(write, gone)
    people.stamp(write, left)
    people.refresh_templates(write, left)
    return ids[-1], photos, list(names)


def _remove_photos(write: Write, old: sa.ColumnElement[bool]) -> int:
    digests = write.connection.scalars(sa.select(faces.c.digest).where(old)).all()
    write.faces -= sum(digests)
    write.connection.execute(sa.delete(faces).where(old))
    return len(digests)
