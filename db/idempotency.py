"""Idempotency keys: a request that is sent again gets the answer of the first, and changes nothing.

claim = database.idempotency.claim(scope, key, fingerprint)
if claim.state == "stored":       # answer with claim.answer
elif claim.state == "in progress":  # another process is at it: 409, and when to ask again
else:                             # "new": do it, then
    database.idempotency.complete(claim, Answer(201, {...}, body))
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite

from common.errors import BadArgument, IdempotencyConflict
from db import checks, clock
from db.connections import Connections
from db.schema import idempotency_keys as table

LEASE_SECONDS = 120.0  # after which the one who claimed a key is taken for dead
KEPT_SECONDS = 86_400.0  # for which an answer is given again
MAX_KEY_CHARACTERS = 255
MAX_HEADERS_BYTES = 8192
MAX_BODY_BYTES = 2**20
PORTION = 500  # keys that one transaction removes


@dataclass(frozen=True)
class Answer:
    """What a request was answered with.

    Attributes:
        status: of HTTP.
        headers: those that a repeated answer must have, too.
        body: at most 1 MiB.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Claim:
    """Where a key stands.

    Attributes:
        state: "new": the caller has it, and nobody else; "in progress": another one has it; "stored".
        answer: of the first request, where it is stored.
        wait_seconds: until a key that is in progress is given to somebody else, if it gets no answer.
    """

    state: Literal["new", "in progress", "stored"]
    answer: Answer | None = None
    wait_seconds: float = 0.0
    _digest: str = field(default="", repr=False)
    _owner: str = field(default="", repr=False)


class Idempotency:
    """The idempotency keys of a database. May be used from several threads; each method raises DatabaseError."""

    def __init__(self, connections: Connections):
        self._connections = connections

    def claim(self, scope: str, key: str, fingerprint: str, lease_seconds: float = LEASE_SECONDS) -> Claim:
        """Ask for a key. Of all who ask for the same one at the same time, one gets it.

        Args:
            scope: within which keys are told apart, such as the id of the API key.
            key: what the client sent, 1 to 255 printable characters.
            fingerprint: SHA-256, in hexadecimal, of what makes two requests the same: method, path and body.
            lease_seconds: how long the caller may take, at most. Where it has died, the key is given to the next
                one after that; what it had stored by then stays.

        Raises:
            IdempotencyConflict: the key was used for another request.
            BadArgument: out of range.
        """
        digest, owner = _digest(scope, key), uuid4().hex
        if not isinstance(fingerprint, str) or not checks.SHA256.fullmatch(fingerprint):
            raise BadArgument("The fingerprint of a request is a SHA-256 in hexadecimal.")
        lease = checks.lifetime(lease_seconds, "A lease")

        def work(connection: sa.Connection) -> Claim:
            moment = clock.read(connection)
            mine = {"fingerprint": fingerprint, "owner": owner, "expires": moment + lease}
            connection.execute(_insert_unless_there(connection, {"digest": digest} | mine))
            row = connection.execute(sa.select(table).where(table.c.digest == digest).with_for_update()).one()
            if row.owner != owner and row.expires <= moment:
                empty = {"status": None, "headers": None, "body": None}
                connection.execute(sa.update(table).where(table.c.digest == digest).values(mine | empty))
            elif row.owner != owner:
                return _claimed(row, fingerprint, (row.expires - moment).total_seconds())
            return Claim("new", None, 0.0, digest, owner)

        return self._connections.write(work)

    def complete(self, claim: Claim, answer: Answer, kept_seconds: float = KEPT_SECONDS) -> bool:
        """Keep the answer for whoever asks again. It must not hold a secret, such as a new API key.

        Returns:
            Whether it was kept: not where the lease had run out and somebody else has the key.

        Raises:
            BadArgument: the claim is not of a new key, or the answer is too large.
        """
        kept, values = checks.lifetime(kept_seconds, "The life of an answer"), _answer_values(answer)

        def work(connection: sa.Connection) -> bool:
            row = values | {"owner": None, "expires": clock.read(connection) + kept}
            return bool(connection.execute(sa.update(table).where(_mine(claim)).values(row)).rowcount)

        return self._connections.write(work)

    def release(self, claim: Claim) -> None:
        """Give a key back unanswered: nothing was changed, and the client may try again with it."""
        mine = _mine(claim)
        self._connections.write(lambda connection: connection.execute(sa.delete(table).where(mine)) and None)

    def expire(self) -> int:
        """Remove keys whose time is over, portion by portion; how many."""
        removed = 0

        def work(connection: sa.Connection) -> int:
            over = table.c.expires <= clock.read(connection)
            chosen = sa.select(table.c.digest).where(over).order_by(table.c.expires).limit(PORTION)
            digests = connection.scalars(chosen).all()
            if not digests:
                return 0
            return connection.execute(sa.delete(table).where(table.c.digest.in_(digests), over)).rowcount

        while portion := self._connections.write(work):
            removed += portion
        if removed:
            self._connections.erase_log()
        return removed


def _digest(scope: str, key: str) -> str:
    scope = checks.text(scope, "The scope of an idempotency key")
    key = checks.text(key, "An idempotency key", MAX_KEY_CHARACTERS)
    return sha256(f"{scope}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()


def _insert_unless_there(connection: sa.Connection, values: dict[str, Any]) -> sa.Insert:
    """On a server it waits for whoever is inserting the same key, and then holds a lock on the row that may change it:
    a plain INSERT that fails leaves a shared lock, on which two of them would deadlock."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).values(values).on_conflict_do_nothing()
    return mysql.insert(table).values(values).on_duplicate_key_update(digest=table.c.digest)


def _claimed(row: sa.Row, fingerprint: str, seconds: float) -> Claim:
    if row.fingerprint != fingerprint:
        raise IdempotencyConflict(
            "This idempotency key was used for another request: take a new one for each request, and the same one only "
            "to send the same request again."
        )
    if row.status is None:
        return Claim("in progress", wait_seconds=max(0.0, seconds))
    return Claim("stored", Answer(row.status, row.headers or {}, bytes(row.body or b"")))


def _mine(claim: Claim) -> sa.ColumnElement[bool]:
    if not isinstance(claim, Claim) or claim.state != "new":
        raise BadArgument("Only a claim whose state is 'new' can be completed or released.")
    return (table.c.digest == claim._digest) & (table.c.owner == claim._owner)


def _answer_values(answer: Answer) -> dict[str, Any]:
    if not isinstance(answer.body, bytes) or len(answer.body) > MAX_BODY_BYTES:
        raise BadArgument(f"The body of an answer that is kept is bytes, at most {MAX_BODY_BYTES}.")
    return {
        "status": checks.positive(answer.status, "The status of an answer"),
        "headers": checks.document(answer.headers, "The headers of an answer", MAX_HEADERS_BYTES),
        "body": answer.body,
    }
