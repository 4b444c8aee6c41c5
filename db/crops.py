"""The aligned faces that are kept with photos, one at a time."""

from typing import TYPE_CHECKING

import sqlalchemy as sa

from common.errors import UnknownPhoto
from db import checks
from db import names as naming
from db.schema import faces

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
