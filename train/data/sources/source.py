"""The small interface behind which every source of pictures stands."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from train.data.texts import Texts


@dataclass(frozen=True)
class Items:
    """The pictures of some identities.

    Attributes:
        labels: int64 ``[n]``, which of the chosen identities, 0 for the first.
        places: int64 ``[n]``, where the source finds each picture.
        names: what each picture is called, such as ``s1/1.pgm``, or None where pictures have no names.
        notes: what was passed over, in sentences for people.
    """

    labels: np.ndarray
    places: np.ndarray
    names: Texts | None = None
    notes: list[str] = field(default_factory=list)


class Source(ABC):
    """Pictures by identity. A new kind is a subclass in a file here and a line in ``SOURCES``.

    A source is pickled into each worker process, so it opens what it needs when it is first read from.

    Attributes:
        path: file or folder.
    """

    def __init__(self, path: Path):
        self.path = path

    @staticmethod
    @abstractmethod
    def fits(path: Path) -> bool:
        """Whether a path is one of this kind."""

    @abstractmethod
    def identities(self) -> list[str]:
        """The names of all identities, in the order of their labels."""

    @abstractmethod
    def items(self, chosen: np.ndarray) -> Items:
        """The pictures of the identities with these numbers, int64 ``[k]`` ascending; identity by identity."""

    @abstractmethod
    def read(self, place: int, name: str | None) -> bytes:
        """A picture's file.

        Raises:
            BadPicture: this one cannot be read. BadDataset: the source is damaged.
        """

    @abstractmethod
    def state(self) -> str:
        """A text that changes when the source does, as far as that can be told without reading it."""


def file_state(path: Path) -> str:
    """Size and time of a file."""
    state = path.stat()
    return f"{path.name} {state.st_size} {state.st_mtime_ns}"
