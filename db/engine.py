"""A database URL as a SQLAlchemy engine that is safe for several threads and processes."""

import math
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from common.errors import DatabaseError, MissingDependency
from db import failures, urls

POOL = {"pool_size": 8, "max_overflow": 24}  # connections kept, and made above that for as long as they are needed

IDLE_SECONDS = 1.0  # after which a connection is asked whether it is alive

_creating = threading.Lock()


def create(
    url: str, timeout: float, password_file: str | Path | None, patient: bool = False
) -> tuple[sa.Engine, str]:
    """The engine of a URL, and the place that errors name (never with user or password).

    ``patient`` lets statements to a server take as long as they need.

    Raises:
        BadArgument, MissingDependency, DatabaseError: as :func:`db.open`.
    """
    parsed = urls.parse(url)
    if parsed.drivername == "sqlite":
        return _sqlite(parsed, timeout)
    return _mysql(parsed, timeout, password_file, patient), urls.place(parsed)


def _mysql(url: sa.URL, timeout: float, password_file: str | Path | None, patient: bool) -> sa.Engine:
    try:
        import mysql.connector  # noqa: F401
    except ImportError:
        raise MissingDependency(
            "mysql:// needs the package mysql-connector-python: pip install 'insightface-tensorflow[mysql]'."
        ) from None
    # Of a call's time, connecting and each statement may take half; and waiting for a lock a third, to be repeated.
    half, third = max(1, math.ceil(timeout / 2)), max(1, int(timeout / 3))
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "collation": "utf8mb4_bin",  # the connector's own default is unknown to MariaDB before 11.4
        "connection_timeout": half,
        "init_command": f"SET SESSION innodb_lock_wait_timeout = {third}",
        **urls.ssl_arguments(url),
    }
    if not patient:
        arguments |= {"read_timeout": max(half, third + 1), "write_timeout": half}
    if "unix_socket" in url.query:
        arguments["unix_socket"] = url.query["unix_socket"]
    password = urls.password(url, password_file)
    engine = sa.create_engine(
        url.set(drivername="mysql+mysqlconnector", password=password or "", query={}),
        isolation_level="REPEATABLE READ",  # the reads of one transaction see one state
        hide_parameters=True,
        pool_timeout=timeout,
        connect_args=arguments,
        **POOL,
    )
    sa.event.listen(engine, "handle_error", _recognize_loss)
    sa.event.listen(engine, "checkin", _note_use)
    sa.event.listen(engine, "checkout", _check_liveness)
    if urls.requires_tls(url):
        sa.event.listen(engine, "connect", _require_tls)
    return engine


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _check_liveness(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Have a connection that lay idle replaced where it is dead. A question costs as much as asking for a revision, so
    one that was just used is not asked; if it is dead all the same, the call is made again."""
    if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_SECONDS:
        return
    try:
        connection.ping(reconnect=False)
    except Exception:
        raise DisconnectionError from None


def _recognize_loss(context: sa.engine.ExceptionContext) -> None:
    """Have a lost connection thrown away. SQLAlchemy does not know all errors that tell of one, such as the driver's
    own time-out, and would wait for another to end the transaction."""
    if failures.is_lost(context.original_exception):
        context.is_disconnect = True


def _require_tls(connection: Any, _record: object) -> None:
    """The client's own knowledge: whoever sits between could give the server's answer to any question."""
    extension = getattr(connection, "_cmysql", None)  # the C extension does not tell is_secure
    if not (extension.get_ssl_cipher() if extension else connection.is_secure):
        connection.close()
        raise DatabaseError("The server offers no TLS, which ssl_mode or ssl_ca asks for: set it up there.")


def _sqlite(url: sa.URL, timeout: float) -> tuple[sa.Engine, str]:
    in_memory = url.database in (None, "", ":memory:")
    if in_memory:
        # One connection that transactions take in turns: a second one would see another, empty database.
        url, place = sa.URL.create("sqlite"), "sqlite://"
        pool = {"pool_size": 1, "max_overflow": 0}
    else:
        path = Path(url.database).expanduser().absolute()
        _create_file(path)
        url, place = sa.URL.create("sqlite", database=str(path)), str(path)
        pool = POOL
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_timeout=timeout,
        connect_args={"timeout": timeout, "check_same_thread": False},
        **pool,
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine, place


def _create_file(path: Path) -> None:
    """Make the file and its folders, for their owner only; SQLite gives its side files the same rights."""
    try:
        with _creating:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Only a file that is new is opened: closing an existing one would drop the locks that the
            # connections of other threads hold on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
            if not os.path.lexists(path):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        pass  # another process was faster, or a file stands where a folder should
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DatabaseError(
            f"{path}: cannot be made ({reason}): give a path that this user may write."
        ) from None
    if not path.is_file():
        raise DatabaseError(f"{path}: is a folder or no regular file: give the path of a file.")


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin says, not where the driver thinks
    for setting in (
        "page_size=16384",  # of a new file: holds 7 embeddings of 512 values, the usual 4096 only 1
        "foreign_keys=ON",
        "synchronous=FULL",  # what was reported as stored survives a power cut; writes are rare
        "secure_delete=ON",  # deleted embeddings are overwritten, not just unlinked
        "trusted_schema=OFF",  # the file may come from anywhere
    ):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
