"""Which revision a database has: an empty one is set up, an older one is upgraded on request, a newer one refused."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from common.errors import DatabaseError
from db.connections import Connections
from db.schema import tables

REVISIONS = ("0001", "0002", "0003", "0004")  # of db/migrations, oldest first
NEWEST = REVISIONS[-1]
LEDGER = "alembic_version"
FIRST_LEDGER = "schema_version"  # of version 0.1.0, which had no other revision than the first
UNFINISHED = ""  # tables are there, and no revision: setting up was interrupted, on MySQL
LOCK = "insightface-tensorflow upgrade"
LOCK_SECONDS = 60  # it happens once: whatever the timeout


def set_up(connections: Connections) -> None:
    """Create the tables in an empty database; check the revision of one that has them.

    Raises:
        DatabaseError: it holds other tables, or those of another revision.
    """
    connections.use_log()
    revision, is_used = connections.read(lambda connection: _found(connection, connections.place))
    if revision == NEWEST:
        return
    if is_used:
        _require_newest(revision, connections.place)
    _migrate(connections)


def upgrade(connections: Connections) -> tuple[str | None, str]:
    """Bring a database to the newest revision; an interrupted upgrade is taken up again.

    Returns:
        The revisions before (None: it was empty) and after.

    Raises:
        DatabaseError: it holds other tables, or those of a newer revision.
    """
    connections.use_log()
    return _migrate(connections), NEWEST


def found(connection: sa.Connection, place: str) -> str | None:
    """The revision of a database; None where it is empty.

    Raises:
        DatabaseError: it holds tables of something else.
    """
    existing = set(sa.inspect(connection).get_table_names())
    if LEDGER in existing:
        revision = connection.scalar(sa.text(f"SELECT version_num FROM {LEDGER}"))
        if revision is not None:
            return revision
    if FIRST_LEDGER in existing and connection.scalar(sa.text(f"SELECT version FROM {FIRST_LEDGER}")) == 1:
        return REVISIONS[0]
    if existing - set(tables.tables) - {LEDGER, FIRST_LEDGER}:
        raise DatabaseError(
            f"{place}: holds tables of something else and no gallery. Give the gallery a database of its own."
        )
    return UNFINISHED if existing else None


def _found(connection: sa.Connection, place: str) -> tuple[str | None, bool]:
    """The revision of a database, and whether it is for its user to upgrade: another one, with a gallery in it."""
    revision = found(connection, place)
    if revision in (None, UNFINISHED, NEWEST):
        return revision, False
    empty = revision in REVISIONS and connection.scalar(sa.text("SELECT id FROM galleries LIMIT 1")) is None
    return revision, not empty


def _require_newest(revision: str, place: str) -> None:
    if revision == NEWEST:
        return
    if revision in REVISIONS:
        raise DatabaseError(
            f"{place}: has schema version {revision}; this insightface-tensorflow needs {NEWEST}. Make a backup, stop "
            "what still runs the older release, then upgrade it: recognizer db upgrade"
        )
    raise DatabaseError(
        f"{place}: has schema version {str(revision)[:20]!r}, made by a newer insightface-tensorflow; this one knows "
        f"versions up to {NEWEST}. Upgrade insightface-tensorflow, or open another database."
    )


def _migrate(connections: Connections) -> str | None:
    """Run what is missing, alone; the revision before."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    try:
        with _alone(connections), connections.migrating() as connection:
            before = found(connection, connections.place)
            if before not in (None, UNFINISHED) and before not in REVISIONS:
                _require_newest(before, connections.place)
            configuration = Config()
            configuration.set_main_option("script_location", "db:migrations")
            configuration.attributes.update(connection=connection, table=LEDGER)
            if before == REVISIONS[0]:
                command.stamp(configuration, before)
            if before != NEWEST:
                command.upgrade(configuration, NEWEST)
            _check_references(connection)
            return before or None
    except CommandError as error:
        raise DatabaseError(f"{connections.place}: cannot be upgraded: {error}.") from None


@contextmanager
def _alone(connections: Connections) -> Iterator[None]:
    """Keep other upgrades out until this one is stored.

    On SQLite its transaction is the only writer anyway. MySQL commits with every CREATE TABLE, so there a named
    lock is held, on a connection of its own: it must outlast the transaction.
    """
    if connections.is_sqlite:
        yield
        return
    with connections.reading() as connection:
        asking, end = sa.select(sa.func.get_lock(LOCK, connections.lock_seconds)), time.monotonic() + LOCK_SECONDS
        while not connection.scalar(asking):
            if time.monotonic() > end:
                raise DatabaseError(f"{connections.place}: another process is setting up the database: try again.")
        yield
        connection.scalar(sa.select(sa.func.release_lock(LOCK)))


def _check_references(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise DatabaseError("The upgrade would have left rows without what they refer to: nothing was changed.")
