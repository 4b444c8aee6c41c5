"""Raw embeddings on disk, a file for each portion of the pictures, so that an interrupted run goes on."""

import hashlib
import io
from pathlib import Path

import numpy as np

from common.errors import BadArgument
from common.folders import write_whole
from eval.ijb.lists import Faces


class Cache:
    """Portions of raw embeddings, float32 ``[k, s, d]``.

    Args:
        folder: made where missing.

    Raises:
        BadArgument: it cannot be made, or is a file.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadArgument(f"{folder} cannot hold embeddings: {error.strerror or error}.") from None

    def read(self, start: int, count: int, sides: int, size: int) -> np.ndarray | None:
        """The portion that begins with picture ``start``, None where it is not there, damaged, or without the mirror.

        Args:
            count: pictures of the portion; sides: 2 if mirrored faces are needed; size: length of an embedding.
        """
        try:
            with self._path(start).open("rb") as file:
                found = np.load(io.BytesIO(file.read(_most_bytes(count, size))), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        fits = found.dtype == np.float32 and found.ndim == 3 and found.shape[1] in (sides, 2)
        return found if fits and found.shape[::2] == (count, size) and np.isfinite(found).all() else None

    def write(self, start: int, raw: np.ndarray) -> None:
        """Keep a portion, whole or not at all.

        Raises:
            BadArgument: the disk is full, or the folder cannot be written to.
        """
        buffer = io.BytesIO()
        np.save(buffer, raw, allow_pickle=False)
        try:
            write_whole(self._path(start), buffer.getvalue())
        except OSError as error:
            raise BadArgument(f"{self._path(start)} cannot be written: {error.strerror or error}.") from None

    def _path(self, start: int) -> Path:
        return self.folder / f"{start:08}.npy"


def key(faces: Faces, *parts: str) -> str:
    """What raw embeddings depend on, as a folder's name: ``parts`` (network, engine) and the list of faces."""
    digest = hashlib.sha256("\n".join([*parts, *faces.names]).encode())
    digest.update(faces.landmarks.tobytes())
    return digest.hexdigest()[:20]


def _most_bytes(count: int, size: int) -> int:
    return 1024 + count * 2 * size * 4
