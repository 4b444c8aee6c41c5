"""A gallery: the people whom one model's embeddings describe."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import sqlalchemy as sa

from common.errors import BadArgument, DatabaseError, NameTaken
from db import checks, packed, people
from db import names as naming
from db.connections import Connections
from db.records import Changes, Face, Matching, Person, Photo, Rows, State, Threshold
from db.schema import deletions, faces, galleries, gallery_names, persons, templates
from db.write import Write, explain_missing

if TYPE_CHECKING:
    from db.erasure import Receipt
    from db.retention import Expired
    from db.undo import Discarded

SCANNED = 4_000  # persons per statement

Result = TypeVar("Result")

_state = {
    "template": (galleries.c.revision, galleries.c.templates_digest),
    "photo": (galleries.c.revision, galleries.c.faces_digest),
}
_threshold = (
    galleries.c.threshold, galleries.c.threshold_far, galleries.c.threshold_low, galleries.c.threshold_high,
)  # fmt: skip


class Gallery:
    """The people of one gallery. May be used from several threads.

    Every method that writes is one transaction: when it returns all is stored durably, when it raises nothing
    is. Each raises DatabaseError where the database cannot be used, BadName for a name that cannot be one,
    UnknownGallery where the gallery was deleted, and ModelMismatch where its name was switched to another one.

    Attributes:
        name: of the gallery when it was opened; renaming it does not disturb who has it open.
        uid: of this gallery alone, in whatever database it lies.
        model_name, model_digest: the model that its embeddings come from.
        dimension: length of its embeddings.
    """

    def __init__(self, connections: Connections, row: sa.Row):
        self._connections = connections
        self._name_id, self._id, self.name, self.uid, self.model_name, self.model_digest, self.dimension = row
        self._here = persons.c.gallery_id == self._id

    def __repr__(self) -> str:
        return f"Gallery({naming.excerpt(self.name)}, {naming.excerpt(self.model_name)}, {self.dimension})"

    def state(self, matching: Matching = "template") -> State:
        """Revision, digest and threshold, as the database has them now: one short statement."""
        columns = ", ".join(f"galleries.{column.name}" for column in (*_state[matching], *_threshold))
        row = self._connections.row(
            f"SELECT {columns} FROM gallery_names JOIN galleries ON galleries.id = gallery_names.gallery_id "
            f"WHERE gallery_names.id = {int(self._name_id)} AND galleries.id = {int(self._id)}"
        )
        if row is None:
            self._connections.read(lambda connection: explain_missing(connection, self._name_id))
        return _state_of(row)

    def name_now(self) -> str:
        """What it is called in the database now; ``name`` is what it was called when it was opened."""
        row = self._connections.row(
            "SELECT gallery_names.name FROM gallery_names "
            f"WHERE gallery_names.id = {int(self._name_id)} AND gallery_names.gallery_id = {int(self._id)}"
        )
        if row is None:
            self._connections.read(lambda connection: explain_missing(connection, self._name_id))
        return row[0]

    def revision(self) -> int:
        """A number that every write to this gallery, from whatever process, raises."""
        return self.state().revision

    def people(self, prefix: str = "", after: str | None = None, limit: int | None = None) -> list[Person]:
        """Persons, ordered by the code points of their names.

        Args:
            prefix: how their names begin; case and accents count.
            after: only those whose names come after this one: the last of the page before.
            limit: at most so many.

        Raises:
            BadArgument: not a text, or a limit below 1.
        """
        condition = self._here & _begins_with(prefix)
        if after is not None:
            condition &= persons.c.name > _text(after)
        if limit is not None:
            limit = checks.positive(limit, "The limit of a list")
        return self._connections.read(lambda connection: people.read(connection, condition, limit))

    def count(self) -> tuple[int, int]:
        """How many people, and how many photos."""
        selected = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(templates.c.count), 0))
        counted = selected.join_from(persons, templates).where(self._here)
        found = self._connections.read(lambda connection: connection.execute(counted).one())
        return int(found[0]), int(found[1])

    def person(self, name: str) -> Person:
        """One person. Raises UnknownPerson."""
        return self._connections.read(
            lambda connection: people.read(connection, persons.c.id == self._require(connection, name))[0]
        )

    def faces(self, name: str) -> list[Face]:
        """The faces of one person as they were added, oldest first. Raises UnknownPerson."""

        def work(connection: sa.Connection) -> list[Face]:
            found = people.read_faces(connection, [self._require(connection, name)], self.dimension)
            return next(found)[1]

        return self._connections.read(work)

    def photos(self, name: str) -> list[Photo]:
        """The faces of one person without embeddings and crops, oldest first. Raises UnknownPerson."""
        return self._connections.read(
            lambda connection: people.read_photos(connection, self._require(connection, name))
        )

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those of ``ids`` that are persons of this gallery now."""
        wanted = sorted({int(each) for each in ids})

        def work(connection: sa.Connection) -> dict[int, str]:
            found = {}
            for batch in people.batches(wanted):
                selected = sa.select(persons.c.id, persons.c.name).where(self._here, persons.c.id.in_(batch))
                found.update(connection.execute(selected).all())
            return found

        return self._connections.read(work)

    def add(self, name: str, faces: Sequence[Face]) -> Person:
        """Add faces to a person, who is created if not there yet; see :meth:`add_many`."""
        return self.add_many({name: faces})[0]

    def add_many(self, faces: Mapping[str, Sequence[Face]], create: bool = True) -> list[Person]:
        """Add faces to persons, creating those who are not there yet: all or none.

        Args:
            faces: of each person.
            create: False refuses persons who are not there.

        Raises:
            UnknownPerson: a person who is not there, without ``create``.
            BadEmbedding: one is not float32 ``[dimension]``, not finite, or zero.
            BadArgument: a person without faces, or something else of a face is wrong.
        """
        rows = checks.face_rows(faces, self.dimension)

        def work(write: Write) -> list[Person]:
            ids = self._put(write, rows, create)
            return people.read_named(write.connection, {name: ids[name] for name in rows})

        return self._write(work) if rows else []

    def add_unseen(self, faces: Mapping[str, Sequence[Face]]) -> dict[str, int]:
        """Add those faces whose ``picture`` their person does not have yet, creating persons: all or none.

        Doing it again, here or in another process, adds nothing.

        Returns:
            How many faces were added, by stored name.

        Raises:
            BadEmbedding, BadArgument: as :meth:`add_many`.
        """
        rows = checks.face_rows(faces, self.dimension)

        def work(write: Write) -> dict[str, int]:
            seen = _pictures(write.connection, people.find(write.connection, self._id, rows))
            unseen = {name: _unseen(some, seen.get(name, set())) for name, some in rows.items()}
            self._put(write, {name: some for name, some in unseen.items() if some}, create=True)
            return {name: len(some) for name, some in unseen.items()}

        return self._write(work) if rows else {}

    def pictures(self, names: Iterable[str]) -> dict[str, set[str]]:
        """The ``picture`` digests that persons have, by stored name; nothing of those who are not there."""
        wanted = [naming.clean(name) for name in names]
        return self._connections.read(
            lambda connection: _pictures(connection, people.find(connection, self._id, wanted))
        )

    def replace(self, faces: Mapping[str, Sequence[Face]]) -> list[Person]:
        """Put new faces in the place of all that persons have: all or none. Their metadata stays.

        Raises:
            UnknownPerson: a person who is not there.
            BadEmbedding, BadArgument: as :meth:`add_many`.
        """
        rows = checks.face_rows(faces, self.dimension)

        def work(write: Write) -> list[Person]:
            ids = people.require(write.connection, self._id, rows)
            people.stamp(write, ids.values())
            people.remove_faces(write, ids.values())
            people.put_faces(write, ids, rows, fresh=rows)
            return people.read_named(write.connection, {name: ids[name] for name in rows})

        replaced = self._write(work) if rows else []
        self._connections.erase_log()
        return replaced

    def delete(self, names: str | Iterable[str]) -> list[str]:
        """Forget persons, faces and all: every one of ``names`` or, when one is unknown, none.

        On SQLite their bytes are overwritten, too (unless a reader holds on to the log at that moment).

        Returns:
            The stored names of those who were deleted, each once.

        Raises:
            UnknownPerson: persons who are not there; the message lists them.
        """
        wanted = naming.distinct(names)
        if wanted:
            self._write(
                lambda write: people.remove(write, people.require(write.connection, self._id, wanted).values())
            )
            self._connections.erase_log()
        return wanted

    def discard(self, names: str | Iterable[str], seconds: float = 60.0) -> "Discarded":
        """Forget persons so that it can be undone for so many seconds; everyone else sees them gone at once.

        Returns:
            What :meth:`undo` takes, and until when. After that, what was kept of them goes with the next call of this
            or of :meth:`db.database.Database.tidy`.

        Raises:
            UnknownPerson: persons who are not there; the message lists them, and nobody is forgotten.
            BadArgument: no number of seconds, above 0 and at most a week.
        """
        from db.undo import discard

        return discard(self, names, seconds)

    def undo(self, token: str) -> list[Person]:
        """Bring back the persons of a :meth:`discard`: photos, crops, metadata and dates, under new ids; all or none.

        Raises:
            NothingToUndo: its time is over, it was undone already, or there was none in this gallery.
            NameTaken: somebody else has one of the names by now.
        """
        from db.undo import undo

        return undo(self, token)

    def erase(self, names: str | Iterable[str]) -> "Receipt":
        """Forget persons for good: out of the tables, out of what was kept for undoing, and out of the files.

        On SQLite the file is rewritten and searched for what was in it; on a server the tables are rebuilt. Both take
        as long as copying the tables does; writers wait.

        Returns:
            What was done, what could not be, and what is beyond reach: see :class:`db.erasure.Receipt`.

        Raises:
            UnknownPerson: persons who are neither there nor kept for undoing; nobody is erased.
            BadArgument: nobody was named.
        """
        from db.erasure import erase

        return erase(self, names)

    def expire(self, older_than: timedelta, dry_run: bool = False) -> "Expired":
        """Forget photos that were added longer ago than that, and the persons who have none left.

        It goes on portion by portion; where it is interrupted, the next call goes on.

        Args:
            dry_run: only tell what would be forgotten.

        Raises:
            BadArgument: not a timedelta above zero.
        """
        from db.retention import expire

        return expire(self, older_than, dry_run)

    def rename(self, name: str, new_name: str) -> Person:
        """Give a person another name.

        Raises:
            UnknownPerson: a person who is not there.
            NameTaken: somebody else has the new name.
        """
        new_name = naming.clean(new_name)

        def work(write: Write) -> Person:
            person_id = self._require(write.connection, name)
            taken = people.find(write.connection, self._id, [new_name]).get(new_name, person_id)
            if taken != person_id:
                taken = f"There is a {naming.excerpt(new_name)} already. Merge the two, or choose another name."
                raise NameTaken(taken)
            person = persons.c.id == person_id
            values = {"name": new_name, "revision": write.revision}
            write.connection.execute(sa.update(persons).where(person).values(values))
            return people.read(write.connection, person)[0]

        return self._write(work)

    def merge(self, names: str | Iterable[str], into: str) -> Person:
        """Give all faces of persons to one person, and forget the others. Their metadata goes with them.

        Raises:
            UnknownPerson: a person who is not there.
            BadArgument: somebody is to be merged with himself, or nobody.
        """
        wanted, into = naming.distinct(names), naming.clean(into)
        if not wanted or into in wanted:
            raise BadArgument("Merging needs at least one person other than the one to merge into.")

        def work(write: Write) -> Person:
            ids = people.require(write.connection, self._id, [*wanted, into])
            target = ids.pop(into)
            theirs = sa.select(faces.c.id).where(faces.c.person_id.in_(list(ids.values())))
            people.move_faces(write, write.connection.scalars(theirs).all(), target)
            people.remove(write, ids.values())
            people.stamp(write, [target])
            people.refresh_templates(write, [target])
            return people.read(write.connection, persons.c.id == target)[0]

        merged = self._write(work)
        self._connections.erase_log()
        return merged

    def move(self, face_ids: int | Iterable[int], to: str, create: bool = False) -> Person:
        """Give faces, by the ids of :meth:`photos`, to another person. Who has none left is forgotten.

        Args:
            create: whether ``to`` may be a person who is not there yet.

        Raises:
            UnknownPerson: ``to`` is not there, without ``create``.
            BadArgument: a face that is not in the gallery, or none.
        """
        wanted = sorted({checks.positive(each, "The id of a face") for each in _as_list(face_ids)})
        to = naming.clean(to)

        def work(write: Write) -> Person:
            owners = self._owners(write.connection, wanted)
            if create and not people.find(write.connection, self._id, [to]):
                people.create(write, [{"name": to}])
            target = self._require(write.connection, to)
            people.move_faces(write, wanted, target)
            left = sa.select(faces.c.person_id).where(faces.c.person_id.in_(owners)).distinct()
            remaining = set(write.connection.scalars(left))
            people.remove(write, owners - remaining - {target})
            changed = sorted(remaining | {target})
            people.stamp(write, changed)
            people.refresh_templates(write, changed)
            return people.read(write.connection, persons.c.id == target)[0]

        return self._write(work)

    def remove_photos(self, face_ids: int | Iterable[int]) -> None:
        """Forget faces, by the ids of :meth:`photos`. A person keeps at least one.

        Raises:
            BadArgument: a face that is not in the gallery, or all faces of a person.
        """
        wanted = sorted({checks.positive(each, "The id of a face") for each in _as_list(face_ids)})

        def work(write: Write) -> None:
            owners = self._owners(write.connection, wanted)
            for batch in people.batches(wanted):
                chosen = faces.c.id.in_(batch)
                write.faces -= sum(write.connection.scalars(sa.select(faces.c.digest).where(chosen)))
                write.connection.execute(sa.delete(faces).where(chosen))
            left = sa.select(faces.c.person_id).where(faces.c.person_id.in_(owners)).distinct()
            if owners - set(write.connection.scalars(left)):
                raise BadArgument("A person would be left without any photo: forget the person instead.")
            people.stamp(write, owners)
            people.refresh_templates(write, owners)

        self._write(work)
        self._connections.erase_log()

    def set_metadata(self, name: str, metadata: dict[str, Any] | None) -> Person:
        """Keep JSON values with a person in place of those kept so far; None keeps nothing.

        Raises:
            UnknownPerson: a person who is not there.
            BadArgument: not a dict of JSON values, or more than 65,535 bytes of JSON.
        """
        values = {"metadata": checks.metadata(metadata)}

        def work(write: Write) -> Person:
            person = persons.c.id == self._require(write.connection, name)
            changed = values | {"revision": write.revision}
            write.connection.execute(sa.update(persons).where(person).values(changed))
            return people.read(write.connection, person)[0]

        return self._write(work)

    @property
    def threshold(self) -> Threshold | None:
        """The threshold of this gallery, read from the database; None where none was set."""
        return self.state().threshold

    def clear_threshold(self) -> None:
        """Keep no threshold with the gallery: that of the model's card counts."""
        self._keep(dict.fromkeys((column.name for column in _threshold), None))

    def set_threshold(
        self, similarity: float, far: float | None, low: float | None = None, high: float | None = None
    ) -> None:
        """Keep a threshold with the gallery.

        Args:
            similarity: cosine, -1..1.
            far: the false accept rate it was measured at, 0..1; None where that is not known.
            low, high: confidence interval of ``similarity``.

        Raises:
            BadArgument: out of range.
        """
        cosine = "A threshold (a cosine)"
        values = {
            "threshold": checks.number(similarity, -1, 1, cosine),
            "threshold_far": None if far is None else checks.number(far, 0, 1, "A false accept rate"),
            "threshold_low": None if low is None else checks.number(low, -1, 1, cosine),
            "threshold_high": None if high is None else checks.number(high, -1, 1, cosine),
        }
        self._keep(values)

    def _keep(self, values: dict[str, Any]) -> None:
        here = galleries.c.id == self._id
        self._write(lambda write: write.connection.execute(sa.update(galleries).where(here).values(values)))

    @contextmanager
    def scan(self, matching: Matching = "template") -> Iterator[tuple[State, Iterator[Rows]]]:
        """All vectors in pieces, by ascending id of their person, and the state that they are of."""
        with self._connections.reading() as connection:
            if self._connections.is_sqlite:
                found = self._pieces(connection, matching)
            else:
                found = packed.pieces(connection, matching, self._id, self.dimension, SCANNED)
            yield self._state_in(connection, matching), found

    def changes(self, since_revision: int, matching: Matching = "template") -> Changes:
        """What happened since ``since_revision``, as one consistent state of the gallery.

        Raises:
            BadArgument: not a revision.
            DatabaseError: the gallery is older than ``since_revision``, as after restoring a backup.
        """
        since_revision = checks.revision(since_revision)

        def work(connection: sa.Connection) -> Changes:
            state = self._state_in(connection, matching)
            if state.revision < since_revision:
                raise DatabaseError(
                    f"Gallery {naming.excerpt(self.name)} went back from revision {since_revision} to "
                    f"{state.revision}, as after restoring a backup: read it anew."
                )
            changed = self._here & (persons.c.revision > since_revision)
            gone = sa.select(deletions.c.person_id).where(
                deletions.c.gallery_id == self._id, deletions.c.revision > since_revision
            )
            removed = np.array(connection.scalars(gone).all(), np.int64)
            return Changes(state, removed, people.read_rows(connection, matching, changed, self.dimension))

        return self._connections.read(work)

    def export(self, path: str | Path, force: bool = False, progress: Callable | None = None) -> int:
        """Write all of it, as it is at one moment, to a file; see :func:`db.portable.export`."""
        from db.portable import export

        return export(self, path, force, progress)

    def _write(self, work: Callable[[Write], Result]) -> Result:
        def transaction(connection: sa.Connection) -> Result:
            write = Write(connection, self._name_id, self._id)
            result = work(write)
            write.finish()
            return result

        return self._connections.write(transaction)

    def _put(self, write: Write, rows: Mapping[str, list[dict]], create: bool) -> dict[str, int]:
        """Add faces to persons, known and new; the ids of all."""
        find = people.find if create else people.require
        known = find(write.connection, self._id, rows)
        people.stamp(write, known.values())
        new = [name for name in rows if name not in known]
        people.create(write, [{"name": name} for name in new])
        ids = known | people.require(write.connection, self._id, new)
        people.put_faces(write, ids, rows, fresh=set(new))
        return ids

    def _pieces(self, connection: sa.Connection, matching: Matching) -> Iterator[Rows]:
        last = 0
        while True:
            ids = sa.select(persons.c.id).where(self._here, persons.c.id > last).order_by(persons.c.id).limit(SCANNED)
            found = connection.scalars(ids).all()
            if not found:
                return
            condition = self._here & (persons.c.id > last) & (persons.c.id <= found[-1])
            yield people.read_rows(connection, matching, condition, self.dimension)
            last = found[-1]

    def _state_in(self, connection: sa.Connection, matching: Matching) -> State:
        selected = sa.select(*_state[matching], *_threshold).join_from(
            galleries, gallery_names, gallery_names.c.gallery_id == galleries.c.id
        )
        named = selected.where(galleries.c.id == self._id, gallery_names.c.id == self._name_id)
        row = connection.execute(named).one_or_none()
        if row is None:
            explain_missing(connection, self._name_id)
        return _state_of(row)

    def _owners(self, connection: sa.Connection, face_ids: list[int]) -> set[int]:
        """The persons whose faces these are. Raises BadArgument where one is of nobody here."""
        found = {}
        for batch in people.batches(face_ids):
            owned = sa.select(faces.c.id, faces.c.person_id).join_from(
                faces, persons, faces.c.person_id == persons.c.id
            )
            found.update(connection.execute(owned.where(self._here, faces.c.id.in_(batch))).all())
        missing = [each for each in face_ids if each not in found]
        if missing or not face_ids:
            raise BadArgument(f"No such photo in the gallery: {', '.join(map(str, missing[:10])) or 'none was named'}.")
        return set(found.values())

    def _require(self, connection: sa.Connection, name: str) -> int:
        cleaned = naming.clean(name)
        return people.require(connection, self._id, [cleaned])[cleaned]


