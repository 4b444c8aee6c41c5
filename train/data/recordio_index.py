"""Where the records of a ``.rec`` file begin: read from its ``.idx``, or found by walking through the file."""

import struct
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from train.data import frames
from train.data.positioned import PositionedFile

HEADER_BYTES = 24  # of a record, before its labels


@dataclass(frozen=True)
class Index:
    """Records by ascending key.

    Attributes:
        keys: int64 ``[n]``, each once.
        offsets: int64 ``[n]``.
        empty: bool ``[n]``, records without a picture; None where nobody looked.
    """

    keys: np.ndarray
    offsets: np.ndarray
    empty: np.ndarray | None = None


def read_index(path: Path, size: int) -> Index:
    """An ``.idx`` for a ``.rec`` of ``size`` bytes.

    Raises:
        BadDataset: not lines of ``key TAB offset``, a key that stands twice, or an offset outside of the file.
    """
    try:
        if path.stat().st_size == 0:
            raise BadDataset(f"{path} is empty: it should list the records of the .rec beside it.")
        table = np.loadtxt(path, np.int64, comments=None, delimiter="\t", ndmin=2)
    except (OSError, ValueError) as error:
        raise BadDataset(f"{path} is no index of records, lines of key and offset: {error}") from None
    if table.shape[1] != 2:
        raise BadDataset(f"{path} is no index of records: expected two numbers a line, found {table.shape[1]}.")
    keys, offsets = table[np.argsort(table[:, 0], kind="stable")].T.copy()
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        raise BadDataset(f"{path} lists the key {keys[twice[0]]} twice.")
    outside = np.flatnonzero((offsets < 0) | (offsets >= size) | (offsets % 4 != 0))
    if len(outside):
        key, offset = keys[outside[0]], offsets[outside[0]]
        raise BadDataset(
            f"{path} puts the record {key} at offset {offset}, where none can begin: the .rec has {size} bytes. It was "
            "cut short, or the index belongs to another file."
        )
    return Index(keys, offsets)


def scan(file: PositionedFile) -> Index:
    """The records of a file without an index; their keys are the ids in their headers, or 0, 1, 2... where ids repeat.

    Raises:
        BadDataset: the file is cut short or altered; names the offset.
    """
    keys, offsets, empty = array("Q"), array("q"), array("B")
    offset = 0
    while offset < file.size:
        start, length, behind = frames.peek(file, offset, HEADER_BYTES)
        if len(start) < HEADER_BYTES:
            raise BadDataset(f"{file.path}: the record at offset {offset} has {length} bytes, too few for a header.")
        flag, key = struct.unpack("<I4xQ8x", start)
        keys.append(key)
        offsets.append(offset)
        empty.append(length == HEADER_BYTES + 4 * flag)
        offset = behind
    keys = np.array(keys, np.uint64).astype(np.int64)  # an altered id may have any 64 bits
    if len(np.unique(keys)) < len(keys):
        keys = np.arange(len(keys))
    order = np.argsort(keys, kind="stable")
    return Index(keys[order], np.array(offsets, np.int64)[order], np.array(empty, bool)[order])
