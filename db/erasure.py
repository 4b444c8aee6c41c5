"""Erasing people for good, with a receipt: rows, copies kept for undoing, and what is left in the files.

Deleting (:meth:`db.gallery.Gallery.delete`) takes people out of the tables. Erasing also takes out what was kept of
them to undo an earlier deletion, rewrites what held them (:mod:`db.scrub`), looks whether anything is left, and says
in a receipt what was done and what it cannot vouch for.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from common.errors import BadArgument, UnknownPerson
from db import clock, people, undo
from db import names as naming
from db.schema import faces, gallery_names, persons, templates, undo_faces
from db.scrub import Scrubbed, scrub
from db.write import Write

if TYPE_CHECKING:
    from db.gallery import Gallery

MOST_PIECES = 32  # looked for in the file: all of them take 5 s for a gigabyte of it (measured)
PIECE_BYTES = 48


@dataclass(frozen=True)
class Receipt:
    """What was erased, and how.

    Attributes:
        place, engine: the database and what runs it.
        gallery, gallery_uid: the gallery, by its name of then, and by what names it alone.
        people: the names of those who were erased.
        erased: when, in UTC.
        rows: how many were deleted, by table.
        statements: with which the files were rewritten.
        problem: why that could not be finished, in a sentence; the rows are deleted all the same.
        looked_for, found: pieces of what was deleted that were looked for in the files, and found there though no
            row holds them; ``looked_for`` is None where the files cannot be read, as on a server.
        still_held: pieces that rows of other people or galleries hold as well: the same photo was enrolled there.
        other_galleries: which have somebody of one of the names.
        limits: what an erasure cannot reach, in sentences.
    """

    place: str
    engine: str
    gallery: str
    gallery_uid: str
    people: tuple[str, ...]
    erased: datetime
    rows: dict[str, int]
    statements: tuple[str, ...]
    problem: str | None
    looked_for: int | None
    found: int
    still_held: int
    other_galleries: tuple[str, ...]
    limits: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether the files were rewritten, and nothing of what was looked for is left in them."""
        return self.problem is None and self.found == 0

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all of the above as JSON with sorted keys: kept in the audit log, it shows that
        a receipt was not changed."""
        return sha256(json.dumps(self._values(), sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON values, with ``complete`` and ``digest``."""
        return self._values() | {"complete": self.complete, "digest": self.digest}

    def _values(self) -> dict[str, Any]:
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return values | {"erased": self.erased.isoformat()}


def erase(gallery: "Gallery", names: Iterable[str]) -> Receipt:
    """See :meth:`db.gallery.Gallery.erase`."""
    connections, wanted = gallery._connections, naming.distinct(names)
    if not wanted:
        raise BadArgument("Nobody was named who is to be erased.")
    rows, pieces, moment = gallery._write(lambda write: _remove(write, wanted))
    connections.erase_log()
    scrubbed = scrub(connections, [piece for piece, _ in pieces])
    held = connections.read(lambda connection: _held(connection, pieces)) if scrubbed.found else 0
    return Receipt(
        connections.place, connections.server, gallery.name, gallery.uid, tuple(wanted), clock.told(moment), rows,
        *_account(scrubbed, held), connections.read(lambda connection: _elsewhere(connection, gallery._id, wanted)),
        scrubbed.limits,
    )  # fmt: skip


def _account(scrubbed: Scrubbed, held: int) -> tuple:
    found = max(0, scrubbed.found - held)
    return scrubbed.statements, scrubbed.problem, scrubbed.looked_for, found, held


def _remove(write: Write, names: list[str]) -> tuple[dict[str, int], list[tuple[bytes, bytes]], datetime]:
    """Delete people and what is kept of them; rows by table, pieces of what was deleted with all of it, and when."""
    connection = write.connection
    found = people.find(connection, write.gallery_id, names)
    kept = {name: undo.ids_of(connection, write.gallery_id, [name]) for name in names}
    unknown = [name for name in names if name not in found and not kept[name]]
    if unknown:
        raise UnknownPerson(f"Not in the gallery: {naming.listing(unknown)}. Nothing was changed.")
    ids, kept_ids = list(found.values()), [each for some in kept.values() for each in some]
    pieces = _pieces(connection, ids, kept_ids)
    rows = {
        "faces": _count(connection, faces.c.person_id, ids),
        "templates": _count(connection, templates.c.person_id, ids),
        "persons": len(ids),
    }
    people.remove(write, ids)
    rows["undo_persons"], rows["undo_faces"] = undo.remove(connection, kept_ids)
    return rows, pieces, clock.read(connection)


def _pieces(connection: sa.Connection, ids: list[int], kept_ids: list[int]) -> list[tuple[bytes, bytes]]:
    """(piece, whole value) of embeddings, crops and templates, of the first few persons."""
    if connection.dialect.name != "sqlite":
        return []
    values = []
    for column, owner, some in (
        (faces.c.embedding, faces.c.person_id, ids),
        (faces.c.crop, faces.c.person_id, ids),
        (templates.c.mean, templates.c.person_id, ids),
        (undo_faces.c.embedding, undo_faces.c.undo_id, kept_ids),
        (undo_faces.c.crop, undo_faces.c.undo_id, kept_ids),
    ):
        chosen = sa.select(column).where(owner.in_(some[: people.BATCH]), column.is_not(None))
        values += [bytes(value) for value in connection.scalars(chosen.limit(MOST_PIECES // 4))]
    distinct = list(dict.fromkeys(value for value in values if len(value) >= PIECE_BYTES))[:MOST_PIECES]
    return [(_middle(value), value) for value in distinct]


def _middle(value: bytes) -> bytes:
    start = (len(value) - PIECE_BYTES) // 2
    return value[start : start + PIECE_BYTES]


def _held(connection: sa.Connection, pieces: list[tuple[bytes, bytes]]) -> int:
    """Of how many pieces some row holds the whole value. It reads all rows: only asked where a piece was found."""
    columns = (faces.c.embedding, faces.c.crop, templates.c.mean, undo_faces.c.embedding, undo_faces.c.crop)
    return sum(
        any(
            connection.scalar(sa.select(sa.literal(1)).select_from(column.table).where(column == value).limit(1))
            for column in columns
        )
        for _, value in pieces
    )


def _count(connection: sa.Connection, column: sa.Column, ids: list[int]) -> int:
    counted = sa.select(sa.func.count()).select_from(column.table)
    return sum(connection.scalar(counted.where(column.in_(batch))) for batch in people.batches(ids))


def _elsewhere(connection: sa.Connection, gallery_id: int, names: list[str]) -> tuple[str, ...]:
    """The other galleries that have somebody of one of these names, by their own."""
    joined = sa.join(persons, gallery_names, persons.c.gallery_id == gallery_names.c.gallery_id)
    selected = sa.select(gallery_names.c.name).select_from(joined).where(persons.c.gallery_id != gallery_id).distinct()
    found = {
        name
        for batch in people.batches(names)
        for name in connection.scalars(selected.where(persons.c.name.in_(batch)))
    }
    return tuple(sorted(found))
