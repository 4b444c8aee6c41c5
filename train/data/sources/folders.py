"""Folders of identities: ``FOLDER/NAME/picture.jpg``."""

import hashlib
import os
from array import array
from pathlib import Path

import numpy as np

from common.errors import BadDataset, BadPicture
from common.folders import natural
from mtcnn.pictures import SUFFIXES
from train.data.sources.source import Items, Source
from train.data.texts import TextsBuilder

MAX_BYTES = 2**30  # of one picture


class FolderSource(Source):
    """Each folder directly in ``path`` is an identity, each picture file directly in it one of its pictures.

    Folders and pictures come in natural order, s2 before s10. Hidden ones are passed over.
    """

    @staticmethod
    def fits(path: Path) -> bool:
        return path.is_dir()

    def identities(self) -> list[str]:
        names = sorted((entry.name for entry in self._entries(self.path) if entry.is_dir()), key=natural)
        if not names:
            raise BadDataset(f"{self.path} holds no folder of an identity. Expected FOLDER/NAME/picture.jpg.")
        return names

    def items(self, chosen: np.ndarray) -> Items:
        folders = self.identities()
        labels, names, notes = array("q"), TextsBuilder(), []
        beside = [entry.name for entry in self._entries(self.path) if not entry.is_dir()]
        self._note(notes, beside, f"in {self.path}, but in no identity's folder")
        for label, number in enumerate(chosen):
            folder = folders[number]
            entries = sorted((entry for entry in self._entries(self.path / folder)), key=lambda e: natural(e.name))
            pictures = [each.name for each in entries if each.is_file() and each.name.lower().endswith(SUFFIXES)]
            taken = set(pictures)
            others = [each.name for each in entries if each.name not in taken]
            self._note(notes, others, f"in {self.path / folder}, but no pictures by their names")
            for picture in pictures:
                labels.append(label)
                names.append(f"{folder}/{picture}")
        return Items(np.array(labels, np.int64), np.arange(len(labels)), names.build(), notes)

    def read(self, place: int, name: str | None) -> bytes:
        return read_file(self.path / name)

    def state(self) -> str:
        """Names of all folders; pictures are not asked for, since ten million of them would take minutes."""
        return hashlib.sha256("\n".join(self.identities()).encode("utf-8", "surrogateescape")).hexdigest()

    def _entries(self, folder: Path) -> list[os.DirEntry]:
        try:
            with os.scandir(folder) as entries:
                return [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            raise BadDataset(f"{folder} cannot be read: {error.strerror}.") from None

    @staticmethod
    def _note(notes: list[str], names: list[str], where: str) -> None:
        if names:
            shown = ", ".join(sorted(names, key=natural)[:3]) + (", ..." if len(names) > 3 else "")
            notes.append(f"{len(names)} passed over, {where}: {shown}")


def read_file(path: Path) -> bytes:
    """A picture's file, as it is.

    Raises:
        BadPicture: it cannot be read, or is no regular file.
    """
    try:
        if not path.is_file():  # a pipe or device could block or never end
            raise BadPicture(f"{path} is not a regular file." if path.exists() else f"No such picture: {path}")
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadPicture(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise BadPicture(f"{path} has more than {MAX_BYTES} bytes.")
    return data
