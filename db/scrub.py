"""Taking what was deleted out of a database's files, not only out of its tables.

SQLite: deleted content is overwritten with zeros as it is deleted (``secure_delete``). Then the log is emptied, and the
file written anew from what its tables hold (VACUUM), with another emptying of the log.

MySQL and MariaDB: ``OPTIMIZE TABLE`` builds each table anew. What it cannot reach is :data:`BEYOND_SERVER`.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from common.errors import DatabaseError
from db import look_for
from db.connections import Connections

TABLES = ("faces", "templates", "persons", "undo_faces", "undo_persons")
SECURE_DELETE, VACUUM, EMPTY_LOG = "PRAGMA secure_delete=ON", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"
LOOKING_SECONDS = 600

BEYOND_FILES = (
    "Backups, exports, replicas and snapshots of the disk keep what they hold.",
    "Blocks of the disk that held earlier versions of the files are free, not overwritten.",
)
BEYOND_SERVER = (
    "The server's undo and redo logs keep what was deleted until they are purged and written over.",
    "Binary logs keep the inserted rows until they expire: PURGE BINARY LOGS.",
)


@dataclass(frozen=True)
class Scrubbed:
    """What was done to a database's files.

    Attributes:
        statements: in order.
        problem: why it could not be finished, in a sentence; None where it was.
        looked_for: how many pieces of deleted rows were looked for in the files; None where they cannot be read.
        found: how many of them are in there.
        limits: what this cannot reach, in sentences.
    """

    statements: tuple[str, ...]
    problem: str | None
    looked_for: int | None
    found: int
    limits: tuple[str, ...]


def scrub(connections: Connections, pieces: Sequence[bytes] = ()) -> Scrubbed:
    """Rewrite what held deleted rows. SQLite's file is then searched for ``pieces`` of them.

    It takes as long as copying the tables, and as much free disk; writers wait. Whoever reads for longer than the
    timeout keeps it from being finished: that is no error, and it can be called again.

    Raises:
        DatabaseError: the database is closed, or cannot be reached.
    """
    if not connections.is_sqlite:
        statement = f"OPTIMIZE TABLE {', '.join(TABLES)}"
        return Scrubbed((statement,), _optimize(connections, statement), None, 0, (*BEYOND_FILES, *BEYOND_SERVER))
    statements = (SECURE_DELETE, EMPTY_LOG, VACUUM, EMPTY_LOG)
    problem = _rewrite(connections)
    if connections.in_memory:
        return Scrubbed(statements, problem, None, 0, ())
    looked_for, found = _look(connections.place, pieces)
    return Scrubbed(statements, problem, looked_for, found, BEYOND_FILES)


def _rewrite(connections: Connections) -> str | None:
    try:
        with connections.outside_transactions() as connection:
            connection.execute(SECURE_DELETE)  # as every connection of ours has it
            for statement in (EMPTY_LOG, VACUUM, EMPTY_LOG):
                row = connection.execute(statement).fetchone()
                if statement == EMPTY_LOG and row is not None and row[0]:
                    return "The log is still read by another connection: wait until that has finished."
    except DatabaseError as error:
        return str(error)
    return None


def _optimize(connections: Connections, statement: str) -> str | None:
    """A rebuilding waits for everybody who has a table in use: that is limited here, by default to a day."""
    with connections.migrating() as connection:
        connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {connections.lock_seconds}")
        try:
            rows = connection.exec_driver_sql(statement).all()
        except SQLAlchemyError as error:
            return f"The tables could not be rebuilt: {type(error.__cause__ or error).__name__}."
        finally:
            with suppress(SQLAlchemyError):  # the connection goes back to others
                connection.exec_driver_sql("SET SESSION lock_wait_timeout = DEFAULT")
    wrong = [row for row in rows if str(row[2]).lower() == "error"]
    if wrong:
        return f"{str(wrong[0][0]).split('.')[-1]} could not be rebuilt: somebody has it in use, or a right is missing."
    return None


def _look(place: str, pieces: Sequence[bytes]) -> tuple[int | None, int]:
    """How many pieces were looked for in SQLite's files, and how many are in there.

    It is done in a process of its own: closing the file here would drop the locks that this process's connections
    hold on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    if not pieces:
        return 0, 0
    command = [sys.executable, "-I", "-S", look_for.__file__, place, f"{place}-wal", f"{place}-journal"]
    asked = json.dumps([piece.hex() for piece in pieces])
    try:
        done = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=LOOKING_SECONDS, check=True)
        return len(pieces), len(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None, 0
