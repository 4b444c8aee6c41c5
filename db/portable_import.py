"""Storing what a gallery's file holds: in a new gallery, with those who are there, or in their place."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from common.errors import BadArgument, FaceError, ModelMismatch, UnknownGallery
from db import names as naming
from db import people, restored, vectors
from db.gallery import Gallery
from db.portable import batches
from db.portable_archive import Progress
from db.portable_file import GalleryFile
from db.records import Face
from db.restored import Member
from db.schema import faces, persons
from db.write import Write

if TYPE_CHECKING:
    from db.database import Database

DIGITS = 12  # of a digest, as errors show it


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes:
        people: added, who were not there.
        photos: added.
        known: photos that were there already.
    """

    people: int
    photos: int
    known: int = 0


def store(
    database: "Database",
    file: GalleryFile,
    name: str,
    merge: bool = False,
    replace: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Store the people of a file in the gallery of that name, which is made where there is none.

    A new gallery, or one that is to replace another one, is made beside it, under the name "NAME (import, not
    finished)", and gets its name in one step when it is complete. Into a gallery that is there, all goes in one
    transaction: other writers to it wait for that.

    Args:
        file: is verified from beginning to end before anything is written.
        merge: whether people may be there already. Their photos are added, except those of which they have the
            embedding already; metadata is taken where they have none.
        replace: whether the people who are there are to be forgotten.
        progress: wraps the people: called with an iterable and its length.

    Raises:
        BadArgument: the file is damaged; or somebody is in the gallery, without ``merge`` or ``replace``.
        ModelMismatch: the gallery belongs to another model than the file.
        BadName, DatabaseError.
    """
    if merge and replace:
        raise BadArgument("Merge with the people who are there, or replace them: give one of the two.")
    name = naming.clean(name, "gallery")
    with database.alone("import"):
        gallery = _there(database, name)
        if gallery is not None:
            _require_model(gallery, file)
            if not merge and not replace:
                _require_empty(name, gallery.count()[0])
        file.verify(progress)
        if gallery is not None and not replace:
            return _merge(gallery, file, None if merge else name, progress)
        return _build(database, file, name, gallery is not None, progress)


def _build(database: "Database", file: GalleryFile, name: str, replace: bool, progress: Progress | None) -> Imported:
    """Make a gallery beside the others, and give it its name at the end."""
    staging = f"{name[:200]} (import, not finished)"
    if _there(database, staging) is not None:
        database.delete_gallery(staging)  # of an import that was interrupted
    gallery = database.create_gallery(staging, file.model_name, file.model_digest, file.dimension)
    try:
        members = file.members()
        for batch in batches(progress(members, file.people) if progress else members):
            gallery._write(lambda write, batch=batch: restored.put(write, batch))
        if file.threshold is not None:
            gallery.set_threshold(*file.threshold)
        if replace:
            database.replace_gallery(name, staging)
        else:
            database.rename_gallery(staging, name)
    except FaceError:
        with suppress(FaceError):
            database.delete_gallery(staging)
        raise
    return Imported(file.people, file.photos)


def _merge(gallery: Gallery, file: GalleryFile, empty: str | None, progress: Progress | None) -> Imported:
    """Add everyone in one transaction; ``empty`` is the name of a gallery in which nobody may be."""

    def work(write: Write) -> Imported:
        if empty is not None:
            here = sa.select(sa.func.count()).where(persons.c.gallery_id == write.gallery_id)
            _require_empty(empty, write.connection.scalar(here))
        members, added = file.members(), Imported(0, 0)
        for batch in batches(progress(members, file.people) if progress else members):
            some = _add(write, batch)
            added = Imported(added.people + some.people, added.photos + some.photos, added.known + some.known)
        return added

    added = gallery._write(work)
    if file.threshold is not None and gallery.threshold is None:
        gallery.set_threshold(*file.threshold)
    return added


def _add(write: Write, members: list[Member]) -> Imported:
    ids = people.find(write.connection, write.gallery_id, [member.name for member in members])
    new = [member for member in members if member.name not in ids]
    restored.put(write, new)
    known = [member for member in members if member.name in ids]
    there = _embeddings(write.connection, ids.values())
    unseen = {member.name: _unseen(member.faces, there[ids[member.name]]) for member in known}
    some = {name: faces for name, faces in unseen.items() if faces}
    people.stamp(write, [ids[name] for name in some])
    people.put_faces(write, ids, restored.face_rows(some, write.dimension))
    _add_metadata(write, {ids[member.name]: member.metadata for member in known if member.metadata is not None})
    photos = sum(len(member.faces) for member in members)
    added = sum(len(member.faces) for member in new) + sum(map(len, some.values()))
    return Imported(len(new), added, photos - added)


def _embeddings(connection: sa.Connection, ids: Iterable[int]) -> dict[int, Counter]:
    """How often persons have each embedding."""
    found = {each: Counter() for each in ids}
    for batch in people.batches(found):
        stored = sa.select(faces.c.person_id, faces.c.embedding).where(faces.c.person_id.in_(batch))
        for person_id, embedding in connection.execute(stored):
            found[person_id][bytes(embedding)] += 1
    return found


def _unseen(some: Iterable[Face], there: Counter) -> list[Face]:
    unseen = []
    for face in some:
        stored = face.embedding.astype(vectors.STORED).tobytes()
        there[stored] -= 1
        if there[stored] < 0:
            unseen.append(face)
    return unseen


def _add_metadata(write: Write, metadata: dict[int, dict]) -> None:
    for batch in people.batches(metadata):
        without = sa.select(persons.c.id).where(persons.c.id.in_(batch), persons.c.metadata.is_(None))
        for person_id in write.connection.scalars(without).all():
            values = {"metadata": metadata[person_id], "revision": write.revision}
            write.connection.execute(sa.update(persons).where(persons.c.id == person_id).values(values))


def _there(database: "Database", name: str) -> Gallery | None:
    try:
        return database.find(name)
    except UnknownGallery:
        return None


def _require_model(gallery: Gallery, file: GalleryFile) -> None:
    if (gallery.model_digest, gallery.dimension) != (file.model_digest, file.dimension):
        raise ModelMismatch(
            f"{file.path} holds embeddings of {_model(file)}; gallery {naming.excerpt(gallery.name)} holds those of "
            f"{_model(gallery)}. Import it into another gallery."
        )


def _model(of: Gallery | GalleryFile) -> str:
    return f"{naming.excerpt(of.model_name)} (digest {of.model_digest[:DIGITS]}, dimension {of.dimension})"


def _require_empty(name: str, count: int) -> None:
    if count:
        raise BadArgument(
            f"Gallery {naming.excerpt(name)} holds {count} people: import into another one, or choose whether to "
            "merge with them or to replace them."
        )
