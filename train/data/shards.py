"""A dataset of shards: a folder of TFRecord files, ``dataset.json`` that lists them, and ``names.txt``.

``dataset.json`` is written last, so a folder that has one is complete::

    {"format": 1, "classes": 30, "images": 300, "image_size": [112, 112], "counts": [10, 10, ...],
     "shards": [{"file": "orl-00000-of-00016.tfrecord", "images": 19, "bytes": 71234, "sha256": "..."}, ...],
     "made": {"source": "...", "seed": 0}}
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common.errors import BadDataset
from common.folders import sync_folder, write_whole
from train.data import tfrecord
from train.data.positioned import PositionedFile
from train.data.tfrecord import Example

FORMAT = 1
INDEX, NAMES = "dataset.json", "names.txt"
MAX_INDEX_BYTES = 64 * 2**20  # a shard takes 150 bytes there


@dataclass(frozen=True)
class Shard:
    """A TFRecord file of a dataset.

    Attributes:
        file: its name in the dataset's folder.
        images, bytes: what it holds, and its size.
        sha256: of the whole file, 64 hexadecimal digits.
    """

    file: str
    images: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Contents:
    """What ``dataset.json`` says.

    Attributes:
        classes, images: how many; labels are 0..classes-1.
        image_size: (height, width), or None where pictures differ in size.
        shards: the files, in order.
        counts: pictures of each class, or None where nobody counted.
        made: how it came about: source, seed, options.
    """

    classes: int
    images: int
    shards: tuple[Shard, ...]
    image_size: tuple[int, int] | None = None
    counts: tuple[int, ...] | None = None
    made: dict[str, Any] = field(default_factory=dict)


def file_name(name: str, number: int, count: int) -> str:
    """``orl-00003-of-00016.tfrecord``."""
    return f"{name}-{number:05d}-of-{count:05d}.tfrecord"


def write_shard(path: Path, examples: Iterable[Example]) -> Shard:
    """Write a shard: under another name first, so that a file of this name is always whole."""
    digest, images = hashlib.sha256(), 0
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            for example in examples:
                record = tfrecord.frame(tfrecord.encode(example))
                stream.write(record)
                digest.update(record)
                images += 1
            size = stream.tell()
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)
    return Shard(path.name, images, size, digest.hexdigest())


def read_shard(path: str | os.PathLike) -> Iterator[Example]:
    """The examples of a shard, in order, each compared with its checksum.

    Raises:
        BadDataset: the file is missing, cut short or altered; names the offset.
    """
    with PositionedFile(path) as file:
        offset = 0
        while offset < file.size:
            example, offset = tfrecord.read(file, offset)
            yield example


def check_shard(folder: Path, shard: Shard) -> None:
    """Compare a shard with what the index says of it, byte by byte.

    Raises:
        BadDataset: it is missing, or not what it was when it was written.
    """
    path = folder / shard.file
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror}.") from None
    if found != shard.sha256:
        raise BadDataset(f"{path} was altered: expected SHA-256 {shard.sha256}, found {found}.")


def write_index(folder: Path, contents: Contents, names: list[str] | None = None) -> None:
    """Write ``names.txt`` (a line for each class) and then ``dataset.json``, which makes the dataset complete."""
    if names is not None:
        write_whole(folder / NAMES, "".join(f"{one_line(name)}\n" for name in names))
    document = {"format": FORMAT, **asdict(contents)}
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in document.items())
    write_whole(folder / INDEX, "{" + ",\n ".join(lines) + "}\n")


def one_line(name: str) -> str:
    """A name in which nothing ends the line."""
    return " ".join(name.splitlines()) if len(name.splitlines()) > 1 else name.rstrip("\r\n")


def read_index(path: Path) -> Contents:
    """What a ``dataset.json`` says, checked; each file's size is compared.

    Raises:
        BadDataset: it cannot be read, is of another format, or does not fit the files beside it.
    """
    try:
        if path.stat().st_size > MAX_INDEX_BYTES:
            raise BadDataset(f"{path} is larger than {MAX_INDEX_BYTES} bytes: that is no index of a dataset.")
        stated = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise BadDataset(f"{path} is not valid JSON: {error}") from None
    if not isinstance(stated, dict) or stated.get("format") != FORMAT:
        raise BadDataset(f"{path} is no index of a dataset, or one of another format than {FORMAT}.")
    contents = _checked(stated, str(path))
    for shard in contents.shards:
        _check_size(path.parent / shard.file, shard.bytes)
    return contents


def read_names(path: Path, classes: int) -> list[str] | None:
    """The names of the classes in ``names.txt``, or None where there is none.

    Raises:
        BadDataset: it has not one line for each class.
    """
    if not path.is_file():
        return None
    names = path.read_text("utf-8", "surrogateescape").split("\n")[:-1]
    if len(names) != classes:
        raise BadDataset(f"{path} has {len(names)} lines; expected one for each of the {classes} classes.")
    return names


def _checked(stated: dict, where: str) -> Contents:
    try:
        shards = tuple(Shard(each["file"], each["images"], each["bytes"], each["sha256"]) for each in stated["shards"])
        size, counts, made = stated.get("image_size"), stated.get("counts"), stated.get("made", {})
        classes, images = stated["classes"], stated["images"]
    except (KeyError, TypeError):
        expected = "classes, images, and shards with file, images, bytes and sha256"
        raise BadDataset(f"{where}: expected {expected}.") from None
    numbers = [classes, images, *(number for each in shards for number in (each.images, each.bytes))]
    texts = [text for each in shards for text in (each.file, each.sha256)]
    if not _are_counts(numbers) or not all(type(text) is str for text in texts) or not isinstance(made, dict):
        raise BadDataset(f"{where}: numbers must be whole, from 0 up; file and sha256 texts; made a mapping.")
    for shard in shards:
        if Path(shard.file).name != shard.file or "\\" in shard.file:
            raise BadDataset(f"{where} lists {shard.file!r}, which is not a file in that folder.")
    if sum(shard.images for shard in shards) != images:
        raise BadDataset(f"{where}: the shards' images do not add up to {images}.")
    if size is not None and not (_are_counts(size) and len(size) == 2 and min(size) > 0):
        raise BadDataset(f"{where}: image_size must be null or [height, width], not {size!r}.")
    if counts is not None and not (_are_counts(counts) and len(counts) == classes and sum(counts) == images):
        raise BadDataset(f"{where}: counts must be null, or of {classes} classes and add up to {images}.")
    return Contents(classes, images, shards, size and tuple(size), counts and tuple(counts), made)


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_size(path: Path, expected: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror}.") from None
    if found != expected:
        raise BadDataset(f"{path} has {found} bytes; {INDEX} says {expected}. It was cut short or altered.")
