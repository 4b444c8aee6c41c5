"""People who come from elsewhere as they are there, dates and all: copies, re-embedded galleries, imports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from db import checks, people
from db.records import Face
from db.write import Write


@dataclass(frozen=True, eq=False)
class Member:
    """A person with everything that a gallery keeps of him.

    Attributes:
        name: in the form in which it is stored.
        metadata, created: as of :class:`db.records.Person`.
        faces: oldest first, with their own ``created``.
        origin: the id in the gallery that he is made from; None where there is none.
    """

    name: str
    metadata: dict[str, Any] | None = field(repr=False)
    created: datetime
    faces: Sequence[Face] = field(repr=False)
    origin: int | None = None


def face_rows(faces: Mapping[str, Sequence[Face]], dimension: int) -> dict[str, list[dict[str, Any]]]:
    """Column values of faces by stored name, ``created`` among them.

    Raises:
        BadName, BadEmbedding, BadArgument: as :meth:`db.gallery.Gallery.add_many`.
    """
    rows = checks.face_rows(faces, dimension)
    for some, given in zip(rows.values(), faces.values(), strict=True):
        for row, face in zip(some, given, strict=True):
            row["created"] = stored_moment(face.created)
    return rows


def stored_moment(moment: datetime) -> datetime:
    """A moment as the tables keep it: UTC without a time zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def put(write: Write, members: Sequence[Member]) -> None:
    """Insert people who are not there yet, with all of theirs."""
    values = [
        {
            "name": member.name,
            "metadata": member.metadata,
            "created": stored_moment(member.created),
            "origin_id": member.origin,
        }
        for member in members
    ]
    people.create(write, values)
    rows = face_rows({member.name: member.faces for member in members}, write.dimension)
    ids = people.require(write.connection, write.gallery_id, rows)
    people.put_faces(write, ids, rows, fresh=rows.keys())
