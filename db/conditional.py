"""Writes that depend on what a person is like, and several writes as one; checked in the transaction that writes.

version = version_of(gallery, "Ann")
expecting(gallery, "Ann", [version]).rename("Ann", "Ann Lee")     # VersionConflict where somebody was faster
together(gallery, lambda each: [each.set_metadata("Ann", {}), each.rename("Ann", "Ann Lee")])
"""

import copy
from collections.abc import Callable, Collection
from typing import TypeVar

import sqlalchemy as sa

from common.errors import NameTaken, VersionConflict
from db import names as naming
from db.gallery import Gallery
from db.schema import persons
from db.write import Write

Result = TypeVar("Result")


def version_of(gallery: Gallery, name: str) -> str:
    """What changes whenever a person does: photos, metadata or name.

    Raises:
        UnknownPerson, BadName, DatabaseError.
    """

    def work(connection: sa.Connection) -> str:
        return _version(connection, gallery._require(connection, name))

    return gallery._connections.read(work)


def expecting(gallery: Gallery, name: str, versions: Collection[str] | None) -> Gallery:
    """The same gallery, whose writes are refused unless a person is as expected, in the transaction of the write.

    Args:
        name: the person.
        versions: of :func:`version_of`, of which the person has to have one; None: there is to be nobody of that name.

    Raises:
        BadName. Its writing methods also raise VersionConflict, or NameTaken where there is somebody and was to be
        nobody, and then nothing is stored.
    """
    cleaned = naming.clean(name)
    here = (persons.c.gallery_id == gallery._id) & (persons.c.name == cleaned)

    def check(write: Write) -> None:
        found = write.connection.scalar(sa.select(persons.c.id).where(here))
        if versions is None:
            if found is not None:
                raise NameTaken(f"There is a {naming.excerpt(cleaned)} already. Nothing was changed.")
        elif found is None or _version(write.connection, found) not in versions:
            raise VersionConflict(
                f"{naming.excerpt(cleaned)} has changed since you read it: read it again, then decide. "
                "Nothing was changed."
            )

    def guarded(work: Callable[[Write], Result]) -> Result:
        def checked(write: Write) -> Result:
            check(write)
            return work(write)

        return gallery._write(checked)

    return _writing(gallery, guarded)


def together(gallery: Gallery, work: Callable[[Gallery], Result]) -> Result:
    """Several writes as one transaction: all are stored, or nothing is.

    Args:
        work: called with the gallery, of which it may use ``rename`` and ``set_metadata``; may be called again.

    Raises:
        FaceError: as the methods it calls.
    """

    def transaction(write: Write) -> Result:
        return work(_writing(gallery, lambda inner: inner(write)))

    return gallery._write(transaction)


def _writing(gallery: Gallery, write: Callable) -> Gallery:
    changed = copy.copy(gallery)
    changed._write = write
    return changed


def _version(connection: sa.Connection, person_id: int) -> str:
    revision = connection.scalar(sa.select(persons.c.revision).where(persons.c.id == person_id))
    return f"{person_id}-{revision}"
