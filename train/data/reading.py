"""The bytes of any pictures of a dataset, by their numbers; threads may share a reader."""

import os
import threading
from collections.abc import Iterator

import numpy as np

from common.errors import BadDataset
from train.data import frames, places, tfrecord
from train.data.dataset import Dataset
from train.data.positioned import PositionedFile


class AnnouncedFile(PositionedFile):
    """A file that the system can be told about before it is read."""

    def announce(self, offset: int, length: int) -> None:
        """These bytes will be read soon."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._stream.fileno(), offset, length, os.POSIX_FADV_WILLNEED)


class DatasetReader:
    """Pictures by number, 0..images-1, in the order of the files.

    Attributes:
        labels: int32 ``[images]``, the class of each picture.
        files: how many pictures each file holds.

    Raises:
        BadDataset: a file is missing or damaged.
    """

    def __init__(self, dataset: Dataset):
        self._places = places.of_dataset(dataset)
        self.labels = self._places["label"]
        if dataset.kind == "shards":
            self._paths = [dataset.path / shard.file for shard in dataset.shards]
            self.files = [shard.images for shard in dataset.shards]
            self._picture = _from_shard
        else:
            self._paths, self.files = [dataset.path], [dataset.images]
            self._picture = _from_rec
        self._firsts = np.cumsum([0, *self.files])
        self._open: dict[int, AnnouncedFile] = {}
        self._lock = threading.Lock()

    def pictures(self, numbers: np.ndarray) -> Iterator[bytes]:
        """The encoded picture of each number.

        Raises:
            BadDataset: a record is cut short or was altered; names the file and the offset.
        """
        rows = self._places[numbers]
        which = np.searchsorted(self._firsts, numbers, "right") - 1
        for file, offset, length, start, size in zip(
            which.tolist(), *(rows[name].tolist() for name in ("offset", "length", "start", "size"))
        ):
            yield self._picture(self._file(file), offset, length, start, size)

    def where(self, number: int) -> str:
        """In words, where a picture lies."""
        file = int(np.searchsorted(self._firsts, number, "right")) - 1
        return f"{self._paths[file]}, the record at offset {self._places[number]['offset']}"

    def announce(self, numbers: np.ndarray) -> None:
        """Tell the system that these pictures will be read soon, so that it reads what lies together at once."""
        numbers = np.sort(numbers)
        breaks = np.flatnonzero((np.diff(numbers) > 1) | np.isin(numbers[1:], self._firsts)) + 1
        for run in np.split(numbers, breaks):
            file = self._file(int(np.searchsorted(self._firsts, run[0], "right")) - 1)
            begin, last = int(self._places[run[0]]["offset"]), self._places[run[-1]]
            file.announce(begin, int(last["offset"]) + int(last["length"]) - begin)

    def _file(self, number: int) -> AnnouncedFile:
        if number not in self._open:
            with self._lock:
                if number not in self._open:
                    self._open[number] = AnnouncedFile(self._paths[number])
        return self._open[number]


def _from_shard(file: PositionedFile, offset: int, length: int, start: int, size: int) -> bytes:
    record = file.read_at(offset, length + 16)
    if record != tfrecord.frame(record[12:-4]):
        raise BadDataset(f"{file.path} was altered: no whole record of {length} bytes is at offset {offset}.")
    return record[12 + start : 12 + start + size]


def _from_rec(file: PositionedFile, offset: int, length: int, start: int, size: int) -> bytes:
    if not length:
        return frames.read(file, offset)[0][start:]
    body = file.read_at(offset, 8 + length)
    if body[:8] != frames.MAGIC + length.to_bytes(4, "little") or len(body) < 8 + length:
        raise BadDataset(f"{file.path} was altered: no whole record of {length} bytes is at offset {offset}.")
    return body[8 + start :]
