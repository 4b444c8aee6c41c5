"""API keys: who may use the service, and for what.

    key, secret = database.keys.create("door camera", "read")     # the secret is shown this once
    key = database.keys.check(secret)                             # on every request
    if key.allows("enrol", "staff"): ...

A key reads ``rk_ID_SECRET``. The id is public and finds the row; the secret is 256 bits of the system's random
numbers, of which the SHA-256 is stored. Slow hashes (scrypt, argon2) protect what people choose and attackers guess:
there is nothing to guess in 256 random bits, so they would cost time and add nothing.
"""

import hmac
import re
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa

from common.errors import KeyRefused, UnknownChoice, UnknownGallery, UnknownKey
from db import checks, clock
from db import names as naming
from db.connections import Connections
from db.remembered import Remembered
from db.schema import api_keys, gallery_names, now

ROLES = ("read", "enrol", "admin")  # each may do what those before it may
SHAPE = re.compile("rk_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)
LONGEST = 80  # characters, of SHAPE: longer ones are refused unread
KEPT_SECONDS = 5.0  # for which an answer of the database is taken as true
COARSE = timedelta(minutes=1)  # to which the last use is told
REFUSED = "The API key is not valid: check that it was copied whole, or create another one: recognizer keys create"


@dataclass(frozen=True)
class Key:
    """An API key without its secret.

    Attributes:
        id: the part of it that is public.
        name: what it is for.
        role: one of :data:`ROLES`.
        gallery: the only one that it may be used with, by its name of now; None: all of them.
        created, expires, revoked: in UTC; None: never.
        last_used: in UTC, to the minute.
        orphaned: whether its gallery was deleted, after which it is refused.
    """

    id: str
    name: str
    role: str
    gallery: str | None
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None
    orphaned: bool = False

    def allows(self, role: str, gallery: str | None = None) -> bool:
        """Whether it may do what needs ``role`` with a gallery, or with the database as a whole (None)."""
        return ROLES.index(self.role) >= ROLES.index(_role(role)) and self.gallery in (None, gallery)

    def state(self, moment: datetime | None = None) -> str:
        """ "active", "revoked", "expired" or "orphaned", now or at a ``moment``."""
        if self.revoked is not None:
            return "revoked"
        if self.expires is not None and self.expires <= (moment or datetime.now(UTC)):
            return "expired"
        return "orphaned" if self.orphaned else "active"


class NewKey(NamedTuple):
    """A key that was just made, and the secret text that is its only copy."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key!r})"


@dataclass(frozen=True)
class _Held:
    key: Key
    digest: str = field(repr=False)


class Keys:
    """The API keys of a database. May be used from several threads; each method raises DatabaseError."""

    def __init__(self, connections: Connections):
        self._connections = connections
        self._held: Remembered[_Held] = Remembered()
        self._used: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def create(self, name: str, role: str, gallery: str | None = None, expires: datetime | None = None) -> NewKey:
        """A new key. Its secret is nowhere else than in the answer.

        Args:
            name: what it is for, 1 to 255 printable characters.
            role: one of :data:`ROLES`.
            gallery: the only one that it may be used with. It stays that one when it is renamed, and is the one
                that has its name after a switch.
            expires: from when on it is refused, with a time zone.

        Raises:
            UnknownChoice: no such role. UnknownGallery, BadName, BadArgument.
        """
        public, secret = secrets.token_hex(6), secrets.token_hex(32)
        values = {
            "public_id": public,
            "digest": _digest(secret),
            "name": checks.text(name, "The name of a key"),
            "role": _role(role),
            "expires": None if expires is None else checks.moment(expires, "The expiry of a key"),
        }
        wanted = None if gallery is None else naming.clean(gallery, "gallery")

        def work(connection: sa.Connection) -> Key:
            scope = None if wanted is None else _name_id(connection, wanted)
            row = values | {"gallery_name_id": scope, "created": now()}
            connection.execute(sa.insert(api_keys).values(row))
            return _read(connection, public)[0]

        return NewKey(self._connections.write(work), f"rk_{public}_{secret}")

    def list(self, after: str | None = None, limit: int | None = None) -> list[Key]:
        """All keys, oldest first, those that are revoked or expired among them.

        Args:
            after: the id of a key: only those that were made later.
            limit: so many at most.
        """
        chosen = _selected.order_by(api_keys.c.id).limit(limit)
        if after is not None:
            made = sa.select(api_keys.c.id).where(api_keys.c.public_id == after).scalar_subquery()
            chosen = chosen.where(api_keys.c.id > made)
        return self._connections.read(lambda connection: [_key(row) for row in connection.execute(chosen)])

    def revoke(self, key_id: str) -> Key:
        """Refuse a key from now on: here at once, in other processes within :data:`KEPT_SECONDS`.

        Raises:
            UnknownKey: there is none of that id.
        """

        def work(connection: sa.Connection) -> Key:
            chosen = (api_keys.c.public_id == key_id) & api_keys.c.revoked.is_(None)
            connection.execute(sa.update(api_keys).where(chosen).values(revoked=now()))
            found = _read(connection, key_id)
            if found is None:
                raise UnknownKey(f"There is no API key {naming.excerpt(key_id)}: see recognizer keys list.")
            return found[0]

        if not isinstance(key_id, str) or not re.fullmatch("[0-9a-f]{12}", key_id, re.ASCII):
            raise UnknownKey("The id of an API key is the 12 characters after 'rk_': see recognizer keys list.")
        key = self._connections.write(work)
        self._held.forget(key_id)
        return key

    def check(self, presented: str) -> Key:
        """The key that somebody shows.

        The row is read at most once in :data:`KEPT_SECONDS`, which makes a check a matter of microseconds; nothing
        is written. Ids that are not there are not remembered, so a new key is good at once.

        Raises:
            KeyRefused: it is none, wrong, revoked, expired, or of a gallery that was deleted. Only who has the right
                secret is told which.
        """
        public, secret = _parts(presented)
        held = self._current(public)
        right = hmac.compare_digest(_digest(secret), held.digest if held else _NO_DIGEST)
        if not right or held is None:
            raise KeyRefused(REFUSED)
        return self._good(held.key)

    def of(self, key_id: str) -> Key:
        """The key of an id, for who has shown its secret before, as the owner of a session has.

        The row is read as in :meth:`check`.

        Raises:
            KeyRefused: it is not there, revoked, expired, or of a gallery that was deleted.
        """
        held = self._current(key_id)
        if held is None:
            raise KeyRefused(REFUSED)
        return self._good(held.key)

    def is_held(self, presented: str) -> bool:
        """Whether :meth:`check` answers without asking the database, in microseconds."""
        shaped = _shaped(presented)
        return shaped is None or self.holds(shaped[1])

    def holds(self, key_id: str) -> bool:
        """Whether :meth:`of` answers without asking the database, in microseconds."""
        return self._held.holds(key_id)

    def write_uses(self) -> None:
        """Store when keys were last used, as noted by :meth:`check`: to be called now and then, and at the end."""
        with self._lock:
            used, self._used = self._used, {}

        def work(connection: sa.Connection) -> None:
            for public, moment in used.items():
                later = api_keys.c.last_used.is_(None) | (api_keys.c.last_used < moment)
                chosen = (api_keys.c.public_id == public) & later
                connection.execute(sa.update(api_keys).where(chosen).values(last_used=moment))

        if used:
            self._connections.write(work)

    def _good(self, key: Key) -> Key:
        state = key.state()
        if state != "active":
            reason = {"orphaned": "is for a gallery that was deleted"}.get(state, f"is {state}")
            raise KeyRefused(f"The API key {key.id} {reason}: create another one: recognizer keys create")
        self._note(key.id)
        return key

    def _current(self, public: str) -> _Held | None:
        def read() -> _Held | None:
            found = self._connections.read(lambda connection: _read(connection, public))
            return None if found is None else _Held(*found)

        return self._held.get(public, read, KEPT_SECONDS)

    def _note(self, public: str) -> None:
        moment = now().replace(second=0, microsecond=0)
        if self._used.get(public) != moment:
            with self._lock:
                self._used[public] = moment


_selected = sa.select(
    api_keys.c.public_id, api_keys.c.name, api_keys.c.role, gallery_names.c.name.label("gallery"), api_keys.c.created,
    api_keys.c.expires, api_keys.c.revoked, api_keys.c.last_used, api_keys.c.gallery_name_id, api_keys.c.digest,
).outerjoin_from(api_keys, gallery_names, gallery_names.c.id == api_keys.c.gallery_name_id)  # fmt: skip


def _read(connection: sa.Connection, public: str) -> tuple[Key, str] | None:
    """A key and the digest of its secret."""
    row = connection.execute(_selected.where(api_keys.c.public_id == public)).one_or_none()
    return None if row is None else (_key(row), row.digest)


def _key(row: sa.Row) -> Key:
    moments = map(clock.told, (row.created, row.expires, row.revoked, row.last_used))
    orphaned = row.gallery is None and row.gallery_name_id is not None
    return Key(row.public_id, row.name, row.role, row.gallery, *moments, orphaned)


def _parts(presented: str) -> tuple[str, str]:
    shaped = _shaped(presented)
    if shaped is None:
        raise KeyRefused(REFUSED)
    return shaped[1], shaped[2]


def _shaped(presented: str) -> re.Match | None:
    return SHAPE.fullmatch(presented) if isinstance(presented, str) and len(presented) <= LONGEST else None


def _digest(secret: str) -> str:
    return sha256(bytes.fromhex(secret)).hexdigest()


_NO_DIGEST = _digest(secrets.token_hex(32))  # compared with where there is no such key: that takes as long


def _role(role: str) -> str:
    if role not in ROLES:
        raise UnknownChoice(f"Unknown role {role!r:.40}. Expected one of: {', '.join(ROLES)}.")
    return role


def _name_id(connection: sa.Connection, name: str) -> int:
    found = connection.scalar(sa.select(gallery_names.c.id).where(gallery_names.c.name == name))
    if found is None:
        raise UnknownGallery(
            f"Unknown gallery {naming.excerpt(name)}: see recognizer gallery list, or make it first: "
            "recognizer gallery create"
        )
    return found
