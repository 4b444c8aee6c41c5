"""``.rec`` files: reading and writing what mxnet, InsightFace's tools and im2rec write.

A record is a header (``<IfQQ``: flag, label, id, id2), ``flag`` float32 labels where flag is not 0, and a picture.
``.idx`` holds a line ``key TAB offset`` for each. **im2rec**'s files hold pictures alone. **InsightFace**'s hold
pictures as records 1..a-1, grouped by identity; then for each identity a record a..b-1 without a picture, whose two
labels are the first key of its pictures and the one behind the last; and record 0, written last, with labels (a, b).
"""

import struct
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.errors import BadDataset
from train.data import frames
from train.data.positioned import PositionedFile
from train.data.recordio_index import Index, read_index, scan
from train.data.recordio_writer import EXACT, HEADER, Writer

__all__ = ["Reader", "Record", "Writer", "read"]


class Record(NamedTuple):
    """A record of a ``.rec`` file.

    Attributes:
        key: its number in the ``.idx``; without one, the id in its header.
        label: as stored: a float, or float32 ``[n]``.
        payload: the picture's bytes as they were written, mostly JPEG; empty in InsightFace's bookkeeping records.
        offset: where it begins in the file.
    """

    key: int
    label: float | np.ndarray
    payload: bytes
    offset: int

    @property
    def identity(self) -> int:
        """The class: the label, or the first of several.

        Raises:
            BadDataset: it is not a whole number from 0 up.
        """
        return _identity(float(np.ravel(self.label)[0]), self.offset)


def read(path: str | PathLike) -> Iterator[Record]:
    """The pictures of a ``.rec`` file in the order in which they lie there, from the file alone, no index needed.

    InsightFace's bookkeeping records are passed over.

    Raises:
        BadDataset: the file is missing, cut short or altered; names the offset.
    """
    with PositionedFile(path) as file:
        offset = 0
        while offset < file.size:
            data, behind = frames.read(file, offset)
            record = _parse(data, file.path, offset)
            if record.payload:
                yield record
            offset = behind


def read_at(file: PositionedFile, offset: int) -> Record:
    """The record at an offset of a ``.rec``; its key is the id in its header.

    Raises:
        BadDataset: no whole record is there.
    """
    return _parse(frames.read(file, offset)[0], file.path, offset)


