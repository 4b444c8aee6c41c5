"""Where the pictures of a dataset lie in its files: made once by reading through it, then kept in the user's cache.

With a row for each picture, a picture is one read and no parsing. Parsing a TFRecord's protocol buffer in Python takes
28 us, a third of what decoding its JPEG takes.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from common.folders import cache_folder, sync_folder
from train.data import frames, recordio, tfrecord
from train.data.dataset import Dataset
from train.data.positioned import PositionedFile

FORMAT = 1
# offset: of the record in its file. length: bytes of the record's data; 0 for the rare .rec record in several parts.
# start, size: of the picture within the data.
PLACE = np.dtype([("offset", "<i8"), ("length", "<i4"), ("start", "<i4"), ("size", "<i4"), ("label", "<i4")])


def of_dataset(dataset: Dataset) -> np.ndarray:
    """A row of ``PLACE`` for each picture, in the order of the files, mapped from the cache.

    Raises:
        BadDataset: a file is damaged, does not hold as many pictures as it should, or has a label that is no class.
    """
    kept = cache_folder() / "datasets" / f"{identity(dataset)}.npy"
    places = _read(kept, dataset.images)
    if places is None:
        rows = _shards(dataset) if dataset.kind == "shards" else _rec(dataset.path)
        places = np.fromiter(_shown(rows, dataset.images), PLACE, dataset.images)
        _check_labels(places["label"], dataset)
        _write(kept, places)
    return places


def identity(dataset: Dataset) -> str:
    """64 hexadecimal digits that change when the dataset does: of the checksums of the shards, or of the ``.rec``'s
    index, size and time of change.
    """
    if dataset.kind == "shards":
        parts = [f"{shard.sha256} {shard.images}" for shard in dataset.shards]
    else:
        index, status = dataset.path.with_suffix(".idx"), dataset.path.stat()
        parts = [str(dataset.path.resolve()), str(status.st_size), str(status.st_mtime_ns)]
        parts.append(hashlib.sha256(index.read_bytes()).hexdigest() if index.is_file() else "no index")
    return hashlib.sha256("\n".join([f"{FORMAT} {dataset.kind} {dataset.classes}", *parts]).encode()).hexdigest()


def _shards(dataset: Dataset) -> Iterator[tuple]:
    for shard in dataset.shards:
        with PositionedFile(dataset.path / shard.file) as file:
            found = 0
            for found, row in enumerate(_records(file), 1):  # noqa: B007 - counted beyond the loop
                yield row
        if found != shard.images:
            raise BadDataset(f"{file.path} holds {found} pictures; dataset.json says {shard.images}.")


def _records(file: PositionedFile) -> Iterator[tuple]:
    for offset in tfrecord.offsets(file):
        length = int.from_bytes(file.read_at(offset, 8), "little")
        data = file.read_at(offset + 12, length)
        try:
            example = tfrecord.decode(data)
        except ValueError as error:
            raise BadDataset(f"{file.path}: the record at offset {offset} is not one of ours: {error}.") from None
        yield offset, length, data.index(example.jpeg), len(example.jpeg), min(example.label, 2**31 - 1)


def _rec(path: Path) -> Iterator[tuple]:
    with recordio.Reader(path) as reader, PositionedFile(path) as file:
        for number, label in enumerate(reader.labels()):
            offset = int(reader.offsets[number])
            start, length, behind = frames.peek(file, offset, 4)
            whole = behind == offset + 8 + length + -length % 4
            head = recordio.HEADER.size + 4 * int.from_bytes(start, "little")
            yield offset, length if whole else 0, head, length - head, min(label, 2**31 - 1)


def _check_labels(labels: np.ndarray, dataset: Dataset) -> None:
    wrong = np.flatnonzero(labels >= dataset.classes)
    if len(wrong):
        number = wrong[0]
        raise BadDataset(
            f"{dataset.path}: picture {number} has the label {labels[number]}, but the {dataset.classes} classes are 0 "
            f"to {dataset.classes - 1}."
        )


def _read(path: Path, images: int) -> np.ndarray | None:
    try:
        places = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # not there, or damaged: made again
        return None
    return places if places.dtype == PLACE and places.shape == (images,) else None


def _write(path: Path, places: np.ndarray) -> None:
    """Keep the places. Where the cache cannot be written, the next run reads through the dataset again."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            np.save(stream, places)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            part.unlink()


def _shown(rows: Iterable[tuple], total: int) -> Iterator[tuple]:
    """The rows, counted by a bar on a terminal."""
    if total < 100_000 or not sys.stderr.isatty():
        yield from rows
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("finding the pictures in the files", total=total)
        for number, row in enumerate(rows, 1):
            if number % 1000 == 0:
                bar.update(task, completed=number)
            yield row
