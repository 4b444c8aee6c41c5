"""Steps of revisions that do nothing where they are done already, as after an interruption on MySQL."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_autoincrement": True,
}

# Types as the revisions up to now use them.
identifier = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
blob = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
moment = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
name = sa.String(255)


def has_table(table: str) -> bool:
    """Whether a table is there."""
    return sa.inspect(op.get_bind()).has_table(table)


def columns(table: str) -> set[str]:
    """The names of a table's columns."""
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}


def create_table(table: str, *parts: sa.schema.SchemaItem) -> None:
    """Create a table unless it is there. A table and its indexes come with one statement on MySQL."""
    if not has_table(table):
        op.create_table(table, *parts, **OPTIONS)


def add_column(table: str, column: sa.Column) -> None:
    """Add a column unless it is there."""
    if column.name not in columns(table):
        op.add_column(table, column)


def create_index(index: str, table: str, *names: str) -> None:
    """Create an index unless one of that name is there."""
    if index not in {each["name"] for each in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(index, table, list(names))


def drop_table(table: str) -> None:
    """Drop a table if it is there."""
    if has_table(table):
        op.drop_table(table)


def in_batches(ids: sa.Select, work: Callable[[list], None], size: int = 500) -> None:
    """``work`` on the rows of a select of (id, ...), ordered by id, ``size`` at a time."""
    connection, last = op.get_bind(), 0
    column = ids.selected_columns[0]
    while rows := connection.execute(ids.where(column > last).order_by(column).limit(size)).all():
        work(rows)
        last = rows[-1][0]
