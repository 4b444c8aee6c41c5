"""A database and its galleries."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import sqlalchemy as sa

from common.errors import BadArgument, DatabaseError, ModelMismatch, NameTaken, UnknownGallery
from db import checks, following, people, undo, versions
from db import names as naming
from db.audit import Audit
from db.connections import Connections
from db.following import Following
from db.gallery import Gallery
from db.idempotency import Idempotency
from db.jobs import Jobs
from db.keys import Keys
from db.records import Summary
from db.schema import deletions, faces, galleries, gallery_names, now, persons, reembeddings, templates
from db.scrub import Scrubbed, scrub
from db.sessions import Sessions
from db.summaries import summaries
from db.tidying import Tidied, tidy

if TYPE_CHECKING:
    from db.portable_file import GalleryFile
    from db.portable_import import Imported

TIMEOUT = 10.0
SHOWN_DIGEST = 12
STAGED = 100  # characters of a name within the name of a gallery that is not finished

Progress = Callable[[Iterable, int], Iterable]

_columns = (
    gallery_names.c.id.label("name_id"),
    galleries.c.id,
    gallery_names.c.name,
    galleries.c.uid,
    galleries.c.model_name,
    galleries.c.model_digest,
    galleries.c.dimension,
)


class Database:
    """An open database; see :func:`db.open`. May be used from several threads, and as a context manager.

    Attributes:
        keys, sessions, audit, idempotency, jobs: what the service keeps; see the modules of these names.
    """

    def __init__(self, url: str, timeout: float = TIMEOUT, password_file: str | Path | None = None):
        self._connections = Connections(
            url, checks.number(timeout, 0.1, 86400, "The timeout of a database (seconds)"), password_file
        )
        self.keys, self.audit = Keys(self._connections), Audit(self._connections)
        self.sessions = Sessions(self._connections, self.keys)
        self.idempotency, self.jobs = Idempotency(self._connections), Jobs(self._connections)
        try:
            versions.set_up(self._connections)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Database({self._connections.place!r})"

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def place(self) -> str:
        """The path or server, without user and password."""
        return self._connections.place

    @property
    def engine(self) -> str:
        """What runs it, such as "SQLite 3.45.1" or "MariaDB 11.4.2". Raises DatabaseError."""
        return self._connections.server

    @property
    def revision(self) -> str:
        """Of its tables. Raises DatabaseError."""
        return self._connections.read(lambda connection: versions.found(connection, self.place))

    def close(self) -> None:
        """Close all connections; what uses this database afterwards raises DatabaseError."""
        self._connections.close()

    def summaries(self) -> list[Summary]:
        """All galleries and what they hold, ordered by name. Raises DatabaseError."""
        return self._connections.read(summaries)

    def gallery_names(self) -> list[str]:
        """The names of all galleries, in order. Raises DatabaseError."""
        chosen = sa.select(gallery_names.c.name)
        return sorted(self._connections.read(lambda connection: connection.execute(chosen).scalars().all()))

    def find(self, name: str) -> Gallery:
        """The gallery of that name, whatever its model. Raises UnknownGallery, BadName, DatabaseError."""
        return Gallery(self._connections, self._connections.read(lambda connection: _require(connection, name)))

    def gallery(self, name: str, model_name: str, model_digest: str, dimension: int) -> Gallery:
        """The gallery of that name, created on first use and pinned to one model from then on.

        Args:
            name: 1 to 255 characters, as :func:`db.names.clean` allows.
            model_name: what the model is called; it may change as long as the digest stays.
            model_digest: the model's SHA-256 in hexadecimal.
            dimension: length of its embeddings.

        Raises:
            ModelMismatch: the gallery is there and belongs to another model.
            BadName, BadArgument, DatabaseError.
        """
        name, model = naming.clean(name, "gallery"), _model_values(model_name, model_digest, dimension)
        row = self._connections.read(lambda connection: _find(connection, name))
        row = row or self._connections.write(lambda connection: _find_or_create(connection, name, model))
        _check_model(row, model)
        return Gallery(self._connections, row)

    def create_gallery(self, name: str, model_name: str, model_digest: str, dimension: int) -> Gallery:
        """A new gallery.

        Raises:
            NameTaken: there is one of that name already. BadName: it cannot be one.
            BadArgument, DatabaseError.
        """
        name, model = naming.clean(name, "gallery"), _model_values(model_name, model_digest, dimension)

        def work(connection: sa.Connection) -> sa.Row:
            _require_free(connection, name)
            return _create(connection, name, model)

        return Gallery(self._connections, self._connections.write(work))

    def rename_gallery(self, name: str, new_name: str) -> None:
        """Give a gallery another name; who has it open goes on.

        Raises:
            UnknownGallery, DatabaseError.
            NameTaken: there is one of the new name already. BadName: it cannot be one.
        """
        new_name = naming.clean(new_name, "gallery")

        def work(connection: sa.Connection) -> None:
            row = _require(connection, name)
            if row.name != new_name:
                _require_free(connection, new_name)
                _rename(connection, row.name_id, new_name)

        self._connections.write(work)

    def switch_galleries(self, name: str, other: str) -> None:
        """Exchange the names of two galleries, in one statement; doing it again takes it back.

        Whoever has one of them open gets ModelMismatch from then on, and nothing of his is stored in the wrong one.

        Raises:
            UnknownGallery, DatabaseError.
            BadArgument: they are one, or one is still being made from the other.
        """

        def work(connection: sa.Connection) -> None:
            first, second = _require_locked(connection, name, other)
            if first.id == second.id:
                raise BadArgument("A gallery cannot be switched with itself.")
            following.require_level(connection, [first, second])
            exchanged = sa.case((gallery_names.c.id == first.name_id, second.id), else_=first.id)
            chosen = gallery_names.c.id.in_([first.name_id, second.name_id])
            connection.execute(sa.update(gallery_names).where(chosen).values(gallery_id=exchanged))

        self._connections.write(work)

    def follower(self, source: Gallery, name: str, model_name: str, model_digest: str, dimension: int) -> Following:
        """The gallery of that name which is made from the people of another one; created on first use.

        Raises:
            NameTaken: there is such a gallery, and it is not made from ``source``.
            ModelMismatch: it is made for another model.
            BadArgument, DatabaseError.
        """
        name, model = naming.clean(name, "gallery"), _model_values(model_name, model_digest, dimension)
        row = self._connections.write(lambda connection: _follower(connection, source._id, name, model))
        _check_model(row, model)
        return Following(source, Gallery(self._connections, row))

    def copy_gallery(self, name: str, new_name: str, progress: Progress | None = None) -> Gallery:
        """A second gallery with the same people, photos and threshold, under a new name.

        It has that name when it is complete. Until then it is called "NEW-NAME (copy of NAME, not finished)"; where
        that was interrupted, the next call goes on with it. Changes of the first gallery meanwhile come along.

        Raises:
            UnknownGallery, DatabaseError.
            NameTaken: there is one of the new name already. BadName: it cannot be one.
        """
        source, new_name = self.find(name), naming.clean(new_name, "gallery")
        self._connections.read(lambda connection: _refuse_taken(connection, new_name))
        staging = f"{new_name[:STAGED]} (copy of {source.name[:STAGED]}, not finished)"
        copy = self.follower(source, staging, source.model_name, source.model_digest, source.dimension)
        copy.run(lambda members: [member.faces for member in members], progress)
        threshold = source.threshold
        if threshold is not None:
            copy.target.set_threshold(*threshold)

        def finish(connection: sa.Connection) -> sa.Row:
            _require_free(connection, new_name)
            if not following.end(connection, copy.target._id):
                raise DatabaseError(f"Gallery {naming.excerpt(staging)} was finished by another process.")
            return _rename(connection, copy.target._name_id, new_name)

        return Gallery(self._connections, self._connections.write(finish))

    def replace_gallery(self, name: str, by: str, progress: Progress | None = None) -> None:
        """Give the name of a gallery to another one, and forget the first with all of its people.

        The name changes hands in one transaction: whoever has one of the two open gets an error from then on.

        Raises:
            UnknownGallery, BadName, DatabaseError.
            BadArgument: they are one.
        """

        def work(connection: sa.Connection) -> None:
            old, new = _require_locked(connection, name, by)
            if old.id == new.id:
                raise BadArgument("A gallery cannot be replaced by itself.")
            connection.execute(sa.delete(gallery_names).where(gallery_names.c.id == new.name_id))
            chosen = sa.update(gallery_names).where(gallery_names.c.id == old.name_id)
            connection.execute(chosen.values(gallery_id=new.id))

        self._connections.write(work)
        self.purge(progress)

    def import_gallery(
        self,
        file: "GalleryFile",
        name: str,
        merge: bool = False,
        replace: bool = False,
        progress: Progress | None = None,
    ) -> "Imported":
        """Store what a gallery's file holds; nothing where it is damaged. See :func:`db.portable_import.store`."""
        from db.portable_import import store

        return store(self, file, name, merge, replace, progress)

    def delete_gallery(self, name: str, progress: Progress | None = None) -> None:
        """Forget a gallery and all of its people.

        It is gone for everyone at once; its rows are then removed in portions. Where that is interrupted, the
        next call of :meth:`purge` or of this goes on.

        Raises:
            UnknownGallery, BadName, DatabaseError.
        """

        def work(connection: sa.Connection) -> None:
            row = _require(connection, name)
            connection.execute(sa.delete(gallery_names).where(gallery_names.c.id == row.name_id))

        self._connections.write(work)
        self.purge(progress)

    def purge(self, progress: Progress | None = None) -> None:
        """Remove what is left of galleries that were deleted. Raises DatabaseError."""
        nameless = sa.select(galleries.c.id).where(galleries.c.id.not_in(sa.select(gallery_names.c.gallery_id)))
        for gallery_id in self._connections.read(lambda connection: connection.scalars(nameless).all()):
            here = sa.select(sa.func.count()).where(persons.c.gallery_id == gallery_id)
            count = self._connections.read(lambda connection, here=here: connection.scalar(here))
            portions = range(-(-count // people.BATCH))
            for _ in progress(portions, len(portions)) if progress else portions:
                self._connections.write(lambda connection, here=gallery_id: _purge_portion(connection, here))
            self._connections.write(lambda connection, here=gallery_id: _purge_gallery(connection, here))
        self._connections.erase_log()

    def scrub(self) -> Scrubbed:
        """Rewrite what held rows that were deleted, so that the files hold nothing of them; see :mod:`db.scrub`.

        Raises:
            DatabaseError.
        """
        return scrub(self._connections)

    def tidy(self, jobs_age: timedelta = timedelta(days=7), audit_age: timedelta | None = None) -> Tidied:
        """Remove what has had its time, and store when API keys and sessions were last used: to be called about once a
        minute.

        What was kept for undoing, idempotency keys and sessions have their own time; jobs go so long after they
        ended, entries of the audit log at that age (None: never).

        Raises:
            BadArgument: not an age. DatabaseError.
        """
        return tidy(self, jobs_age, audit_age)

    @contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        """Keep other processes that ask for the same purpose out of the block, as long as it lasts.

        Raises:
            DatabaseError: another one has been in for longer than the timeout.
        """
        with self._connections.alone(purpose):
            yield


def _find(connection: sa.Connection, name: str) -> sa.Row | None:
    selected = sa.select(*_columns).join_from(gallery_names, galleries, galleries.c.id == gallery_names.c.gallery_id)
    return connection.execute(selected.where(gallery_names.c.name == name)).one_or_none()


def _require(connection: sa.Connection, name: str) -> sa.Row:
    name = naming.clean(name, "gallery")
    row = _find(connection, name)
    if row is None:
        known = connection.scalars(sa.select(gallery_names.c.name).order_by(gallery_names.c.name)).all()
        listed = f"Expected one of: {naming.listing(known)}." if known else "The database holds none."
        raise UnknownGallery(f"Unknown gallery {naming.excerpt(name)}. {listed}")
    return row


def _require_locked(connection: sa.Connection, *names: str) -> list[sa.Row]:
    """Galleries whom nobody else writes to until this transaction ends; whoever waits finds what it made of them.

    To be called first: on MySQL, what is read later is as it was at the first reading without a lock.
    """
    named = gallery_names.c.name.in_([naming.clean(name, "gallery") for name in names])
    joined = sa.select(galleries.c.id).join_from(gallery_names, galleries, galleries.c.id == gallery_names.c.gallery_id)
    connection.execute(joined.where(named).with_for_update()).all()
    return [_require(connection, name) for name in names]


def _require_free(connection: sa.Connection, name: str) -> None:
    _serialise(connection)
    _refuse_taken(connection, name)


def _refuse_taken(connection: sa.Connection, name: str) -> None:
    if _find(connection, name) is not None:
        taken = f"There is a gallery {naming.excerpt(name)} already: choose another name, or delete that first."
        raise NameTaken(taken)


def _find_or_create(connection: sa.Connection, name: str, model: dict[str, Any]) -> sa.Row:
    _serialise(connection)
    return _find(connection, name) or _create(connection, name, model)


def _rename(connection: sa.Connection, name_id: int, name: str) -> sa.Row:
    connection.execute(sa.update(gallery_names).where(gallery_names.c.id == name_id).values(name=name))
    return _require(connection, name)


def _follower(connection: sa.Connection, source_id: int, name: str, model: dict[str, Any]) -> sa.Row:
    _serialise(connection)
    row = _find(connection, name)
    if row is None:
        row = _create(connection, name, model)
        following.begin(connection, row.id, source_id)
    elif following.source_of(connection, row.id) != source_id:
        raise NameTaken(
            f"There is a gallery {naming.excerpt(name)} already, which is not made from this one: choose another "
            "name, or delete that first."
        )
    return row


def _serialise(connection: sa.Connection) -> None:
    """Let those who give out names take turns: a lock on the version's row sets an order."""
    connection.execute(sa.select(_ledger.c.version_num).with_for_update()).all()


def _create(connection: sa.Connection, name: str, model: dict[str, Any]) -> sa.Row:
    start = {"uid": uuid4().hex, "revision": 0, "templates_digest": 0, "faces_digest": 0, "created": now()}
    created = connection.execute(sa.insert(galleries).values(model | start))
    connection.execute(sa.insert(gallery_names).values(name=name, gallery_id=created.inserted_primary_key[0]))
    return _find(connection, name)


def _purge_portion(connection: sa.Connection, gallery_id: int) -> None:
    here = sa.select(persons.c.id).where(persons.c.gallery_id == gallery_id).order_by(persons.c.id)
    ids = connection.scalars(here.limit(people.BATCH)).all()
    for column in (templates.c.person_id, faces.c.person_id, persons.c.id):
        connection.execute(sa.delete(column.table).where(column.in_(ids)))


def _purge_gallery(connection: sa.Connection, gallery_id: int) -> None:
    if connection.scalar(sa.select(persons.c.id).where(persons.c.gallery_id == gallery_id).limit(1)) is not None:
        return  # somebody was adding as it was deleted: the next purge
    undo.remove(connection, undo.ids_of(connection, gallery_id))
    connection.execute(sa.delete(reembeddings).where(reembeddings.c.source_id == gallery_id))
    for column in (reembeddings.c.gallery_id, deletions.c.gallery_id, galleries.c.id):
        connection.execute(sa.delete(column.table).where(column == gallery_id))


def _model_values(name: str, digest: str, dimension: int) -> dict[str, Any]:
    return {
        "model_name": checks.text(name, "The name of a model"),
        "model_digest": checks.text(digest, "The digest of a model"),
        "dimension": checks.positive(dimension, "The dimension of embeddings"),
    }


def _check_model(row: sa.Row, asked: dict[str, Any]) -> None:
    if (row.model_digest, row.dimension) == (asked["model_digest"], asked["dimension"]):
        return
    raise ModelMismatch(
        f"Gallery {naming.excerpt(row.name)} holds embeddings of "
        f"{_model(row.model_name, row.model_digest, row.dimension)}; the model in use is "
        f"{_model(asked['model_name'], asked['model_digest'], asked['dimension'])}. "
        "Use the first model, or enrol the people in another gallery with the second."
    )


def _model(name: str, digest: str, dimension: int) -> str:
    return f"{naming.excerpt(name)} (digest {digest[:SHOWN_DIGEST]}, dimension {dimension})"


_ledger = sa.table(versions.LEDGER, sa.column("version_num"))
