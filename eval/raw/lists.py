"""Lists of pairs as text: every line checked, errors with file and line."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from common.errors import BadDataset

MAX_BYTES = 64 * 2**20  # a list of a hundred thousand pairs has ten million
SAME = {"1": True, "true": True, "yes": True, "same": True}
DIFFERENT = {"0": False, "-1": False, "false": False, "no": False, "different": False, "diff": False}


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines of a list that are not empty.

    Raises:
        BadDataset: no such file, no text, or no list by its size.
    """
    try:
        if not path.is_file():
            raise BadDataset(f"{path} is missing.")
        if path.stat().st_size > MAX_BYTES:
            raise BadDataset(f"{path} is larger than {MAX_BYTES >> 20} MB: that is no list of pairs.")
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise BadDataset(f"{path} is not UTF-8 text, at byte {error.start}.") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def at(path: Path, number: int) -> str:
    """How errors name a line."""
    return f"{path}, line {number}"


def is_same(text: str, where: str) -> bool:
    """Whether a pair is of one person: 1, true, yes, same; or 0, -1, false, no, different.

    Raises:
        BadDataset: neither.
    """
    found = (SAME | DIFFERENT).get(text.strip().lower())
    if found is None:
        raise BadDataset(f"{where}: same must be 1 or 0 (or true, false), not {text.strip()[:40]!r}.")
    return found


def whole_number(text: str, where: str, what: str, least: int = 1) -> int:
    """A number of a list, of at most nine digits."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and int(text) >= least):
        raise BadDataset(f"{where}: {what} must be a whole number from {least} up, not {text[:40]!r}.")
    return int(text)


def first_that_is(places: Sequence[Path], what: str, *, folder: bool = False) -> Path:
    """The first of several places that exists.

    Raises:
        BadDataset: none does; the error lists them.
    """
    for place in places:
        if place.is_dir() if folder else place.is_file():
            return place
    raise BadDataset(f"There is no {what}. Looked for: {', '.join(str(place) for place in places)}.")
