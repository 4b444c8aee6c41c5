"""The clock by which leases, expiries and ages are told: one for everybody who uses a database."""

from datetime import UTC, datetime

import sqlalchemy as sa

from db.schema import now


def read(connection: sa.Connection) -> datetime:
    """The moment, as the tables keep it: UTC without a time zone.

    It is the server's, whose clients' clocks may differ; a file of SQLite is used on one machine.
    """
    if connection.dialect.name == "sqlite":
        return now()
    return connection.scalar(sa.select(sa.func.utc_timestamp(6)))


def told(moment: datetime | None) -> datetime | None:
    """A moment of the tables as callers get it: with its time zone."""
    return None if moment is None else moment.replace(tzinfo=UTC)
