"""Lines of a list from outside, with their numbers: a list may be damaged, endless, or no list at all."""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from common.errors import BadDataset

LONGEST = 4096  # bytes of a line; the longest in use has about 200
BLOCK = 2**20  # bytes that are read at a time
SHOWN = 80  # characters of a wrong line


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of each line that is not blank; the first has number 1.

    Raises:
        BadDataset: cannot be read, a line of more than 4096 bytes, or one that is no text.
    """
    for first, block in blocks(path):
        for number, line in enumerate(block, first):
            if text := line.strip():
                yield number, text


def blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number of the first line, lines) a megabyte at a time, blank ones and white space included.

    Raises:
        BadDataset: as ``lines``.
    """
    first, rest = 1, b""
    for content in _contents(path):
        *whole, rest = (rest + content).split(b"\n")
        yield first, _texts(path, first, whole)
        first += len(whole)
        _texts(path, first, [rest])  # here, where it is not yet longer than a block
    if rest:
        yield first, _texts(path, first, [rest])


def refuse(path: Path, number: int, expected: str, line: str) -> NoReturn:
    """Raise the error of a line that is not as expected."""
    shown = line if len(line) <= SHOWN else f"{line[:SHOWN]}..."
    raise BadDataset(f"{path}, line {number}: expected {expected}, not {shown!r}.")


def _contents(path: Path) -> Iterator[bytes]:
    try:
        if not path.is_file():  # a pipe could block or never end
            raise BadDataset(f"{path} is not a file." if path.exists() else f"No such file: {path}")
        with path.open("rb") as file:
            while content := file.read(BLOCK):
                yield content
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror or error}.") from None


def _texts(path: Path, first: int, found: list[bytes]) -> list[str]:
    for number, line in enumerate(found, first):
        if len(line) > LONGEST:
            raise BadDataset(f"{path}, line {number}: longer than {LONGEST} bytes: that is no such list.")
        if not line.isascii() and _undecodable(line):
            raise BadDataset(f"{path}, line {number}: not text (UTF-8).")
    return b"\n".join(found).decode("utf-8").split("\n")


def _undecodable(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False
