"""``.rec`` files (MS1M, CASIA-WebFace, emore, glint360k): identities are numbers."""

from functools import cached_property
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from train.data import recordio
from train.data.positioned import PositionedFile
from train.data.sources.source import Items, Source, file_state


class RecSource(Source):
    """A ``.rec`` file, or a folder with ``train.rec``; the identity named "17" is that of label 17."""

    def __init__(self, path: Path):
        super().__init__(_record_file(path))

    @staticmethod
    def fits(path: Path) -> bool:
        return _record_file(path).suffix == ".rec" and _record_file(path).is_file()

    def identities(self) -> list[str]:
        return [str(label) for label in range(self._contents[0])]

    def items(self, chosen: np.ndarray) -> Items:
        classes, labels, offsets = self._contents
        new = np.full(classes, -1)
        new[chosen] = np.arange(len(chosen))
        labels = new[labels]
        order = np.argsort(labels, kind="stable")[(labels < 0).sum() :]
        return Items(labels[order], offsets[order])

    def read(self, place: int, name: str | None) -> bytes:
        return recordio.read_at(self._file, place).payload

    def state(self) -> str:
        index = self.path.with_suffix(".idx")
        return " ".join(file_state(path) for path in (self.path, index) if path.is_file())

    @cached_property
    def _contents(self) -> tuple[int, np.ndarray, np.ndarray]:
        """Classes, and of all pictures labels and offsets."""
        with recordio.Reader(self.path) as reader:
            classes, labels = reader.classes(), reader.labels()
            wrong = np.flatnonzero(labels >= classes)
            if len(wrong):
                raise BadDataset(
                    f"{self.path}: the record at offset {reader.offsets[wrong[0]]} has the label {labels[wrong[0]]}; "
                    f"there should be {classes} identities."
                )
            return classes, labels, reader.offsets

    @cached_property
    def _file(self) -> PositionedFile:
        return PositionedFile(self.path)

    def __reduce__(self):
        return RecSource, (self.path,)


def _record_file(path: Path) -> Path:
    return path / "train.rec" if path.is_dir() else path
