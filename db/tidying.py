"""Removing what has had its time, of all that the service keeps: to be called about once a minute."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from db import undo

if TYPE_CHECKING:
    from db.database import Database


@dataclass(frozen=True)
class Tidied:
    """How many rows were removed: people who were kept for undoing, idempotency keys, jobs, audit entries, sessions."""

    undo: int
    idempotency: int
    jobs: int
    audit: int
    sessions: int


def tidy(database: "Database", jobs_age: timedelta, audit_age: timedelta | None) -> Tidied:
    """See :meth:`db.database.Database.tidy`."""
    database.keys.write_uses()
    database.sessions.write_uses()
    return Tidied(
        undo.purge(database._connections),
        database.idempotency.expire(),
        database.jobs.expire(jobs_age),
        0 if audit_age is None else database.audit.expire(audit_age),
        database.sessions.expire(),
    )
