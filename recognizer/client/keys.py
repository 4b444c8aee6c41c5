"""API keys and the audit log: for an admin whose own key is for all galleries."""

from collections.abc import Iterator
from datetime import datetime

from recognizer.client.addresses import path
from recognizer.client.answers import content
from recognizer.client.asking import Asking
from recognizer.client.reading import read
from recognizer.client.results import AuditEntry, Key, MadeKey, Role


class Keys(Asking):
    """See :class:`recognizer.client.Client`."""

    def keys(self, *, page_size: int = 100) -> Iterator[Key]:
        """All keys, oldest first, those that are revoked or expired among them. No secrets."""
        return self._pages(Key, path("keys"), "keys", {"limit": page_size})

    def create_key(
        self,
        name: str,
        role: Role = "read",
        *,
        gallery: str | None = None,
        expires: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> MadeKey:
        """Make a key, whose ``secret`` is in this answer and nowhere else.

        Args:
            name: what it is for.
            gallery: the only one that it is for; None: all.
            expires: with a time zone; None: never.
        """
        wanted = {"name": name, "role": role, "gallery": gallery, "expires": expires and expires.isoformat()}
        return read(MadeKey, content(self._write("POST", path("keys"), None, idempotency_key, json=wanted)))

    def revoke_key(self, key: Key | str, *, idempotency_key: str | None = None) -> Key:
        """Refuse a key, or that of an id, from now on. Raises ServiceRefused: unknown_key."""
        public = key.id if isinstance(key, Key) else key
        return read(Key, content(self._write("DELETE", path("keys", public), None, idempotency_key)))

    def audit(
        self,
        *,
        person: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        gallery: str | None = None,
        request_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 100,
    ) -> Iterator[AuditEntry]:
        """Entries that match all that is asked for, the latest first; ``since`` counts itself, ``until`` does not."""
        asked = {
            "person": person, "actor": actor, "action": action, "gallery": gallery, "request_id": request_id,
            "since": since, "until": until, "limit": page_size,
        }  # fmt: skip
        return self._pages(AuditEntry, path("audit"), "entries", asked)
