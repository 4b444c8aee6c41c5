"""What a source is asked for: where to write, how large the file may get, whom to tell of progress."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from common.errors import FetchFailed

CHUNK = 2**18


@dataclass(frozen=True)
class Delivery:
    """One file to be written by a source.

    Attributes:
        target: path to write to; an existing file there is overwritten.
        max_bytes: a larger file is refused.
        report: called with (bytes written so far, bytes in all or None where unknown).
    """

    target: Path
    max_bytes: int
    report: Callable[[int, int | None], None]

    def check_size(self, size: int) -> None:
        """Raises:
        FetchFailed: ``size`` bytes are more than the file may have.
        """
        if size > self.max_bytes:
            raise FetchFailed(f"larger than the {self.max_bytes} bytes it may have")

    def copy(self, stream: BinaryIO) -> None:
        """Write all that ``stream`` holds to the target.

        Raises:
            FetchFailed: it holds more than ``max_bytes``.
        """
        written = 0
        with self.target.open("wb") as out:
            while chunk := stream.read(CHUNK):
                written += len(chunk)
                self.check_size(written)
                out.write(chunk)