class Reader:
    """A ``.rec`` file with random access; threads may share it.

    Args:
        path: the ``.rec``. Its index is the ``.idx`` beside it; where there is none, the file is walked through once.

    Attributes:
        keys, offsets: int64 ``[n]``, of the pictures, by ascending key; bookkeeping records are not among them.
        header: InsightFace's (a, b), or None.

    Raises:
        BadDataset: file or index are missing, damaged, or do not belong together.
    """

    def __init__(self, path: str | PathLike):
        self.path = Path(path)
        self._file = PositionedFile(path)
        index_path = self.path.with_suffix(".idx")
        index = read_index(index_path, self._file.size) if index_path.is_file() else scan(self._file)
        self.header = self._header(index)
        self.keys, self.offsets = self._pictures(index)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, number: int) -> Record:
        """The picture of that number, 0..len-1, in the order of ``keys``."""
        return self.read_at(int(self.offsets[number]), int(self.keys[number]))

    def read(self, key: int) -> Record:
        """The picture with that key.

        Raises:
            BadDataset: no such key, or no whole record where the index says.
        """
        place = int(np.searchsorted(self.keys, key))
        if place == len(self.keys) or self.keys[place] != key:
            raise BadDataset(f"{self.path} has no picture with the key {key}.")
        return self[place]

    def read_at(self, offset: int, key: int | None = None) -> Record:
        """The record at an offset."""
        record = read_at(self._file, offset)
        return record if key is None else record._replace(key=key)

    def labels(self) -> np.ndarray:
        """The classes of all pictures, int64 ``[n]``: a small read for each.

        Raises:
            BadDataset: a label that is not a whole number from 0 up; names the offset.
        """
        found = np.fromiter((self._label(int(offset)) for offset in self.offsets), np.float64, len(self))
        wrong = np.flatnonzero(~((found >= 0) & (found < EXACT) & (found == np.floor(found))))
        if len(wrong):
            _identity(float(found[wrong[0]]), int(self.offsets[wrong[0]]))
        return found.astype(np.int64)

    def classes(self) -> int:
        """How many identities there are: what ``property`` beside it says, the header, or the greatest label + 1.

        Raises:
            BadDataset: ``property`` is not ``classes,height,width``.
        """
        stated = self.path.with_name("property")
        if stated.is_file():
            return _property(stated)[0]
        if self.header:
            return self.header[1] - self.header[0]
        return int(self.labels().max(initial=-1)) + 1

    def image_size(self) -> tuple[int, int] | None:
        """(height, width) that ``property`` beside it says, or None."""
        stated = self.path.with_name("property")
        return _property(stated)[1:] if stated.is_file() else None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __reduce__(self):
        return Reader, (self.path,)

    def _label(self, offset: int) -> float:
        start, length, _ = frames.peek(self._file, offset, HEADER.size + 4)
        flag, label = _head(start, length, self.path, offset)[:2]
        return struct.unpack_from("<f", start, HEADER.size)[0] if flag else label

    def _is_empty(self, offset: int) -> bool:
        start, length, _ = frames.peek(self._file, offset, HEADER.size)
        return length == HEADER.size + 4 * _head(start, length, self.path, offset)[0]

    def _header(self, index: Index) -> tuple[int, int] | None:
        place = int(np.searchsorted(index.keys, 0))
        if place == len(index.keys) or index.keys[place] != 0:
            return None
        record = self.read_at(int(index.offsets[place]))
        if record.payload or np.size(record.label) != 2:
            return None
        first, end = record.label.tolist()
        if not 1 <= first <= end <= first + len(index.keys):
            raise BadDataset(f"{self.path}: the header at offset {record.offset} gives impossible ranges.")
        return int(first), int(end)

    def _pictures(self, index: Index) -> tuple[np.ndarray, np.ndarray]:
        if index.empty is not None:
            return index.keys[~index.empty], index.offsets[~index.empty]
        if self.header is None:
            return index.keys, index.offsets
        first = self._first_identity(index)
        chosen = (index.keys > 0) & (index.keys < first)
        if chosen.sum() != first - 1:
            raise BadDataset(
                f"{self.path.with_suffix('.idx')} lists {chosen.sum()} of the {first - 1} pictures that the header of "
                f"{self.path.name} promises."
            )
        return index.keys[chosen], index.offsets[chosen]

    def _first_identity(self, index: Index) -> int:
        """Where identities begin: the header says it exactly up to 2^24, and beyond rounded to what float32 holds."""
        first = self.header[0]
        if first < EXACT:
            return first
        spread = int(np.spacing(np.float32(first)))
        near = np.arange(first - spread, first + spread + 1)
        places = np.searchsorted(index.keys, near)
        there = [place for place, key in zip(places, near) if place < len(index.keys) and index.keys[place] == key]
        empty = (int(index.keys[place]) for place in there if self._is_empty(int(index.offsets[place])))
        return next(empty, first)


def _parse(data: bytes, path: Path, offset: int) -> Record:
    flag, label, key, _ = _head(data, len(data), path, offset)
    if not flag:
        return Record(key, label, data[HEADER.size :], offset)
    labels = np.frombuffer(data, "<f4", flag, HEADER.size)
    return Record(key, labels, data[HEADER.size + 4 * flag :], offset)


def _head(data: bytes, length: int, path: Path, offset: int) -> tuple[int, float, int, int]:
    """(flag, label, id, id2) of a record of which ``data`` is the beginning."""
    if length < HEADER.size or length < HEADER.size + 4 * int.from_bytes(data[:4], "little"):
        raise BadDataset(
            f"{path}: the record at offset {offset} has {length} bytes, too few for its header and labels: it was "
            "altered, or holds something else than a picture."
        )
    return HEADER.unpack_from(data)


def _identity(label: float, offset: int) -> int:
    if not (0 <= label < EXACT and label.is_integer()):
        raise BadDataset(
            f"The record at offset {offset} has the label {label:g}: expected a whole number from 0 to {EXACT - 1}."
        )
    return int(label)


def _property(path: Path) -> tuple[int, ...]:
    """What InsightFace's ``property`` says: classes, height, width."""
    try:
        values = tuple(int(value) for value in path.read_text("utf-8")[:100].split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or min(values) < 1 or values[0] > EXACT:
        raise BadDataset(f"{path} must hold three positive numbers: classes (at most {EXACT}),height,width.")
    return values
