"""A gallery that is made from another one of the same database, and keeps up with it: copies, re-embedding.

What happened to the source is taken in the order in which it happened: by (revision, person), people added or changed
and people who are gone alike. A row of ``reembeddings`` says how far the target has come, and moves on in the
transaction that stores what was taken. So the work can be stopped anywhere, with kill -9 too, and taken up again, and
what changes in the source meanwhile comes later in the same order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from typing import NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from common.errors import BadArgument, BadName, DatabaseError
from db import names as naming
from db import people, restored
from db.gallery import Gallery
from db.records import Face
from db.restored import Member
from db.schema import deletions, persons, reembeddings, templates
from db.write import Write

PEOPLE, PHOTOS = 500, 500  # of one transaction, at most; crops of 25 KB make 12 MB of them

Convert = Callable[[Sequence[Member]], Sequence[Sequence[Face]]]
Progress = Callable[[Iterable, int], Iterable]


class Cursor(NamedTuple):
    """A place in the order in which things happened to a gallery."""

    revision: int
    person: int


class Event(NamedTuple):
    """Somebody was added or changed last at ``at``, or is gone since then (without ``photos``)."""

    at: Cursor
    photos: int | None


class Batch(NamedTuple):
    """What happened between two places: who is there, and the ids of those who are gone."""

    before: Cursor
    after: Cursor
    members: list[Member]
    gone: list[int]


class Lacking(NamedTuple):
    """A person of the source who did not come along with every photo: how many there are, and how many came."""

    name: str
    photos: int
    taken: int


class Following:
    """Brings a target level with its source.

    Attributes:
        source, target: the galleries.
    """

    def __init__(self, source: Gallery, target: Gallery):
        self.source, self.target = source, target
        self._connections = target._connections

    def run(self, convert: Convert, progress: Progress | None = None) -> None:
        """Take over all that happened to the source, until a look at it finds nothing new.

        Args:
            convert: the faces that people of the source have in the target. It is called with some hundred people
                at a time, outside of any transaction; who has none left is not there in the target.
            progress: wraps the people to come: called with an iterable and their number at the start.

        Raises:
            DatabaseError: another process is at it, or the target has been finished or deleted meanwhile.
            UnknownGallery, ModelMismatch: one of the two was deleted or switched.
            BadName: a name of the source belongs to somebody of the target who does not come from there.
        """
        with self._connections.alone(f"following-{self.target._id}"):
            steps = self._steps(convert)
            for _ in progress(steps, self.pending()) if progress else steps:
                pass
        self._connections.erase_log()

    def pending(self) -> int:
        """How many people of the source have been added, changed or deleted since the target last looked."""

        def work(connection: sa.Connection) -> int:
            return behind(connection, self.source._id, self._cursor(connection))

        return self._connections.read(work)

    def lacking(self) -> list[Lacking]:
        """The people of the source of whom the target has fewer photos, by name."""

        def work(connection: sa.Connection) -> list[Lacking]:
            here = persons.c.gallery_id == self.target._id
            counted = sa.select(persons.c.origin_id, templates.c.count).join_from(persons, templates).where(here)
            taken = dict(connection.execute(counted).all())
            here = persons.c.gallery_id == self.source._id
            everyone = sa.select(persons.c.id, persons.c.name, templates.c.count).join_from(persons, templates)
            found = connection.execute(everyone.where(here).order_by(persons.c.name))
            return [
                Lacking(name, count, taken.get(person_id, 0))
                for person_id, name, count in found
                if taken.get(person_id, 0) < count
            ]

        return self._connections.read(work)

    def _steps(self, convert: Convert) -> Iterator[Event]:
        while events := self._take(convert):
            yield from events

    def _take(self, convert: Convert) -> list[Event]:
        """Take over the next batch; what was in it."""
        events, batch = self._connections.read(self._next)
        if events:
            faces = convert(batch.members) if batch.members else []
            self.target._write(lambda write: self._store(write, batch, faces))
        return events

    def _next(self, connection: sa.Connection) -> tuple[list[Event], Batch]:
        self.source._state_in(connection, "photo")  # raises where it is gone: its people go in portions after that
        before = self._cursor(connection)
        events = _events(connection, self.source._id, before)
        photos = {event.at.person: event.photos for event in events}
        members = self._members(connection, [each for each, count in photos.items() if count is not None])
        gone = [each for each, count in photos.items() if count is None]
        return events, Batch(before, events[-1].at if events else before, members, gone)

    def _members(self, connection: sa.Connection, ids: list[int]) -> list[Member]:
        faces = dict(people.read_faces(connection, ids, self.source.dimension))
        columns = (persons.c.name, persons.c.metadata, persons.c.created, persons.c.id)
        found = connection.execute(sa.select(*columns).where(persons.c.id.in_(ids)))
        return [
            Member(name, metadata, created.replace(tzinfo=UTC), faces[person_id], person_id)
            for name, metadata, created, person_id in found
        ]

    def _store(self, write: Write, batch: Batch, faces: Sequence[Sequence[Face]]) -> None:
        if self._cursor(write.connection) != batch.before:
            return  # another process was faster
        ids = self._ids(write.connection, [*(member.origin for member in batch.members), *batch.gone])
        members = [
            Member(member.name, member.metadata, member.created, some, member.origin)
            for member, some in zip(batch.members, faces, strict=True)
        ]
        gone = [*batch.gone, *(member.origin for member in members if not member.faces)]
        people.remove(write, [ids[each] for each in gone if each in ids])
        there = [member for member in members if member.faces]
        _free_names(write, there, ids)
        _change(write, {ids[member.origin]: member for member in there if member.origin in ids})
        restored.put(write, [member for member in there if member.origin not in ids])
        here = reembeddings.c.gallery_id == write.gallery_id
        moved = {"revision": batch.after.revision, "person_id": batch.after.person}
        write.connection.execute(sa.update(reembeddings).where(here).values(moved))

    def _ids(self, connection: sa.Connection, origins: Iterable[int]) -> dict[int, int]:
        """The persons of the target, by the person that they come from."""
        found = {}
        for batch in people.batches(origins):
            here = (persons.c.gallery_id == self.target._id) & persons.c.origin_id.in_(batch)
            found.update(connection.execute(sa.select(persons.c.origin_id, persons.c.id).where(here)).all())
        return found

    def _cursor(self, connection: sa.Connection) -> Cursor:
        here = (reembeddings.c.gallery_id == self.target._id) & (reembeddings.c.source_id == self.source._id)
        row = connection.execute(sa.select(reembeddings.c.revision, reembeddings.c.person_id).where(here)).one_or_none()
        if row is None:
            raise DatabaseError(
                f"Gallery {naming.excerpt(self.target.name)} has been finished or deleted by another process."
            )
        return Cursor(*row)


def begin(connection: sa.Connection, gallery_id: int, source_id: int) -> None:
    """Note that an empty gallery is made from another one."""
    start = {"gallery_id": gallery_id, "source_id": source_id, "revision": 0, "person_id": 0}
    connection.execute(sa.insert(reembeddings).values(start))


def end(connection: sa.Connection, gallery_id: int) -> bool:
    """Let a gallery stand on its own from now on; whether it was still being made."""
    return bool(connection.execute(sa.delete(reembeddings).where(reembeddings.c.gallery_id == gallery_id)).rowcount)


def source_of(connection: sa.Connection, gallery_id: int) -> int | None:
    """The gallery that another one is made from."""
    here = reembeddings.c.gallery_id == gallery_id
    return connection.scalar(sa.select(reembeddings.c.source_id).where(here))


def require_level(connection: sa.Connection, rows: Iterable[sa.Row]) -> None:
    """Raise BadArgument where one of some galleries (rows with ``id`` and ``name``) is behind what it is made from."""
    for row in rows:
        found = connection.execute(sa.select(reembeddings).where(reembeddings.c.gallery_id == row.id)).one_or_none()
        lag = behind(connection, found.source_id, Cursor(found.revision, found.person_id)) if found else 0
        if lag:
            raise BadArgument(
                f"Gallery {naming.excerpt(row.name)} has yet to take over {lag} people who were added, changed or "
                "deleted where it is made from: finish that first, with the command that made it."
            )


def behind(connection: sa.Connection, source_id: int, cursor: Cursor) -> int:
    """How many people of a gallery were added, changed or deleted after a place in its order."""
    count = 0
    for revision, person in ((persons.c.revision, persons.c.id), (deletions.c.revision, deletions.c.person_id)):
        here = revision.table.c.gallery_id == source_id
        for later in _later(revision, person, cursor):
            count += connection.scalar(sa.select(sa.func.count()).select_from(revision.table).where(here, later))
    return count


def _events(connection: sa.Connection, source_id: int, before: Cursor) -> list[Event]:
    """What happened next, in order: so many people, or of so many photos, as one transaction takes."""
    present = sa.select(persons.c.revision, persons.c.id, templates.c.count).join_from(persons, templates)
    absent = sa.select(deletions.c.revision, deletions.c.person_id, sa.null())
    found = []
    for selected, table, person in ((present, persons, persons.c.id), (absent, deletions, deletions.c.person_id)):
        some = []
        for later in _later(table.c.revision, person, before):
            chosen = selected.where(table.c.gallery_id == source_id, later).order_by(table.c.revision, person)
            if len(some) < PEOPLE:
                some += connection.execute(chosen.limit(PEOPLE - len(some))).all()
        found += some
    events = [Event(Cursor(revision, key), count) for revision, key, count in sorted(found, key=lambda row: row[:2])]
    return _portion(events[:PEOPLE])


def _portion(events: list[Event]) -> list[Event]:
    photos = 0
    for number, event in enumerate(events):
        photos += event.photos or 0
        if photos > PHOTOS:
            return events[: max(number, 1)]
    return events


def _later(revision: sa.Column, person: sa.Column, cursor: Cursor) -> tuple[sa.ColumnElement[bool], ...]:
    """What comes after a place, in two ranges that an index serves; SQLite scans all of a single OR of the two."""
    return (revision == cursor.revision) & (person > cursor.person), revision > cursor.revision


def _free_names(write: Write, members: Sequence[Member], ids: dict[int, int]) -> None:
    """Let names go that have come to stand for other people of the source.

    Whoever has such a name in the target has another one in the source by now, or is gone from there: that comes
    later in the same batch or after it.
    """
    holders = people.find(write.connection, write.gallery_id, [member.name for member in members])
    wrong = {
        holders[member.name]: member.name
        for member in members
        if holders.get(member.name, ids.get(member.origin)) != ids.get(member.origin)
    }
    for batch in people.batches(wrong):
        native = sa.select(persons.c.id).where(persons.c.id.in_(batch), persons.c.origin_id.is_(None))
        for person_id in write.connection.scalars(native):
            raise BadName(
                f"{naming.excerpt(wrong[person_id])} was enrolled in the gallery directly, and another person of that "
                "name has come from where it is made from: rename or forget one of the two, then try again."
            )
    for person_id in wrong:
        values = {"name": f"being renamed {uuid4().hex}", "revision": write.revision}
        write.connection.execute(sa.update(persons).where(persons.c.id == person_id).values(values))


def _change(write: Write, members: dict[int, Member]) -> None:
    """Make people of the target, by id, what they are now."""
    people.remove_faces(write, members)
    for person_id, member in members.items():
        values = {
            "name": member.name,
            "metadata": member.metadata,
            "created": restored.stored_moment(member.created),
            "revision": write.revision,
        }
        write.connection.execute(sa.update(persons).where(persons.c.id == person_id).values(values))
    rows = restored.face_rows({member.name: member.faces for member in members.values()}, write.dimension)
    ids = {member.name: person_id for person_id, member in members.items()}
    people.put_faces(write, ids, rows, fresh=rows.keys())
