"""How RecordIO frames a record in a file (dmlc-core's ``recordio.h``).

A part of a record is: uint32 magic, uint32 (flag << 29 | length), ``length`` bytes, zeros up to a multiple of 4. A
record that holds the magic at a multiple of 4 is cut there, and the magic itself left out: flag 0 is a whole record,
1, 2 and 3 are the first, a middle and the last part of one that was cut.
"""

import struct

from common.errors import BadDataset
from train.data.positioned import PositionedFile

MAGIC = struct.pack("<I", 0xCED7230A)
WHOLE, FIRST, MIDDLE, LAST = range(4)
MAX_LENGTH = 2**29 - 1


def encode(record: bytes) -> bytes:
    """A record as it stands in the file.

    Raises:
        BadDataset: it is longer than a frame can say.
    """
    if len(record) > MAX_LENGTH:
        raise BadDataset(f"A record may have {MAX_LENGTH} bytes; this one has {len(record)}.")
    parts = _cut(record)
    flags = [WHOLE] if len(parts) == 1 else [FIRST, *[MIDDLE] * (len(parts) - 2), LAST]
    return b"".join(
        MAGIC + struct.pack("<I", flag << 29 | len(part)) + part + bytes(-len(part) % 4)
        for flag, part in zip(flags, parts)
    )


def _cut(record: bytes) -> list[bytes]:
    parts, start, place = [], 0, record.find(MAGIC)
    while place >= 0:
        if place % 4 == 0:
            parts.append(record[start:place])
            start = place + 4
        place = record.find(MAGIC, start if place % 4 == 0 else place + 1)
    return [*parts, record[start:]]


def read(file: PositionedFile, offset: int) -> tuple[bytes, int]:
    """The record that begins at ``offset``, and the offset behind it.

    Raises:
        BadDataset: no whole record is there; names the file and the offset.
    """
    start, parts, flags = offset, [], (WHOLE, FIRST)
    while True:
        flag, length = _head(file, start, offset, flags)
        body = file.read_at(offset + 8, length + -length % 4)
        if len(body) < length + -length % 4:
            raise _cut_short(file, start)
        if any(body[length:]):
            raise BadDataset(f"{file.path}: altered at offset {offset}: the bytes that fill its record up are not 0.")
        parts.append(body[:length])
        offset += 8 + len(body)
        if flag in (WHOLE, LAST):
            return MAGIC.join(parts), offset
        flags = (MIDDLE, LAST)


def peek(file: PositionedFile, offset: int, wanted: int) -> tuple[bytes, int, int]:
    """The first ``wanted`` bytes of the record at ``offset`` (or all), its length and the offset behind it.

    Costs one small read, but for the rare record that was cut.
    """
    flag, length = _head(file, offset, offset, (WHOLE, FIRST))
    end = offset + 8 + length + -length % 4
    if flag == FIRST:
        record, end = read(file, offset)
        return record[:wanted], len(record), end
    if end > file.size:
        raise _cut_short(file, offset)
    return file.read_at(offset + 8, min(wanted, length)), length, end


def _head(file: PositionedFile, start: int, offset: int, flags: tuple[int, int]) -> tuple[int, int]:
    """Flag and length of the part at ``offset`` of the record at ``start``; the flag must be one of two."""
    head = file.read_at(offset, 8)
    if len(head) < 8:
        raise _cut_short(file, start)
    if head[:4] != MAGIC:
        what = "no record begins" if start == offset else f"the record at offset {start} does not go on"
        raise BadDataset(
            f"{file.path}: {what} at offset {offset}: expected the bytes {MAGIC.hex()}, found {head[:4].hex()}. "
            "The file is damaged, or the index belongs to another one."
        )
    word = int.from_bytes(head[4:], "little")
    if word >> 29 not in flags:
        raise BadDataset(f"{file.path}: altered at offset {offset}: part {word >> 29} where {flags} can stand.")
    return word >> 29, word & MAX_LENGTH


def _cut_short(file: PositionedFile, start: int) -> BadDataset:
    return BadDataset(f"{file.path} is cut short: it ends at {file.size} bytes, within the record at offset {start}.")
