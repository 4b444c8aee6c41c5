"""TFRecord files of ``tf.train.Example`` without TensorFlow, which takes six seconds to import in each process.

A record is: uint64 length, masked CRC-32C of those 8 bytes, the data, masked CRC-32C of the data. The data are protocol
buffers: an Example (field 1) of Features, a map (field 1) from a name (1) to a Feature (2), which is a list of bytes
(field 1) or of int64 (field 3).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import google_crc32c

from common.errors import BadDataset
from train.data.positioned import PositionedFile

MAX_BYTES = 2**28  # of a record; a picture has kilobytes
BYTES, VARINT, FIXED64, FIXED32 = 2, 0, 1, 5  # wire types of protocol buffers


class Example(NamedTuple):
    """A picture and its class.

    Attributes:
        jpeg: the encoded picture.
        label: its class.
        name: where it comes from, such as ``s1/1.pgm``; empty where nobody said.
    """

    jpeg: bytes
    label: int
    name: str = ""


def encode(example: Example) -> bytes:
    """An example as a serialised ``tf.train.Example``: ``jpeg``, ``label`` and, where it has one, ``name``."""
    features = _feature(b"jpeg", 1, _field(1, example.jpeg))
    features += _feature(b"label", 3, _field(1, _varint(example.label)))
    if example.name:
        features += _feature(b"name", 1, _field(1, example.name.encode("utf-8", "surrogateescape")))
    return _field(1, features)


def decode(data: bytes) -> Example:
    """The reverse of ``encode``; other features are passed over.

    Raises:
        ValueError: it is no ``tf.train.Example`` with the features ``jpeg`` and ``label``.
    """
    found = {}
    for features in _fields(data, 1):
        for entry in _fields(features, 1):
            name, feature = _last(entry, 1), _last(entry, 2)
            found[name] = feature
    try:
        label = _label(_last(_last(found[b"label"], 3), 1))
        name = _last(_last(found[b"name"], 1), 1) if b"name" in found else b""
        return Example(_last(_last(found[b"jpeg"], 1), 1), label, name.decode("utf-8", "surrogateescape"))
    except KeyError as error:
        raise ValueError(f"the feature {error.args[0].decode()!r} is missing") from None


def frame(data: bytes) -> bytes:
    """A record as it stands in a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _masked_crc(length), data, _masked_crc(data)))


def read(file: PositionedFile, offset: int) -> tuple[Example, int]:
    """The example at an offset, and the offset behind it; checksums are compared.

    Raises:
        BadDataset: none is there whole; names the file and the offset.
    """
    length = _length(file, offset)
    body = file.read_at(offset + 12, length + 4)
    if body[length:] != _masked_crc(body[:length]):
        raise BadDataset(f"{file.path} was altered: the record at offset {offset} does not fit its checksum.")
    try:
        return decode(body[:length]), offset + length + 16
    except ValueError as error:
        raise BadDataset(f"{file.path}: the record at offset {offset} is not one of ours: {error}.") from None


def offsets(file: PositionedFile) -> Iterator[int]:
    """Where the records of a file begin: a small read for each.

    Raises:
        BadDataset: the file is cut short, or a length was altered; names the offset.
    """
    offset = 0
    while offset < file.size:
        length = _length(file, offset)
        yield offset
        offset += length + 16


def _length(file: PositionedFile, offset: int) -> int:
    head = file.read_at(offset, 12)
    length = int.from_bytes(head[:8], "little")
    if len(head) == 12 and head[8:] != _masked_crc(head[:8]):
        raise BadDataset(f"{file.path}: no record begins at offset {offset}: its length does not fit its checksum.")
    if len(head) < 12 or offset + length + 16 > file.size:
        raise BadDataset(
            f"{file.path} is cut short: it ends at {file.size} bytes, within the record at offset {offset}."
        )
    if length > MAX_BYTES:
        raise BadDataset(f"{file.path}: the record at offset {offset} claims {length} bytes; at most {MAX_BYTES}.")
    return length


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _feature(name: bytes, kind: int, values: bytes) -> bytes:
    return _field(1, _field(1, name) + _field(2, _field(kind, values)))


def _field(number: int, data: bytes) -> bytes:
    return b"".join((_varint(number << 3 | BYTES), _varint(len(data)), data))


def _varint(value: int) -> bytes:
    """A whole number from 0 up, seven bits a byte, the lowest first."""
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _fields(data: bytes, wanted: int) -> Iterator[bytes]:
    """The byte fields of that number."""
    place = 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        kind, length = tag & 7, 0
        if kind == VARINT:
            _, place = _read_varint(data, place)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        elif kind == BYTES:
            length, place = _read_varint(data, place)
        else:
            raise ValueError(f"wire type {kind} in its protocol buffer")
        if place + length > len(data):
            raise ValueError("its protocol buffer is cut short")
        if kind == BYTES and tag >> 3 == wanted:
            yield data[place : place + length]
        place += length


def _last(data: bytes, wanted: int) -> bytes:
    """The byte field of that number; protocol buffers let the last of several count."""
    found = list(_fields(data, wanted))
    if not found:
        raise ValueError(f"field {wanted} of its protocol buffer is missing")
    return found[-1]


def _label(data: bytes) -> int:
    """The one int64 of an Int64List's packed values."""
    value, place = _read_varint(data, 0)
    if place != len(data) or value >= 2**63:
        raise ValueError("its label must be one whole number from 0 up")
    return value


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        value |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return value, place
        shift += 7
    raise ValueError("a number in its protocol buffer does not end")
