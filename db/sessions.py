"""Sessions: who has signed in to the web pages with an API key. A browser shows the token in a cookie.

    token = database.sessions.create(key.id, 43_200)
    key = database.sessions.check(token)            # on every request
    database.sessions.end(token)

A token reads ``rs_SECRET``: 256 bits of the system's random numbers, of which the SHA-256 is stored. A session may do
what its key may do at that moment, and ends with it.
"""

import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256

import sqlalchemy as sa

from common.errors import KeyRefused, UnknownKey
from db import checks, clock
from db.connections import Connections
from db.keys import Key, Keys
from db.remembered import Remembered
from db.schema import api_keys, sessions

SHAPE = re.compile("rs_([0-9a-f]{64})", re.ASCII)
LONGEST = 67  # characters, of SHAPE
KEPT_SECONDS = 5.0  # for which an answer of the database is taken as true
IDLE_SECONDS = 7200.0  # without use, after which a session is over
SEEN_SECONDS = 60.0  # within which a use is not noted again
REMEMBERED = timedelta(hours=12)  # that a session which is over is told from one that never was, which is a guess
PORTION = 500  # sessions that one transaction removes
REFUSED = "The session is not valid: sign in again."
OVER = "The session is over: sign in again."


@dataclass(frozen=True)
class _Held:
    key_id: str
    digest: str = field(repr=False)
    seen: float  # by time.time, as is the end: it goes on while a machine sleeps
    ends: float


class Sessions:
    """The sessions of a database. May be used from several threads; each method raises DatabaseError."""

    def __init__(self, connections: Connections, keys: Keys):
        self._connections, self._keys = connections, keys
        self._held: Remembered[_Held] = Remembered()
        self._seen: dict[str, float] = {}  # by digest: uses that are not stored yet, by time.time
        self._lock = threading.Lock()

    def create(self, key_id: str, seconds: float) -> str:
        """The token of a new session of a key, which is nowhere else than in the answer.

        Args:
            key_id: the public part of the key.
            seconds: after which it ends, at most a week.

        Raises:
            UnknownKey: there is none of that id. BadArgument: not such a time.
        """
        token, life = f"rs_{secrets.token_hex(32)}", checks.lifetime(seconds, "The life of a session")

        def work(connection: sa.Connection) -> str:
            moment = clock.read(connection)
            times = {"created": moment, "last_seen": moment, "ends": moment + life}
            row = {"digest": _digest(token), "key_id": _owner(connection, key_id)} | times
            connection.execute(sa.insert(sessions).values(row))
            return token

        return self._connections.write(work)

    def check(self, token: str) -> Key:
        """The key of a session, which is good at this moment.

        The row is read at most once in :data:`KEPT_SECONDS`, as that of the key is; nothing is written.

        Raises:
            KeyRefused: there is no such session; or it is over, by its time, by :data:`IDLE_SECONDS` without use, by
                its end, or because its key is revoked, expired, or of a gallery that was deleted.
        """
        digest = _digest(token)
        if digest is None:
            raise KeyRefused(REFUSED)
        held = self._current(digest)
        right = hmac.compare_digest(digest, held.digest if held else _NO_DIGEST)
        if not right or held is None:
            raise KeyRefused(REFUSED)
        moment = time.time()
        seen = max(held.seen, self._seen.get(digest, 0.0))
        if moment >= held.ends or moment - seen >= IDLE_SECONDS:
            raise KeyRefused(OVER)
        key = self._keys.of(held.key_id)
        if moment - seen >= SEEN_SECONDS:
            with self._lock:
                self._seen[digest] = moment
        return key

    def is_held(self, token: str) -> bool:
        """Whether :meth:`check` answers without asking the database, in microseconds."""
        digest = _digest(token)
        if digest is None:
            return True
        held = self._current(digest) if self._held.holds(digest) else None
        return held is not None and self._keys.holds(held.key_id)

    def end(self, token: str) -> None:
        """End a session: here at once, elsewhere within :data:`KEPT_SECONDS`. Without effect where there is none."""
        digest = _digest(token)
        if digest is not None:
            self._connections.write(lambda connection: _end(connection, digest))
            self._held.forget(digest)

    def write_uses(self) -> None:
        """Store when sessions were last used, as noted by :meth:`check`: to be called now and then, and at the end."""
        with self._lock:
            seen = dict(self._seen)

        def work(connection: sa.Connection) -> None:
            now, here = clock.read(connection), time.time()
            for digest, moment in seen.items():
                told = now - timedelta(seconds=here - moment)
                chosen = (sessions.c.digest == digest) & (sessions.c.last_seen < told)
                connection.execute(sa.update(sessions).where(chosen).values(last_seen=told))

        if seen:
            self._connections.write(work)
        with self._lock:
            self._seen = {digest: moment for digest, moment in self._seen.items() if moment != seen.get(digest)}

    def expire(self) -> int:
        """Remove sessions that have been over for :data:`REMEMBERED`, portion by portion; how many."""
        removed = 0

        def work(connection: sa.Connection) -> int:
            old = sessions.c.ends <= clock.read(connection) - REMEMBERED
            chosen = sa.select(sessions.c.id).where(old).order_by(sessions.c.ends).limit(PORTION)
            ids = connection.scalars(chosen).all()
            return connection.execute(sa.delete(sessions).where(sessions.c.id.in_(ids))).rowcount if ids else 0

        while portion := self._connections.write(work):
            removed += portion
        return removed

    def _current(self, digest: str) -> _Held | None:
        return self._held.get(digest, lambda: self._connections.read(lambda one: _read(one, digest)), KEPT_SECONDS)


_selected = sa.select(
    api_keys.c.public_id, sessions.c.digest, sessions.c.last_seen, sessions.c.ends,
).join_from(sessions, api_keys, api_keys.c.id == sessions.c.key_id)  # fmt: skip


def _read(connection: sa.Connection, digest: str) -> _Held | None:
    row = connection.execute(_selected.where(sessions.c.digest == digest)).one_or_none()
    if row is None:
        return None
    moments = (row.last_seen, row.ends)
    now, here = clock.read(connection), time.time()
    return _Held(row.public_id, row.digest, *(here + (moment - now).total_seconds() for moment in moments))


def _end(connection: sa.Connection, digest: str) -> None:
    moment = clock.read(connection)
    is_going_on = (sessions.c.digest == digest) & (sessions.c.ends > moment)
    connection.execute(sa.update(sessions).where(is_going_on).values(ends=moment))


def _owner(connection: sa.Connection, key_id: str) -> int:
    found = connection.scalar(sa.select(api_keys.c.id).where(api_keys.c.public_id == str(key_id)))
    if found is None:
        raise UnknownKey("There is no API key of that id: see recognizer keys list.")
    return found


def _digest(token: str) -> str | None:
    """The SHA-256 of a token; None where it has not the shape of one."""
    shaped = SHAPE.fullmatch(token) if isinstance(token, str) and len(token) <= LONGEST else None
    return None if shaped is None else sha256(bytes.fromhex(shaped[1])).hexdigest()


_NO_DIGEST = sha256(secrets.token_bytes(32)).hexdigest()  # compared with where there is no such session
