"""Addresses that hold names: a name may have a slash in it, written ``%2F``.

Servers hand over the path decoded, in which ``DELETE /people/Ann%2Fphotos`` cannot be told from
``DELETE /people/Ann/photos``: one forgets somebody called "Ann/photos", the other one all photos of Ann. Here such a
slash is read from the path as it came, and belongs to the name.
"""

import re
from typing import Any
from urllib.parse import unquote

from starlette.routing import Match

from recognizer.service import idempotency

SLASH = re.compile(b"%2f", re.IGNORECASE)
STAND_IN = "\0"  # which no name holds


class Route(idempotency.Route):
    """A route whose names may hold slashes."""

    def matches(self, scope: dict[str, Any]) -> tuple[Match, dict[str, Any]]:
        """As Starlette asks for it."""
        raw = scope.get("raw_path") or b""
        if not SLASH.search(raw):
            return super().matches(scope)
        path = unquote(SLASH.sub(b"%00", raw.split(b"?")[0]).decode("latin-1"))
        match, found = super().matches({**scope, "path": path})
        if match is not Match.NONE:
            values = found.get("path_params", {})
            found["path_params"] = {name: _restored(value) for name, value in values.items()}
        return match, found


def _restored(value: Any) -> Any:
    return value.replace(STAND_IN, "/") if isinstance(value, str) else value
