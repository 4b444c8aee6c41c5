"""A database URL as a SQLAlchemy engine that is safe for several threads and processes."""

import os
import sqlite3
import threading
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from common.errors import BadArgument, DatabaseError, MissingDependency

BUSY_SECONDS = 30.0  # how long a transaction waits for another one to end
CONNECT_SECONDS = 10

MYSQL_QUERIES = (set(), {"ssl_ca"}, {"ssl_cert", "ssl_key"}, {"ssl_ca", "ssl_cert", "ssl_key"})

_creating = threading.Lock()


def create(url: str) -> tuple[sa.Engine, str]:
    """The engine of a URL, and the place that errors name (never with user or password).

    Raises:
        BadArgument, MissingDependency, DatabaseError: as :func:`db.open`.
    """
    parsed = _parse(url)
    if parsed.drivername == "sqlite":
        return _sqlite(parsed)
    return _mysql(parsed)


def _parse(url: str) -> sa.URL:
    expected = (
        "Expected sqlite:////path/people.db, sqlite:// (in memory) or mysql://user:password@host/database"
    )
    if not isinstance(url, str):
        raise BadArgument(f"{expected}, not {type(url).__name__}.")
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):  # its message would repeat the URL, and with it the password
        raise BadArgument(f"This is not a database URL. {expected}.") from None
    if parsed.drivername not in ("sqlite", "mysql", "mysql+mysqlconnector"):
        raise BadArgument(
            f"Unknown kind of database {parsed.drivername[:20]!r}. {expected}; MariaDB is mysql://, too."
        )
    if parsed.drivername == "sqlite" and ("?" in url or parsed.host or parsed.username):
        raise BadArgument(f"An SQLite URL holds a path only, without '?'. {expected}.")
    if parsed.drivername != "sqlite" and not (parsed.host and parsed.database):
        raise BadArgument(f"A MySQL URL must name a host and a database. {expected}.")
    if set(parsed.query) not in MYSQL_QUERIES:
        raise BadArgument(f"Only ssl_ca, and ssl_cert with ssl_key, may follow '?'. {expected}.")
    return parsed


def _mysql(url: sa.URL) -> tuple[sa.Engine, str]:
    try:
        import mysql.connector  # noqa: F401
    except ImportError:
        raise MissingDependency(
            "mysql:// needs the package mysql-connector-python: pip install 'insightface-tensorflow[mysql]'."
        ) from None
    engine = sa.create_engine(
        url.set(drivername="mysql+mysqlconnector"),
        isolation_level="REPEATABLE READ",  # the reads of one transaction see one state
        hide_parameters=True,
        pool_pre_ping=True,
        # The connector's own default collation is unknown to MariaDB before 11.4.
        connect_args={
            "charset": "utf8mb4",
            "collation": "utf8mb4_bin",
            "connection_timeout": CONNECT_SECONDS,
        },
    )
    port = f":{url.port}" if url.port else ""
    return engine, f"mysql://{url.host}{port}/{url.database}"


def _sqlite(url: sa.URL) -> tuple[sa.Engine, str]:
    in_memory = url.database in (None, "", ":memory:")
    if in_memory:
        # One connection that transactions take in turns: a second one would see another, empty database.
        url, place = sa.URL.create("sqlite"), "sqlite://"
        pool = {"pool_size": 1, "max_overflow": 0}
    else:
        path = Path(url.database).expanduser().absolute()
        _create_file(path)
        url, place = sa.URL.create("sqlite", database=str(path)), str(path)
        pool = {}
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
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
