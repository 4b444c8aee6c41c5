"""Reading very many vectors from a server: thousands to a row, put together there.

The driver spends 16 microseconds of processor time on a row, most of them in Python; packed like this, 4 (MariaDB
10.11, mysql-connector-python without its C extension).
"""

from collections.abc import Iterator

import numpy as np
import sqlalchemy as sa

from common.errors import DatabaseError
from db.records import Rows

PACKED_BYTES = 12 * 2**20  # MariaDB allows packets of 16 if nobody raises that

_SOURCES = {
    "template": ("templates v ON v.person_id = p.id", "v.mean"),
    "photo": ("faces v ON v.person_id = p.id", "v.embedding"),
}


def pieces(
    connection: sa.Connection, matching: str, gallery_id: int, dimension: int, most_persons: int
) -> Iterator[Rows]:
    """All vectors of a gallery by ascending id of their person, in pieces of some megabytes.

    A piece has ``most_persons``, or fewer where they have too many vectors.

    Raises:
        DatabaseError: a stored vector does not have the length of an embedding.
    """
    record = np.dtype([("id", ">i8"), ("digest", ">i8"), ("vector", "<f4", dimension)])
    most = max(1, PACKED_BYTES // record.itemsize)
    last, persons = 0, min(most, most_persons)
    while True:
        end, count = _extent(connection, matching, gallery_id, last, persons)
        if not count:
            return
        if count > most and persons > 1:
            persons //= 2
            continue
        packed = _packed(connection, matching, gallery_id, last, end, count, record)
        if len(packed) != count * record.itemsize:
            raise DatabaseError(
                f"A stored embedding does not have its {4 * dimension} bytes, or the server's max_allowed_packet is "
                "too small for one person's photos: restore a backup, or raise that."
            )
        rows = np.frombuffer(packed, record)
        if (np.diff(rows["id"]) < 0).any():  # an ORDER BY within GROUP_CONCAT makes the server sort whole records
            rows = rows[np.argsort(rows["id"], kind="stable")]
        yield Rows(rows["id"].astype(np.int64), np.ascontiguousarray(rows["vector"]), rows["digest"].astype(np.int64))
        last, persons = end, min(most, most_persons, 2 * persons)


def _extent(connection: sa.Connection, matching: str, gallery_id: int, last: int, persons: int) -> tuple[int, int]:
    """The last of the next so many persons, and how many vectors they have."""
    counted = "t.count" if matching == "photo" else "1"
    row = connection.execute(
        sa.text(
            f"SELECT MAX(s.id), SUM(s.vectors) FROM (SELECT p.id AS id, {counted} AS vectors FROM persons p "
            "JOIN templates t ON t.person_id = p.id WHERE p.gallery_id = :gallery AND p.id > :last "
            "ORDER BY p.id LIMIT :persons) s"
        ),
        {"gallery": gallery_id, "last": last, "persons": persons},
    ).one()
    return int(row[0] or 0), int(row[1] or 0)


def _packed(
    connection: sa.Connection, matching: str, gallery_id: int, last: int, end: int, count: int, record: np.dtype
) -> bytes:
    """The records of the persons last < id <= end, one after another; b"" where one has another length."""
    source, vector = _SOURCES[matching]
    connection.execute(sa.text(f"SET SESSION group_concat_max_len = {2 * count * record.itemsize}"))
    packed, wrong = connection.execute(
        sa.text(
            f"SELECT GROUP_CONCAT(UNHEX(LPAD(HEX(p.id), 16, '0')), UNHEX(LPAD(HEX(v.digest), 16, '0')), {vector} "
            f"SEPARATOR ''), SUM(LENGTH({vector}) <> :length) FROM persons p JOIN {source} "
            "WHERE p.gallery_id = :gallery AND p.id > :last AND p.id <= :end"
        ),
        {"gallery": gallery_id, "last": last, "end": end, "length": record["vector"].itemsize},
    ).one()
    return bytes(packed) if packed and not wrong else b""
