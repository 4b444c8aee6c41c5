"""Reading from any place of a file, from several threads at once, however large the file."""

import os
import threading
from pathlib import Path

from common.errors import BadDataset


class PositionedFile:
    """A file opened for reading at offsets; threads may share it, and a pickled copy opens it anew.

    Attributes:
        path: the file.
        size: its bytes when it was opened.

    Raises:
        BadDataset: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            self._stream = self.path.open("rb", buffering=0)
            self.size = os.fstat(self._stream.fileno()).st_size
        except OSError as error:
            raise BadDataset(f"{self.path} cannot be read: {error.strerror}.") from None
        self._lock = threading.Lock()

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``; fewer where the file ends before.

        Raises:
            BadDataset: the disk failed, or the file is closed.
        """
        try:
            if hasattr(os, "pread"):
                return os.pread(self._stream.fileno(), length, offset)
            with self._lock:
                self._stream.seek(offset)
                return self._stream.read(length)
        except (OSError, ValueError) as error:
            raise BadDataset(f"{self.path} cannot be read at offset {offset}: {error}.") from None

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> "PositionedFile":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __reduce__(self):
        return PositionedFile, (self.path,)
