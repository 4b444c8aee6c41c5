"""The audit log: who did what to whom, when, and what came of it. Never a picture, an embedding or a key."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from common.errors import BadArgument
from db import checks, clock
from db import names as naming
from db.connections import Connections
from db.keys import SHAPE
from db.schema import audit_entries

MOST_DETAILS = 16
MAX_DETAILS_BYTES = 4096
PORTION = 500  # entries that one transaction removes


@dataclass(frozen=True)
class Entry:
    """One line of the log.

    Attributes:
        actor: who did it, such as "key 3f9a2b1c4d5e" or "command line: ann".
        action: what, such as "person.delete".
        outcome: "ok", or what came of it instead.
        gallery, person: whom it is about, by the names of then.
        request_id: that of the request.
        details: a few numbers, truth values and short texts.
        moment: in UTC; of an entry that is stored.
        id: number within the database; of an entry that is stored.
    """

    actor: str
    action: str
    outcome: str = "ok"
    gallery: str | None = None
    person: str | None = None
    request_id: str | None = None
    details: dict[str, Any] | None = None
    moment: datetime | None = None
    id: int | None = None


class Audit:
    """The audit log of a database. May be used from several threads; each method raises DatabaseError."""

    def __init__(self, connections: Connections):
        self._connections = connections

    def append(self, *entries: Entry) -> None:
        """Add entries, all or none, with the moment of now.

        Raises:
            BadArgument: an entry is not as :class:`Entry` says, is too large, or holds an API key.
            BadName: what cannot be a person's or gallery's name.
        """
        rows = [_row(entry) for entry in entries]

        def work(connection: sa.Connection) -> None:
            moment = clock.read(connection)
            connection.execute(sa.insert(audit_entries), [row | {"moment": moment} for row in rows])

        if rows:
            self._connections.write(work)

    def entries(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        gallery: str | None = None,
        person: str | None = None,
        request_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """Entries that match all that is given, the latest first.

        Args:
            since, until: moments with a time zone; ``since`` itself counts, ``until`` does not.
            before: only entries older than the one of this id: the last of the page before.
            limit: at most so many, up to 1000.

        Raises:
            BadArgument: out of range.
        """
        equal = {"actor": actor, "action": action, "gallery": gallery, "person": person, "request_id": request_id}
        conditions = [
            audit_entries.c[name] == naming.normalised(str(value)) for name, value in equal.items() if value is not None
        ]
        if since is not None:
            conditions.append(audit_entries.c.moment >= checks.moment(since, "The beginning of a span of time"))
        if until is not None:
            conditions.append(audit_entries.c.moment < checks.moment(until, "The end of a span of time"))
        if before is not None:
            conditions.append(audit_entries.c.id < checks.positive(before, "The id of an entry"))
        selected = sa.select(*_columns).where(*conditions).order_by(audit_entries.c.id.desc())
        limited = selected.limit(checks.page(limit))
        return self._connections.read(lambda connection: [_entry(row) for row in connection.execute(limited)])

    def expire(self, older_than: timedelta) -> int:
        """Remove entries above an age, portion by portion; how many.

        Raises:
            BadArgument: not an age.
        """
        older_than, removed = checks.age(older_than, "The age of entries"), 0

        def work(connection: sa.Connection) -> int:
            old = audit_entries.c.moment < clock.read(connection) - older_than
            chosen = sa.select(audit_entries.c.id).where(old).order_by(audit_entries.c.moment).limit(PORTION)
            ids = connection.scalars(chosen).all()
            if ids:
                connection.execute(sa.delete(audit_entries).where(audit_entries.c.id.in_(ids)))
            return len(ids)

        while portion := self._connections.write(work):
            removed += portion
        if removed:
            self._connections.erase_log()
        return removed


_columns = (
    audit_entries.c.actor, audit_entries.c.action, audit_entries.c.outcome, audit_entries.c.gallery,
    audit_entries.c.person, audit_entries.c.request_id, audit_entries.c.details, audit_entries.c.moment,
    audit_entries.c.id,
)  # fmt: skip


def _entry(row: sa.Row) -> Entry:
    return Entry(*row[:7], clock.told(row.moment), row.id)


def _row(entry: Entry) -> dict[str, Any]:
    if not isinstance(entry, Entry):
        raise BadArgument(f"Expected a db.audit.Entry, not {type(entry).__name__}.")
    row = {
        "actor": checks.text(entry.actor, "The actor of an entry"),
        "action": checks.word(entry.action, "The action of an entry"),
        "outcome": checks.word(entry.outcome, "The outcome of an entry"),
        "gallery": None if entry.gallery is None else naming.clean(entry.gallery, "gallery"),
        "person": None if entry.person is None else naming.clean(entry.person),
        "request_id": None if entry.request_id is None else checks.text(entry.request_id, "A request id", 64),
        "details": _details(entry.details),
    }
    _refuse_keys([*(row[name] for name in row if name != "details"), *(entry.details or {}).values()])
    return row


def _details(details: dict[str, Any] | None) -> dict[str, Any] | None:
    """Values one by one: what has rows of numbers in it could be an embedding, and long text a picture."""
    checks.document(details, "What goes with an entry", MAX_DETAILS_BYTES)
    if details is None:
        return None
    plain = all(
        isinstance(name, str) and isinstance(value, (str, int, float, bool, type(None)))
        and not (isinstance(value, str) and len(value) > checks.MAX_CHARACTERS)
        for name, value in details.items()
    )  # fmt: skip
    if not plain or len(details) > MOST_DETAILS:
        raise BadArgument(
            f"What goes with an entry is at most {MOST_DETAILS} numbers, truth values and texts of up to "
            f"{checks.MAX_CHARACTERS} characters; never lists."
        )
    return details


def _refuse_keys(values: Iterable[Any]) -> None:
    if any(isinstance(value, str) and SHAPE.search(value) for value in values):
        raise BadArgument("An entry of the audit log must not hold an API key: name it by its id.")
