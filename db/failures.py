"""Driver errors as one clear line: where, what, and what to do. Never a password, a parameter or a name."""

import sqlite3
import ssl
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
    1020: "another client was in the way; nothing of this call was stored. Try again.",
    1021: "the server's disk is full; nothing of this call was stored.",
    1040: "the server has too many connections: use fewer processes, or raise its max_connections.",
    1044: "this user may not use the database: grant the rights to it.",
    1045: "the server refused the user name or password.",
    1047: "the server's cluster is not ready: try again later.",
    1049: "the server has no such database: create it.",
    1053: "the server is shutting down: try again later.",
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
    2013: "the server went away, or took too long to answer: try again.",
    2026: "TLS failed: check ssl_ca, ssl_cert and ssl_key, and that the server's certificate is for this host.",
    2055: "the server went away, or took too long to answer: try again.",
    2061: "the server's way of checking passwords needs TLS here: see ssl_mode.",
    3024: "the server took too long to answer: try again.",
}

# The connection is gone, or soon will be. 1927, 4031: ended by the server; 2014, 2048: out of step.
TLS_FAILED = 2026
SILENT = {2002, 2003}
LOST = SILENT | {1047, 1053, 1152, 1158, 1159, 1160, 1161, 1927, 2006, 2013, 2014, 2045, 2048, 2055, 3024, 4031}
# Another client was in the way: MariaDB's snapshot isolation (1020), too many connections, a lock, a deadlock.
IN_THE_WAY = {1020, 1040, 1205, 1213}


def is_lost(error: Exception) -> bool:
    """Whether a server's connection cannot be used any more."""
    original = _original(error)
    return _number(original) in LOST or "not available" in str(original)


def is_silent(error: Exception) -> bool:
    """Whether no server answered at all."""
    return _number(_original(error)) in SILENT


def passes(error: Exception) -> bool:
    """Whether the same call may well succeed in a moment. SQLite itself has waited by then."""
    if isinstance(error, PoolTimeout) or isinstance(_original(error), sqlite3.Error):
        return False
    return is_lost(error) or _number(_original(error)) in IN_THE_WAY


@contextmanager
def translated(place: str, driver_errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn errors of SQLAlchemy and of the driver into a :class:`DatabaseError` that names ``place``."""
    try:
        yield
    except (SQLAlchemyError, *driver_errors) as error:
        raise DatabaseError(f"{place}: {_advice(error)}") from None


def _advice(error: Exception) -> str:
    if isinstance(error, PoolTimeout):
        return "all connections of this process have been busy for too long: use fewer threads."
    original = _original(error)
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorname", "")
        return SQLITE.get("_".join(code.split("_")[:2])) or f"SQLite reports: {original}."
    number = _number(original)
    if number not in MYSQL and is_lost(error):
        number = 2013
    return MYSQL.get(number) or f"the server reports error {number or type(original).__name__}."


def _number(error: Exception) -> int | None:
    """The number of a driver's error. Pure Python's TLS has none, or that of a lost connection, for a refusal.

    A handshake that a stopping server breaks off is an ``SSLError``, too, and stays a lost connection.
    """
    number, cause = getattr(error, "errno", None), error.__cause__
    refused = isinstance(cause, ssl.SSLCertVerificationError) or (number == -1 and isinstance(cause, ssl.SSLError))
    return TLS_FAILED if refused else number


def _original(error: Exception) -> Exception:
    return getattr(error, "orig", None) or error