def _state_of(row: Sequence) -> State:
    return State(row[0], row[1], None if row[2] is None else Threshold(*row[2:]))


def _begins_with(prefix: str) -> sa.ColumnElement[bool]:
    """Names that begin with ``prefix``: a range, which indexes serve, where case counts on every engine.

    MySQL takes "a" and "a " as equal, hence the length.
    """
    prefix = _text(prefix).lstrip()
    if not prefix:
        return sa.true()
    condition = (persons.c.name >= prefix) & (sa.func.char_length(persons.c.name) >= len(prefix))
    end = naming.after_prefix(prefix)
    return condition if end is None else condition & (persons.c.name < end)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadArgument(f"A name or its beginning is text (str), not {type(value).__name__}.")
    return naming.normalised(value)


def _as_list(values: Any) -> list:
    return list(values) if isinstance(values, Iterable) and not isinstance(values, str) else [values]


def _pictures(connection: sa.Connection, ids: Mapping[str, int]) -> dict[str, set[str]]:
    names = {person_id: name for name, person_id in ids.items()}
    found: dict[str, set[str]] = {}
    for batch in people.batches(names):
        selected = sa.select(faces.c.person_id, faces.c.picture)
        for person_id, picture in connection.execute(
            selected.where(faces.c.person_id.in_(batch), faces.c.picture.is_not(None))
        ):
            found.setdefault(names[person_id], set()).add(picture)
    return found


def _unseen(rows: list[dict], seen: set[str]) -> list[dict]:
    """Rows whose picture is not in ``seen``, each picture once."""
    seen, unseen = set(seen), []
    for row in rows:
        if row["picture"] is None or row["picture"] not in seen:
            unseen.append(row)
            seen.add(row["picture"])
    return unseen
