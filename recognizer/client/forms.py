"""Forms with files, sent piece by piece and as often as it takes: a video is never in memory as a whole."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from urllib3.fields import RequestField

from common.errors import BadArgument

PIECE = 2**18  # bytes
BINARY = "application/octet-stream"

File = str | PathLike[str] | bytes | BinaryIO
Files = File | Sequence[File]


class Form:
    """The body of a request: ``len()`` of it is its bytes, and each iteration gives all of them once more.

    Args:
        fields: names and texts.
        files: the name of a field, and its files: paths, bytes, or binary files that are open, which are read from
            where they are. They are called by the names of their files, else by their number.

    Raises:
        BadArgument: a file cannot be read, or is none.
    """

    def __init__(self, fields: Mapping[str, str], files: Sequence[tuple[str, File]]):
        self._boundary = uuid4().hex
        texts = [(_head(name), _Bytes(text.encode("utf-8", "replace"))) for name, text in fields.items()]
        numbered = [(name, _source(file), number) for number, (name, file) in enumerate(files, 1)]
        self._parts: list[tuple[bytes, _Source]] = texts + [
            (_head(name, source.name or str(number)), source) for name, source, number in numbered
        ]

    @property
    def content_type(self) -> str:
        """With the boundary."""
        return f"multipart/form-data; boundary={self._boundary}"

    def __len__(self) -> int:
        around = len(self._boundary) + 6
        return sum(around + len(head) + source.size for head, source in self._parts) + around

    def __iter__(self) -> Iterator[bytes]:
        line = f"--{self._boundary}".encode()
        for head, source in self._parts:
            yield line + b"\r\n" + head
            yield from source.pieces()
            yield b"\r\n"
        yield line + b"--\r\n"


def files_of(given: Files, field: str = "photos") -> list[tuple[str, File]]:
    """One photo or several as files of a form. Raises BadArgument where there is none."""
    several = [*given] if isinstance(given, Sequence) and not isinstance(given, str | bytes) else [given]
    if not several:
        raise BadArgument("Give at least one photo.")
    return [(field, each) for each in several]


class _Source:
    """Where bytes come from.

    Attributes:
        size: how many.
        name: of the file; None where it has none.
    """

    size: int
    name: str | None = None

    def pieces(self) -> Iterator[bytes]:
        """All of them, once more."""
        raise NotImplementedError


class _Bytes(_Source):
    def __init__(self, content: bytes, name: str | None = None):
        self._content, self.size, self.name = content, len(content), name

    def pieces(self) -> Iterator[bytes]:
        yield self._content


class _Path(_Source):
    def __init__(self, path: Path):
        self._path, self.name = path, path.name
        with _opened(path) as file:
            self.size = os.fstat(file.fileno()).st_size

    def pieces(self) -> Iterator[bytes]:
        with _opened(self._path) as file:
            yield from _pieces(file, self.size, self._path.name)


class _Open(_Source):
    def __init__(self, file: BinaryIO, name: str | None):
        self._file, self.name, self._start = file, name, file.tell()
        self.size = file.seek(0, os.SEEK_END) - self._start
        file.seek(self._start)

    def pieces(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        yield from _pieces(self._file, self.size, self.name or "the file")


def _source(given: File) -> _Source:
    if isinstance(given, bytes | bytearray | memoryview):
        return _Bytes(bytes(given))
    if isinstance(given, str | PathLike):
        return _Path(Path(given))
    if not hasattr(given, "read"):
        raise BadArgument(f"A file is a path, bytes, or a file that is open, not {type(given).__name__}.")
    return _of_open(given)


def _of_open(file: BinaryIO) -> _Source:
    if isinstance(file, io.TextIOBase):
        raise BadArgument("A file has to be open for reading bytes: open(path, 'rb').")
    called = getattr(file, "name", None)
    name = Path(called).name if isinstance(called, str) else None
    try:
        if file.seekable():
            return _Open(file, name)
        content = file.read()
    except (OSError, ValueError) as error:
        raise BadArgument(f"{name or 'The open file'} cannot be read: {error}.") from None
    return _Bytes(content, name)


def _opened(path: Path) -> BinaryIO:
    try:
        if not path.is_file():
            raise BadArgument(f"{path} is not a file." if path.exists() else f"There is no file {path}.")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise BadArgument(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def _pieces(file: BinaryIO, size: int, name: str) -> Iterator[bytes]:
    """Exactly so many bytes, as was announced."""
    left = size
    while left:
        try:
            piece = file.read(min(PIECE, left))
        except OSError as error:
            raise BadArgument(f"{name} cannot be read: {error.strerror}.") from None
        if not piece:
            raise BadArgument(f"{name} has become shorter while it was sent.")
        left -= len(piece)
        yield piece


def _head(name: str, filename: str | None = None) -> bytes:
    field = RequestField(name, b"", filename)
    field.make_multipart(content_type=None if filename is None else BINARY)
    return field.render_headers().encode("utf-8", "replace")
