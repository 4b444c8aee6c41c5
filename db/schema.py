"""The tables, and how an empty database gets them.

Types and collation are such that SQLite, MySQL and MariaDB keep the same values and tell names apart alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from common.errors import DatabaseError
from db.connections import Connections

VERSION = 1
SETUP_LOCK = "insightface-tensorflow setup"
SETUP_SECONDS = 30

_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite numbers only INTEGER keys by itself
_blob = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")
_moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")  # naive, in UTC
_name = sa.String(255)

tables = sa.MetaData()

# utf8mb4_bin exists on MySQL and MariaDB alike and tells case and accents apart. No id is given out twice:
# InnoDB keeps its counter, SQLite does so with AUTOINCREMENT.
_options = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_autoincrement": True,
}

schema_version = sa.Table(
    "schema_version",
    tables,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    **_options,
)

galleries = sa.Table(
    "galleries",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("name", _name, nullable=False, unique=True),
    sa.Column("model_name", _name, nullable=False),
    sa.Column("model_digest", _name, nullable=False),
    sa.Column("dimension", sa.Integer, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("threshold", sa.Double),
    sa.Column("threshold_far", sa.Double),
    sa.Column("created", _moment, nullable=False),
    **_options,
)

persons = sa.Table(
    "persons",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("gallery_id", _id, sa.ForeignKey("galleries.id"), nullable=False),
    sa.Column("name", _name, nullable=False),
    sa.Column("metadata", sa.JSON(none_as_null=True)),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("created", _moment, nullable=False),
    sa.UniqueConstraint("gallery_id", "name", name="persons_name"),
    sa.Index("persons_revision", "gallery_id", "revision"),
    **_options,
)

faces = sa.Table(
    "faces",
    tables,
    sa.Column("id", _id, primary_key=True),
    sa.Column("person_id", _id, sa.ForeignKey("persons.id"), nullable=False, index=True),
    sa.Column("embedding", _blob, nullable=False),
    sa.Column("crop", _blob),
    sa.Column("source", sa.Text),
    sa.Column("score", sa.Double),
    sa.Column("created", _moment, nullable=False),
    **_options,
)

templates = sa.Table(
    "templates",
    tables,
    sa.Column("person_id", _id, sa.ForeignKey("persons.id"), primary_key=True, autoincrement=False),
    sa.Column("mean", _blob, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    **_options,
)

deletions = sa.Table(
    "deletions",
    tables,
    sa.Column("gallery_id", _id, sa.ForeignKey("galleries.id"), primary_key=True, autoincrement=False),
    sa.Column("person_id", _id, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Index("deletions_revision", "gallery_id", "revision"),
    **_options,
)


def now() -> datetime:
    """The moment as the tables keep it: UTC without a time zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def set_up(connections: Connections) -> None:
    """Create the tables in an empty database; check the version of one that has them.

    Raises:
        DatabaseError: it holds other tables, or those of another version.
    """
    connections.use_log()
    with connections.reading() as connection:
        version = _version(connection, connections.place)
    if version is None:
        with connections.writing() as connection, _alone(connection):
            version = _version(connection, connections.place)
            if version is None:
                tables.create_all(connection)
                connection.execute(schema_version.insert().values(version=VERSION))
                version = VERSION
    if version > VERSION:
        raise DatabaseError(
            f"{connections.place}: has schema version {version}, made by a newer insightface-tensorflow; "
            f"this one knows version {VERSION}. Upgrade it, or open another database."
        )
    if version < VERSION:
        raise DatabaseError(
            f"{connections.place}: has schema version {version}; this insightface-tensorflow needs "
            f"{VERSION} and cannot upgrade it. Use the release that made it, or open another database."
        )


def _version(connection: sa.Connection, place: str) -> int | None:
    """The version found; None where the tables are still to be made."""
    existing = set(sa.inspect(connection).get_table_names())
    version = None
    if schema_version.name in existing:
        version = connection.scalar(sa.select(sa.func.max(schema_version.c.version)))
    if version is None and existing - set(tables.tables):
        raise DatabaseError(
            f"{place}: holds tables of something else and no gallery. Give the gallery a database of its own."
        )
    return version


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Keep other first users out. On SQLite the transaction does; MySQL commits with every CREATE TABLE."""
    if connection.dialect.name == "sqlite":
        yield
        return
    if not connection.scalar(sa.select(sa.func.get_lock(SETUP_LOCK, SETUP_SECONDS))):
        raise DatabaseError("Another process has been setting up the database for too long: try again.")
    try:
        yield
    finally:
        connection.scalar(sa.select(sa.func.release_lock(SETUP_LOCK)))
