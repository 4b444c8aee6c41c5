"""Driver errors as one clear line: where, what, and what to do. Never a password, a parameter or a name."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common.errors import DatabaseError

# Nothing of a failed call is stored: each is one transaction.
SQLITE = {
    "SQLITE_BUSY": "is locked by another process: wait until that has finished, or stop it, and try again.",
    "SQLITE_LOCKED": "is locked by another connection: wait until that has finished and try again.",
    "SQLITE_FULL": "the disk is full; nothing of this call was stored. Free space and try again.",
    "SQLITE_READONLY": "is read-only: give this user the right to write to the file and its folder.",
    "SQLITE_PERM": "may not be used by this user: grant the right to read and write the file and its folder.",
    "SQLITE_CANTOPEN": "cannot be opened: check that this user may read and write the file and its folder.",
    "SQLITE_NOTADB": "is not an SQLite database: give the path of a new file, or of a gallery.",
    "SQLITE_CORRUPT": "is damaged: restore a backup.",
    "SQLITE_IOERR": "cannot be read or written; nothing of this call was stored. "
    "Check the disk: it may be full or failing.",
}
MYSQL = {
    1021: "the server's disk is full; nothing of this call was stored.",
    1044: "this user may not use the database: grant the rights to it.",
    1045: "the server refused the user name or password.",
    1049: "the server has no such database: create it.",
    1114: "the server's disk is full; nothing of this call was stored.",
    1142: "this user lacks a right on the tables: grant it.",
    1153: "a face is larger than the server's max_allowed_packet: raise that, or store a smaller crop.",
    1205: "another client holds a lock for too long: try again.",
    1213: "another client was in the way; nothing of this call was stored. Try again.",
    1290: "the server is read-only: use the primary server.",
    1698: "the server refused the user name or password.",
    1836: "the server is read-only: use the primary server.",
    2002: "no server answers there: start it, or check host and port.",
    2003: "no server answers there: start it, or check host and port.",
    2005: "there is no such host: check its name.",
    2006: "the server went away; nothing of this call was stored. Try again.",
    2013: "the server went away during the call: try again.",
    2055: "the server went away during the call: try again.",
}


@contextmanager
def translated(place: str, driver_error: type[Exception]) -> Iterator[None]:
    """Turn errors of SQLAlchemy and of the driver into a :class:`DatabaseError` that names ``place``."""
    try:
        yield
    except (SQLAlchemyError, driver_error) as error:
        raise DatabaseError(f"{place}: {_advice(error)}") from None


def _advice(error: Exception) -> str:
    if isinstance(error, PoolTimeout):
        return "all connections of this process have been busy for too long: use fewer threads."
    original = getattr(error, "orig", None) or error
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorname", "")
        return SQLITE.get("_".join(code.split("_")[:2])) or f"SQLite reports: {original}."
    number = getattr(original, "errno", None)
    return MYSQL.get(number) or f"the server reports error {number or type(original).__name__}."
