"""A folder of identities, ``FOLDER/NAME/picture.jpg``, as two lists."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from mtcnn.pictures import identity_folders


@dataclass(frozen=True)
class Identities:
    """Pictures, those of one identity one after another.

    Attributes:
        root: the folder.
        names: of the identities, in natural order; some may have no picture.
        files: of n pictures, below ``root``, with slashes.
        labels: int64 ``[n]``, the number of each picture's identity.
    """

    root: Path
    names: list[str]
    files: list[str]
    labels: np.ndarray

    @classmethod
    def of(cls, folder: str | os.PathLike) -> "Identities":
        """Look what there is.

        Raises:
            BadDataset: no such folder, or no picture in it.
        """
        root = Path(folder)
        if not root.is_dir():
            raise BadDataset(f"No such folder: {root}" if not root.exists() else f"{root} is not a folder.")
        people = identity_folders(root)
        files = [f"{name}/{picture.name}" for name, pictures in people for picture in pictures]
        if not files:
            raise BadDataset(f"{root} holds {len(people)} folders without a picture in them.")
        counts = [len(pictures) for _, pictures in people]
        return cls(root, [name for name, _ in people], files, np.repeat(np.arange(len(people)), counts))

    def state(self) -> str:
        """SHA-256 hex of all names, sizes and times of change; no picture is read."""
        digest = hashlib.sha256()
        for file in self.files:
            try:
                found = (self.root / file).stat()
            except OSError as error:
                raise BadDataset(f"{self.root / file} cannot be read: {error.strerror}.") from None
            digest.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
