"""Names of persons and galleries: what is allowed, and the one form in which it is stored."""

import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

from common.errors import BadName

MAX_CHARACTERS = 255
QUOTED_CHARACTERS = 40  # an error quotes no more of a name than this
LISTED_NAMES = 10
FIRST_SURROGATE, AFTER_SURROGATES, LAST_CODE_POINT = 0xD800, 0xE000, 0x10FFFF


def clean(name: Any, what: str = "person") -> str:
    """The stored form of a name: NFC, without white space around it (MySQL ignores trailing blanks anyway).

    Args:
        name: any text of 1 to 255 code points; quotes, emoji and every script are fine.
        what: "person" or "gallery", for errors.

    Raises:
        BadName: not a str, blank, too long, or with control characters or lone surrogates.
    """
    if not isinstance(name, str):
        raise BadName(f"The name of a {what} must be text (str), not {type(name).__name__}.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise BadName(
            f"The name of a {what} must not hold control characters (line break, tab, NUL) or lone "
            f"surrogates; {excerpt(name)} does."
        )
    cleaned = normalised(name).strip()
    if not cleaned:
        raise BadName(f"The name of a {what} must not be empty or blank.")
    if len(cleaned) > MAX_CHARACTERS:
        raise BadName(
            f"The name of a {what} must have at most {MAX_CHARACTERS} characters; "
            f"{excerpt(cleaned)} has {len(cleaned)}."
        )
    return cleaned


def distinct(names: str | Iterable[str]) -> list[str]:
    """The stored forms of one name or several, each once. Raises BadName."""
    return list(dict.fromkeys(clean(name) for name in ([names] if isinstance(names, str) else names)))


def normalised(text: str) -> str:
    """Text in the form in which names are compared: NFC, and without what no database stores."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))


def after_prefix(prefix: str) -> str | None:
    """The least text above all that begin with ``prefix``, by code points; None where there is none."""
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following <= LAST_CODE_POINT:
            return prefix[: end - 1] + chr(AFTER_SURROGATES if following == FIRST_SURROGATE else following)
    return None


def excerpt(name: str) -> str:
    """A name as errors quote it: escaped, and cut after ``QUOTED_CHARACTERS``."""
    return repr(name[:QUOTED_CHARACTERS]) + ("..." if len(name) > QUOTED_CHARACTERS else "")


def listing(names: Collection[str]) -> str:
    """Several names as errors quote them: the first few, then how many more."""
    shown = ", ".join(excerpt(name) for name in list(names)[:LISTED_NAMES])
    more = len(names) - LISTED_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
