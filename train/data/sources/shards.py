"""Folders of shards, to be shuffled anew, selected from or turned into something else."""

from array import array
from functools import cached_property
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from train.data import shards, tfrecord
from train.data.dataset import Dataset, open_dataset
from train.data.positioned import PositionedFile
from train.data.sources.source import Items, Source, file_state
from train.data.texts import Texts, TextsBuilder

OFFSET_BITS = 40  # a place is the shard's number and, in the lower bits, the offset in it


class ShardsSource(Source):
    """A folder with ``dataset.json``."""

    def __init__(self, path: Path):
        super().__init__(path.parent if path.name == shards.INDEX else path)
        self._files: dict[int, PositionedFile] = {}

    @staticmethod
    def fits(path: Path) -> bool:
        return path.name == shards.INDEX or (path / shards.INDEX).is_file()

    def identities(self) -> list[str]:
        return self._dataset.names or [str(label) for label in range(self._dataset.classes)]

    def items(self, chosen: np.ndarray) -> Items:
        new = np.full(self._dataset.classes, -1)
        new[chosen] = np.arange(len(chosen))
        labels, places, names = self._contents(new)
        order = np.argsort(labels, kind="stable")
        ordered = TextsBuilder()
        for number in order:
            ordered.append(names[number])
        return Items(labels[order], places[order], ordered.build())

    def read(self, place: int, name: str | None) -> bytes:
        number, offset = place >> OFFSET_BITS, place & (1 << OFFSET_BITS) - 1
        if number not in self._files:
            self._files[number] = PositionedFile(self.path / self._dataset.shards[number].file)
        return tfrecord.read(self._files[number], offset)[0].jpeg

    @property
    def counts(self) -> tuple[int, ...] | None:
        """Pictures of each class, where the index says so."""
        return self._dataset.counts

    def state(self) -> str:
        return file_state(self.path / shards.INDEX)

    def _contents(self, new: np.ndarray) -> tuple[np.ndarray, np.ndarray, Texts]:
        labels, places, names = array("q"), array("q"), TextsBuilder()
        for number, shard in enumerate(self._dataset.shards):
            with PositionedFile(self.path / shard.file) as file:
                offset = 0
                while offset < file.size:
                    example, behind = tfrecord.read(file, offset)
                    if example.label >= len(new):
                        raise BadDataset(
                            f"{file.path}: the record at offset {offset} has the label {example.label}; there should be"
                            f" {len(new)} classes."
                        )
                    if new[example.label] >= 0:
                        labels.append(new[example.label])
                        places.append(number << OFFSET_BITS | offset)
                        names.append(example.name)
                    offset = behind
        return np.array(labels, np.int64), np.array(places, np.int64), names.build()

    @cached_property
    def _dataset(self) -> Dataset:
        return open_dataset(self.path)

    def __reduce__(self):
        return ShardsSource, (self.path,)
