"""A transaction that changes a gallery: its new revision, and the digests that it keeps true."""

import sqlalchemy as sa

from common.errors import ModelMismatch, UnknownGallery
from db import names as naming
from db import vectors
from db.schema import galleries, gallery_names


class Write:
    """What the statements of one write share. Made first, finished last, within one transaction.

    Making it raises the gallery's revision: the row lock that this takes makes the order of revisions that of
    commits. It fails where the gallery's name has come to stand for another gallery.

    Attributes:
        connection: of the transaction.
        gallery_id, dimension: of the gallery.
        revision: the new one.
        templates, faces: what the digests of the gallery will be, before they are cut to 64 bits.

    Raises:
        UnknownGallery, ModelMismatch: as :func:`explain_missing`.
    """

    def __init__(self, connection: sa.Connection, name_id: int, gallery_id: int):
        named = sa.select(gallery_names.c.gallery_id).where(gallery_names.c.id == name_id).scalar_subquery()
        self._gallery = galleries.c.id == gallery_id
        self.connection, self.gallery_id = connection, gallery_id
        raised = sa.update(galleries).where(self._gallery, galleries.c.id == named)
        if not connection.execute(raised.values(revision=galleries.c.revision + 1)).rowcount:
            explain_missing(connection, name_id)
        columns = (
            galleries.c.revision, galleries.c.dimension, galleries.c.templates_digest, galleries.c.faces_digest,
        )  # fmt: skip
        row = connection.execute(sa.select(*columns).where(self._gallery)).one()
        self.revision, self.dimension, self.templates, self.faces = row
        self._before = (self.templates, self.faces)

    def finish(self) -> None:
        """Store the digests."""
        if (self.templates, self.faces) == self._before:
            return
        values = {"templates_digest": vectors.total([self.templates]), "faces_digest": vectors.total([self.faces])}
        self.connection.execute(sa.update(galleries).where(self._gallery).values(values))


def explain_missing(connection: sa.Connection, name_id: int) -> None:
    """Raise what tells why a gallery is no longer found under its name.

    Raises:
        ModelMismatch: the name stands for another gallery now.
        UnknownGallery: nothing has that name.
    """
    columns = (gallery_names.c.name, galleries.c.model_name)
    selected = sa.select(*columns).join_from(gallery_names, galleries, galleries.c.id == gallery_names.c.gallery_id)
    row = connection.execute(selected.where(gallery_names.c.id == name_id)).one_or_none()
    if row is None:
        raise UnknownGallery("The gallery is no longer in the database: open it again to start a new one.")
    raise ModelMismatch(
        f"{naming.excerpt(row.name)} has been switched to another gallery, of model {naming.excerpt(row.model_name)}: "
        "open it again, with that model."
    )
