"""A gallery: the people whom one model's embeddings describe."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from common.errors import DatabaseError
from db import checks, people
from db import names as naming
from db.connections import Connections
from db.records import Changes, Face, Person, Templates, Threshold
from db.schema import deletions, galleries, persons


class Gallery:
    """The people of one gallery. May be used from several threads.

    Every method that writes is one transaction: when it returns all is stored durably, when it raises nothing
    is. Each raises DatabaseError where the database cannot be used, BadName for a name that cannot be one.

    Attributes:
        name: of the gallery.
        model_name, model_digest: the model that its embeddings come from.
        dimension: length of its embeddings.
    """

    def __init__(self, connections: Connections, row: sa.Row):
        self._connections = connections
        self._id, self.name, self.model_name, self.model_digest, self.dimension = row
        self._revision_query = f"SELECT revision FROM galleries WHERE id = {int(self._id)}"
        self._here = persons.c.gallery_id == self._id

    def __repr__(self) -> str:
        return f"Gallery({naming.excerpt(self.name)}, {naming.excerpt(self.model_name)}, {self.dimension})"

    def revision(self) -> int:
        """A number that every write to this gallery, from whatever process, raises."""
        return people.known(self._connections.scalar(self._revision_query))

    def people(self) -> list[Person]:
        """All persons, ordered by the code points of their names."""
        with self._connections.reading() as connection:
            return people.read(connection, self._here)

    def person(self, name: str) -> Person:
        """One person. Raises UnknownPerson."""
        with self._connections.reading() as connection:
            return people.read(connection, persons.c.id == self._require(connection, name))[0]

    def faces(self, name: str) -> list[Face]:
        """The faces of one person as they were added, oldest first. Raises UnknownPerson."""
        with self._connections.reading() as connection:
            return people.read_faces(connection, self._require(connection, name), self.dimension)

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
        if not rows:
            return []
        with self._connections.writing() as connection:
            revision = people.raise_revision(connection, self._id)
            known = (people.find if create else people.require)(connection, self._id, rows)
            people.stamp(connection, known.values(), revision)
            people.create(connection, self._id, [name for name in rows if name not in known], revision)
            ids = people.require(connection, self._id, rows)
            people.put_faces(connection, ids, rows, self.dimension)
            return _in_order(people.read_many(connection, ids.values()), rows)

    def replace(self, faces: Mapping[str, Sequence[Face]]) -> list[Person]:
        """Put new faces in the place of all that persons have: all or none. Their metadata stays.

        Raises:
            UnknownPerson: a person who is not there.
            BadEmbedding, BadArgument: as :meth:`add_many`.
        """
        rows = checks.face_rows(faces, self.dimension)
        if not rows:
            return []
        with self._connections.writing() as connection:
            revision = people.raise_revision(connection, self._id)
            ids = people.require(connection, self._id, rows)
            people.stamp(connection, ids.values(), revision)
            people.remove_faces(connection, ids.values())
            people.put_faces(connection, ids, rows, self.dimension)
            replaced = _in_order(people.read_many(connection, ids.values()), rows)
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
        names = [names] if isinstance(names, str) else names
        wanted = list(dict.fromkeys(naming.clean(name) for name in names))
        if not wanted:
            return []
        with self._connections.writing() as connection:
            revision = people.raise_revision(connection, self._id)
            ids = people.require(connection, self._id, wanted)
            people.remove(connection, self._id, ids.values(), revision)
        self._connections.erase_log()
        return wanted

    def set_metadata(self, name: str, metadata: dict[str, Any] | None) -> Person:
        """Keep JSON values with a person in place of those kept so far; None keeps nothing.

        Raises:
            UnknownPerson: a person who is not there.
            BadArgument: not a dict of JSON values, or more than 65,535 bytes of JSON.
        """
        values = {"metadata": checks.metadata(metadata)}
        with self._connections.writing() as connection:
            revision = people.raise_revision(connection, self._id)
            person = persons.c.id == self._require(connection, name)
            connection.execute(sa.update(persons).where(person).values(values | {"revision": revision}))
            return people.read(connection, person)[0]

    @property
    def threshold(self) -> Threshold | None:
        """The threshold of this gallery, read from the database; None where none was set."""
        selected = sa.select(galleries.c.threshold, galleries.c.threshold_far)
        with self._connections.reading() as connection:
            similarity, far = connection.execute(selected.where(galleries.c.id == self._id)).one()
        return None if similarity is None else Threshold(similarity, far)

    def set_threshold(self, similarity: float, far: float | None) -> None:
        """Keep a threshold with the gallery.

        Args:
            similarity: cosine, -1..1.
            far: the false accept rate it was measured at, 0..1; None where that is not known.

        Raises:
            BadArgument: out of range.
        """
        values = {
            "threshold": checks.number(similarity, -1, 1, "A threshold (a cosine)"),
            "threshold_far": None if far is None else checks.number(far, 0, 1, "A false accept rate"),
        }
        with self._connections.writing() as connection:
            people.raise_revision(connection, self._id)
            connection.execute(sa.update(galleries).where(galleries.c.id == self._id).values(values))

    def templates(self) -> Templates:
        """Every person's template, as one consistent state of the gallery."""
        with self._connections.reading() as connection:
            revision = people.revision(connection, self._id)
            return Templates(revision, *people.read_templates(connection, self._here, self.dimension))

    def changes(self, since_revision: int) -> Changes:
        """What happened since ``since_revision``, as one consistent state of the gallery.

        Raises:
            BadArgument: not a revision.
            DatabaseError: the gallery is older than ``since_revision``, as after restoring a backup.
        """
        since_revision = checks.revision(since_revision)
        with self._connections.reading() as connection:
            revision = people.revision(connection, self._id)
            if revision < since_revision:
                raise DatabaseError(
                    f"Gallery {naming.excerpt(self.name)} went back from revision {since_revision} to "
                    f"{revision}, as after restoring a backup: read it anew with templates()."
                )
            changed = self._here & (persons.c.revision > since_revision)
            gone = sa.select(deletions.c.person_id).where(
                deletions.c.gallery_id == self._id, deletions.c.revision > since_revision
            )
            deleted = np.array(connection.scalars(gone).all(), np.int64)
            return Changes(revision, *people.read_templates(connection, changed, self.dimension), deleted)

    def _require(self, connection: sa.Connection, name: str) -> int:
        cleaned = naming.clean(name)
        return people.require(connection, self._id, [cleaned])[cleaned]


def _in_order(found: Iterable[Person], names: Iterable[str]) -> list[Person]:
    by_name = {person.name: person for person in found}
    return [by_name[name] for name in names]
