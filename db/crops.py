"""The aligned faces that are kept with photos: one of them, and which there are for a list of people."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from common.errors import UnknownPhoto
from db import checks, people
from db import names as naming
from db.schema import faces, persons

if TYPE_CHECKING:
    from db.gallery import Gallery


def crop_of(gallery: "Gallery", name: str, photo: int) -> bytes | None:
    """The encoded (PNG) aligned face of a person's photo; None where none was kept.

    Raises:
        UnknownPerson, BadName. UnknownPhoto: the person has no photo of that id.
    """
    wanted = checks.positive(photo, "The id of a photo")

    def work(connection: sa.Connection) -> bytes | None:
        theirs = (faces.c.person_id == gallery._require(connection, name)) & (faces.c.id == wanted)
        row = connection.execute(sa.select(faces.c.crop).where(theirs)).one_or_none()
        if row is None:
            raise UnknownPhoto(f"{naming.excerpt(name)} has no photo {wanted}.")
        return None if row.crop is None else bytes(row.crop)

    return gallery._connections.read(work)


def covers(gallery: "Gallery", names: Iterable[str]) -> dict[str, int]:
    """Of each person, the newest photo with which an aligned face was kept: one statement for 500 people.

    Args:
        names: as they are stored, see :class:`db.records.Person`.

    Returns:
        The photo's id by name; nothing of those without such a photo, or who are not there.
    """
    newest = sa.func.max(faces.c.id)
    with_crop = sa.select(persons.c.name, newest).join_from(persons, faces, faces.c.person_id == persons.c.id)

    def work(connection: sa.Connection) -> dict[str, int]:
        found = {}
        for batch in people.batches(names):
            theirs = with_crop.where(gallery._here, persons.c.name.in_(batch), faces.c.crop.is_not(None))
            found.update(connection.execute(theirs.group_by(persons.c.name)).all())
        return found

    return gallery._connections.read(work)
