"""The container of a gallery's file: a ZIP of stored members whose comment is the SHA-256 of all before it.

Such a file is bytewise the same for the same members. Reading takes nothing else: the members that are expected, in
their order, one behind the other, not compressed; so none is larger than the file, and no name is used as a path.
"""

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, BinaryIO

MANIFEST = "manifest.json"
MAX_MANIFEST = 65_536
MAX_DIRECTORY = 4096  # bytes of the ZIP's list of members; four take about 300
HASHED = 2**20  # bytes at a time
DIGEST = 64  # characters of a SHA-256 in hexadecimal
END, END64, LOCATOR64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"

Progress = Callable[[Iterable, int], Iterable]


class Damaged(Exception):
    """What is wrong with a file, for the end of a sentence."""


class Writer:
    """Writes members and, at the end, the manifest that lists them; a context manager.

    Args:
        file: new, and can be read, too.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._parts: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_exception: object) -> None:
        with suppress(OSError):  # a full disk, which whoever wrote to it has heard of
            self._zip.close()

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """A function that appends bytes to a new member."""
        hashed, size = sha256(), 0

        def append(data: bytes) -> None:
            nonlocal size
            hashed.update(data)
            size += len(data)
            member.write(data)

        with self._zip.open(_member(name), "w", force_zip64=True) as member:
            yield append
        self._parts[name] = {"bytes": size, "sha256": hashed.hexdigest()}

    def finish(self, manifest: dict[str, Any], progress: Progress | None = None) -> None:
        """Write the manifest and seal the file."""
        text = json.dumps(manifest | {"parts": self._parts}, ensure_ascii=False, indent=1)
        self._zip.writestr(_member(MANIFEST), text.encode())
        self._zip.comment = bytes(DIGEST)
        self._zip.close()
        digest = _digest(self._file, self._file.seek(0, io.SEEK_END) - DIGEST, progress)
        self._file.seek(-DIGEST, io.SEEK_END)
        self._file.write(digest.encode())


class Reader:
    """Reads what :class:`Writer` wrote.

    Attributes:
        manifest: of the file, without the list of parts.

    Raises:
        Damaged: it is something else, or it was altered.
    """

    def __init__(self, file: BinaryIO, names: Sequence[str], progress: Progress | None = None):
        self._parts: dict[str, dict[str, Any]] = {}
        _check_seal(file, progress)
        _check_directory(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OverflowError, struct.error, NotImplementedError) as error:
            raise Damaged(f"its list of members is not in order ({error})") from None
        _check_members(self._zip.infolist(), [*names, MANIFEST])
        manifest = self._read_manifest()
        self._parts = _parts(manifest.pop("parts", None), names)
        self.manifest = manifest

    @contextmanager
    def part(self, name: str) -> Iterator["Part"]:
        """A member, to be read from its beginning to its end."""
        with _reported(), self._zip.open(name) as member:
            yield Part(name, member, self._parts[name])

    def _read_manifest(self) -> dict[str, Any]:
        if self._zip.getinfo(MANIFEST).file_size > MAX_MANIFEST:
            raise Damaged(f"its {MANIFEST} has more than {MAX_MANIFEST} bytes")
        with _reported():
            return parsed(self._zip.read(MANIFEST), MANIFEST)


class Part:
    """A member that is being read, and hashed as it is."""

    def __init__(self, name: str, member: BinaryIO, expected: dict[str, Any]):
        self.name, self._member, self._expected = name, member, expected
        self._hash, self._size = sha256(), 0

    def read(self, size: int) -> bytes:
        """So many bytes. Raises Damaged where there are fewer."""
        return self._took(self._member.read(size), size)

    def line(self, limit: int) -> bytes:
        """A line of at most ``limit`` bytes. Raises Damaged where there is none."""
        line = self._member.readline(limit)
        if not line.endswith(b"\n"):
            raise Damaged(f"its {self.name} ends early" if len(line) < limit else f"its {self.name} has a huge line")
        return self._took(line, len(line))

    def finish(self) -> None:
        """Raise Damaged where something is left, or the digest is not that of the manifest."""
        if self._member.read(1):
            raise Damaged(f"its {self.name} holds more than its people need")
        if {"bytes": self._size, "sha256": self._hash.hexdigest()} != self._expected:
            raise Damaged(f"its {self.name} is not what the manifest says")

    def _took(self, data: bytes, size: int) -> bytes:
        if len(data) != size:
            raise Damaged(f"its {self.name} ends early")
        self._hash.update(data)
        self._size += size
        return data


def parsed(text: bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises Damaged."""
    try:
        value = json.loads(text.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Damaged(f"its {what} holds what is no JSON") from None
    if not isinstance(value, dict):
        raise Damaged(f"its {what} holds JSON that is no object")
    return value


def require_keys(mapping: Any, keys: set[str], what: str) -> None:
    """Raise Damaged where a mapping has other keys than these."""
    if not isinstance(mapping, dict) or set(mapping) != keys:
        raise Damaged(f"its {what} must have the keys {', '.join(sorted(keys))}")


def _refuse_constant(_name: str) -> None:
    raise ValueError("NaN and infinity are not JSON")


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # dated 1980
    info.create_system, info.external_attr = 3, 0o600 << 16
    return info


def _digest(file: BinaryIO, size: int, progress: Progress | None) -> str:
    """SHA-256 in hexadecimal of the first ``size`` bytes of a file."""
    file.seek(0)
    hashed, starts = sha256(), range(0, size, HASHED)
    for start in progress(starts, len(starts)) if progress else starts:
        hashed.update(file.read(min(HASHED, size - start)))
    return hashed.hexdigest()


def _check_seal(file: BinaryIO, progress: Progress | None) -> None:
    size = file.seek(0, io.SEEK_END) - DIGEST
    file.seek(max(size, 0))
    seal = file.read(DIGEST)
    file.seek(0)
    if size < 0 or file.read(2) != b"PK":
        raise Damaged("it is no file that `recognizer gallery export` wrote")
    if _digest(file, size, progress).encode() != seal:
        raise Damaged("its SHA-256 is not the one that it ends with: it was cut short or altered")


def _check_directory(file: BinaryIO) -> None:
    """Look at the end of the file as zipfile will, which reads a list of members of any size into memory."""
    size = file.seek(0, io.SEEK_END)
    tail = min(size, 22 + DIGEST + 20 + 56)
    file.seek(-tail, io.SEEK_END)
    data = file.read(tail)
    end = data[-22 - DIGEST :]
    length, comment = struct.unpack("<12xL4xH", end[:22]) if end[:4] == END else (2**32, 0)
    locator = data[-22 - DIGEST - 20 : -22 - DIGEST]
    if locator[:4] == LOCATOR64:
        end64 = data[: -22 - DIGEST - 20]
        length = struct.unpack("<40xQ", end64[:48])[0] if end64[:4] == END64 else 2**64
    if length > MAX_DIRECTORY or comment != DIGEST:
        raise Damaged("its list of members is not in order")


def _check_members(members: list[zipfile.ZipInfo], names: list[str]) -> None:
    if [member.filename for member in members] != names:
        raise Damaged(f"its members must be {', '.join(names)}, and no others")
    end = 0
    for member in members:
        plain = member.compress_type == zipfile.ZIP_STORED and not member.flag_bits
        if not plain or member.file_size != member.compress_size or member.header_offset < end:
            raise Damaged(f"its {member.filename} is not stored as it must be")
        end = member.header_offset + member.file_size


def _parts(listed: Any, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    require_keys(listed, set(names), f"{MANIFEST}: parts")
    for name in names:
        require_keys(listed[name], {"bytes", "sha256"}, f"{MANIFEST}: {name}")
    return listed


@contextmanager
def _reported() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, struct.error) as error:
        if isinstance(error, RecursionError):
            raise
        with suppress(AttributeError):
            error = error.args[0]
        raise Damaged(f"a member is damaged ({str(error)[:100]})") from None
