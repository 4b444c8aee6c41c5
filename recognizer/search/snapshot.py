"""All rows of an index in one file, so that a process starts without reading every row from the database.

The file: eight bytes ``MAGIC``; the header's length (8 bytes, little-endian) and its SHA-256; the header, JSON in
UTF-8; then the sections, raw little-endian arrays, each from a multiple of 4096 bytes on. The header holds what the
caller says of the index and of each section its name, dtype, shape, offset and the SHA-256 of each piece of 16 MB.
A file is trusted only when all of it is as it must be, and what it says of itself is what the caller expects.
"""

import json
import math
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from common import cores
from common.errors import FaceError
from common.folders import sync_folder

VERSION = 1
MAGIC = b"IFTFSNAP"
_ALIGNMENT = 4096
_PIECE = 16 << 20  # bytes hashed in one go
_TOP = len(MAGIC) + 8 + 32  # bytes before the header
_LONGEST_HEADER = 16 << 20
_MOST_DIMENSIONS = 2
_DTYPES = {"<i8", "<u4", "<i4", "<f4", "|i1", "|u1"}


class SnapshotRefused(FaceError):
    """A snapshot that is damaged, of another gallery, out of date or not to be trusted."""


def write(path: str | Path, header: Mapping[str, Any], sections: Mapping[str, Any]) -> None:
    """Write a snapshot in the place of an earlier one, readable by its owner alone.

    Args:
        path: the file; its folder is made when it is not there.
        header: what is to be known of the index, JSON values only; ``read`` compares it.
        sections: name -> array, or ``rows.Column``, which is gathered while it is written.

    Raises:
        OSError: the file could not be written; an earlier one is as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            described = _write_sections(file, header, sections)
            _write_header(file, {"version": VERSION, "about": dict(header), "sections": described}, described)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
    sync_folder(path.parent)


def read(path: str | Path, expected: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Open and verify a snapshot.

    Args:
        path: the file.
        expected: entries that its header must have.

    Returns:
        The header given to ``write``, and name -> array; the arrays are read-only maps of the file.

    Raises:
        SnapshotRefused: there is none, or it does not fit; the message says why.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            size = os.fstat(file.fileno()).st_size
            content = np.asarray(np.memmap(file, np.uint8, "r")) if size else np.zeros(0, np.uint8)
    except OSError as error:
        raise SnapshotRefused(f"{path} cannot be read: {error.strerror}.") from None
    header = _header(path, content)
    _check_expected(path, header["about"], expected)
    sections = {
        name: content[start:stop].view(dtype).reshape(shape)
        for name, (dtype, shape, start, stop) in _described(path, header["sections"], header["end"], size).items()
    }
    _check_hashes(path, content, header["sections"])
    _check_keys(path, sections)
    return header["about"], sections


def _write_sections(file, header: Mapping[str, Any], sections: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write the sections where a header of their number may end at most; returns their descriptions."""
    pieces = sum(1 + section.dtype.itemsize * math.prod(section.shape) // _PIECE for section in sections.values())
    offset = 4096 + 2 * len(json.dumps(dict(header))) + 1024 * len(sections) + 128 * pieces
    described = []
    with ThreadPoolExecutor(cores.usable()) as pool:
        for name, section in sections.items():
            offset = -(-offset // _ALIGNMENT) * _ALIGNMENT
            file.seek(offset)
            dtype = section.dtype.newbyteorder("<")
            hashes, written = [], 0
            for piece in _in_pieces(_raw(section, dtype)):
                hashes.append(pool.submit(lambda piece=piece: sha256(piece).hexdigest()))
                file.write(piece)
                written += len(piece)
                if len(hashes) > 8:
                    hashes[-8].result()  # no more than eight pieces in memory
            described.append({
                "name": name, "dtype": dtype.str, "shape": list(section.shape), "offset": offset,
                "sha256": [each.result() for each in hashes],
            })  # fmt: skip
            offset += written
    file.truncate(offset)
    return described


def _write_header(file, header: dict[str, Any], sections: list[dict[str, Any]]) -> None:
    encoded = json.dumps(header).encode()
    if sections and _TOP + len(encoded) > sections[0]["offset"]:
        raise ValueError("The header does not fit before the first section.")
    file.seek(0)
    file.write(MAGIC + len(encoded).to_bytes(8, "little") + sha256(encoded).digest() + encoded)


def _raw(section: Any, dtype: np.dtype) -> Iterator[bytes]:
    pieces: Iterable[np.ndarray] = section.pieces() if hasattr(section, "pieces") else [section]
    for piece in pieces:
        yield memoryview(np.ascontiguousarray(piece, dtype).reshape(-1).view(np.uint8))


def _in_pieces(chunks: Iterable[memoryview]) -> Iterator[bytes]:
    """The same bytes in pieces of ``_PIECE``, the last one shorter."""
    waiting = bytearray()
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            taken = chunk[start : start + _PIECE - len(waiting)]
            waiting += taken
            start += len(taken)
            if len(waiting) == _PIECE:
                yield bytes(waiting)
                waiting.clear()
    if waiting:
        yield bytes(waiting)


def _check_owner(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SnapshotRefused(f"{path} is not a regular file.")
    if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
        raise SnapshotRefused(f"{path} could have been written by others: expected a file of this user, mode 0600.")


def _header(path: Path, content: np.ndarray) -> dict[str, Any]:
    if len(content) < _TOP or content[: len(MAGIC)].tobytes() != MAGIC:
        raise SnapshotRefused(f"{path} is not a snapshot of an index.")
    length = int.from_bytes(content[len(MAGIC) : len(MAGIC) + 8].tobytes(), "little")
    if length > min(_LONGEST_HEADER, len(content) - _TOP):
        raise SnapshotRefused(f"{path} is damaged: its header is longer than the file.")
    encoded = content[_TOP : _TOP + length].tobytes()
    if sha256(encoded).digest() != content[_TOP - 32 : _TOP].tobytes():
        raise SnapshotRefused(f"{path} is damaged: its header does not have its SHA-256.")
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError):
        raise SnapshotRefused(f"{path} is damaged: its header is not JSON.") from None
    if not isinstance(header, dict) or header.get("version") != VERSION:
        raise SnapshotRefused(f"{path} was written by another version of this program.")
    if not isinstance(header.get("about"), dict) or not isinstance(header.get("sections"), list):
        raise SnapshotRefused(f"{path} is damaged: its header lacks what it must say.")
    return header | {"end": _TOP + length}


def _check_expected(path: Path, about: dict[str, Any], expected: Mapping[str, Any]) -> None:
    for name, value in expected.items():
        if name not in about or about[name] != value or type(about[name]) is not type(value):
            raise SnapshotRefused(f"{path} does not fit: expected {name} {value!r}, not {about.get(name)!r}.")


def _described(path: Path, sections: list[Any], end: int, size: int) -> dict[str, tuple[np.dtype, tuple, int, int]]:
    """Name -> (dtype, shape, first byte, byte after the last), all of it possible; ``end``: of the header."""
    described = {}
    for section in sections:
        try:
            name, dtype = section["name"], section["dtype"]
            shape, start, hashes = section["shape"], section["offset"], section["sha256"]
            possible = isinstance(name, str) and name not in described and dtype in _DTYPES
            possible = possible and 1 <= len(shape) <= _MOST_DIMENSIONS
            possible = possible and all(type(number) is int and 0 <= number < 2**48 for number in [*shape, start])
            stop = start + math.prod(shape) * np.dtype(dtype).itemsize
            possible = possible and end <= start and start % _ALIGNMENT == 0 and stop <= size
            possible = possible and isinstance(hashes, list) and len(hashes) == -(-(stop - start) // _PIECE)
        except (TypeError, KeyError, ValueError):
            possible = False
        if not possible:
            raise SnapshotRefused(f"{path} is damaged or cut off: a section does not lie where it should.")
        described[name] = np.dtype(dtype), tuple(shape), start, stop
        end = stop
    if sections and end != size:
        raise SnapshotRefused(f"{path} is damaged: it does not end where its last section does.")
    return described


def _check_hashes(path: Path, content: np.ndarray, sections: list[dict[str, Any]]) -> None:
    pieces = []
    for section in sections:
        bytes_ = math.prod(section["shape"]) * np.dtype(section["dtype"]).itemsize
        stop = section["offset"] + bytes_
        starts = range(section["offset"], stop, _PIECE)
        pieces += [(start, min(start + _PIECE, stop), each) for start, each in zip(starts, section["sha256"])]
    with ThreadPoolExecutor(cores.usable()) as pool:
        right = pool.map(lambda piece: sha256(content[piece[0] : piece[1]]).hexdigest() == piece[2], pieces)
        if not all(right):
            raise SnapshotRefused(f"{path} is damaged: a section does not have its SHA-256.")


def _check_keys(path: Path, sections: dict[str, np.ndarray]) -> None:
    keys, stamps = sections.get("keys"), sections.get("stamps")
    if keys is None or stamps is None or keys.ndim != 1 or keys.shape != stamps.shape:
        raise SnapshotRefused(f"{path} is damaged: it lacks keys or stamps.")
    if keys.dtype != np.int64 or stamps.dtype != np.int64:
        raise SnapshotRefused(f"{path} is damaged: keys and stamps must be int64.")
    if len(keys) and (keys[0] < 0 or (np.diff(keys) < 0).any()):
        raise SnapshotRefused(f"{path} is damaged: its keys do not ascend.")
