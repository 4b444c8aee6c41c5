"""Cursors: where the next page of a list begins, as a text that clients hand back unread."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from common.errors import BadArgument

MAX_CHARACTERS = 2048  # a name has up to 255 code points, of up to 12 characters of JSON each where it is escaped
MOST = 500  # items of a page

Item = TypeVar("Item")


def encode(kind: str, position: str | int) -> str:
    """A cursor for a kind of list ("people"), from the last item of a page."""
    text = json.dumps([kind, position], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(kind: str, cursor: str | None, position: type) -> Any:
    """The position that a cursor holds; None where none was given.

    Raises:
        BadArgument: it is not one that :func:`encode` made for this kind of list.
    """
    if cursor is None:
        return None
    try:
        if len(cursor) > MAX_CHARACTERS:
            raise ValueError
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found, value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
        if found != kind or type(value) is not position:
            raise ValueError
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise BadArgument("That is no cursor of this list: take next_cursor as the page before gave it.") from None
    return value


def page(
    kind: str, items: Sequence[Item], limit: int, position: Callable[[Item], str | int]
) -> tuple[list[Item], str | None]:
    """At most ``limit`` items, of one more that were read, and the cursor of the next page; None at the end."""
    shown = list(items[:limit])
    return shown, encode(kind, position(shown[-1])) if len(items) > limit else None
