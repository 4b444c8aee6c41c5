"""Rows of embeddings in a folder, filled from the front: they need no memory, and an interrupted run goes on."""

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from common.errors import BadArgument
from common.folders import write_whole

ROWS, ABOUT, DONE, LOCK = "embeddings.npy", "about.json", "done.json", ".lock"
MAX_JSON = 256 * 2**20  # bytes of a description that are read


class KeptRows:
    """Rows float32 ``[n, d]`` of which the first are there, with a note to some of them.

    Attributes:
        done: how many rows are there.
        notes: row -> a word or sentence.
    """

    def __init__(self, folder: Path, shape: tuple[int, int]):
        self._folder, self._shape = folder, shape
        self.done, self.notes = 0, {}
        self._file: BinaryIO | None = None
        self._begin = self._saved = 0

    def append(self, rows: np.ndarray, notes: Sequence[str | None]) -> None:
        """Add float32 ``[k, d]`` and what there is to say of each; ``save`` makes it last.

        Raises:
            BadArgument: the disk is full.
        """
        with _writing(self._folder):
            self._file.write(np.ascontiguousarray(rows, "<f4").tobytes())
        self.notes |= {self.done + number: note for number, note in enumerate(notes) if note is not None}
        self.done += len(rows)

    def save(self) -> None:
        """Make what was added outlast this process and a power cut.

        Raises:
            BadArgument: the disk is full.
        """
        with _writing(self._folder):
            self._file.flush()
            os.fsync(self._file.fileno())
            write_whole(self._folder / DONE, json.dumps({"rows": self.done, "notes": self.notes}))
        self._saved = self.done

    def close(self) -> None:
        """Save what was added, and close the file."""
        try:
            if self.done != self._saved:
                self.save()
        finally:
            with _writing(self._folder):
                self._file.close()

    def array(self) -> np.ndarray:
        """All rows, mapped from the file, read-only.

        Raises:
            BadArgument: the file was altered.
        """
        self._file.flush()
        try:
            found = np.load(self._folder / ROWS, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError) as error:
            raise self._altered() from error
        if found.shape != self._shape or found.dtype != np.float32:
            raise self._altered()
        return found

    def _open(self) -> None:
        path = self._folder / ROWS
        if not path.exists():
            header = io.BytesIO()
            shape = {"descr": "<f4", "fortran_order": False, "shape": self._shape}
            np.lib.format.write_array_header_1_0(header, shape)
            write_whole(path, header.getvalue())
        self._file = path.open("r+b")
        try:
            np.lib.format.read_magic(self._file)
            np.lib.format.read_array_header_1_0(self._file)
        except ValueError:
            raise self._altered() from None
        self._begin = self._file.tell()
        self._go_on()

    def _go_on(self) -> None:
        """Behind the last row that was saved; what comes after it was not."""
        if (self._folder / DONE).exists():
            found = _read_json(self._folder / DONE)
            try:
                self.done = int(found["rows"])
                self.notes = {int(row): str(note) for row, note in found["notes"].items()}
            except (KeyError, TypeError, ValueError, AttributeError):
                raise self._altered() from None
        end = self._begin + 4 * self.done * self._shape[1]
        if not 0 <= self.done <= self._shape[0] or self._file.seek(0, os.SEEK_END) < end:
            raise self._altered()
        self._file.seek(end)
        self._saved = self.done

    def _altered(self) -> BadArgument:
        return BadArgument(f"{self._folder} is damaged: its files do not fit together. Remove it.")


@contextmanager
def kept_rows(folder: Path, about: dict[str, Any], shape: tuple[int, int]) -> Iterator[KeptRows]:
    """The rows in a folder, which is made where it is missing. What was added is saved at the end, error or not.

    Args:
        folder: new, empty, or what an earlier call with the same ``about`` left.
        about: all that decides what the rows are, JSON values.
        shape: (n, d).

    Raises:
        BadArgument: the folder holds something else, is in use, or cannot be written.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(folder / LOCK).acquire(timeout=0)
        except Timeout:
            raise BadArgument(f"Another process is filling {folder}. Wait for it, or choose another one.") from None
    with lock:
        with _writing(folder):
            _claim(folder, {**about, "shape": list(shape)})
            rows = KeptRows(folder, shape)
            rows._open()
        try:
            yield rows
        finally:
            rows.close()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadArgument(f"{folder} cannot hold embeddings: {error.strerror or error}.") from None


def _claim(folder: Path, about: dict[str, Any]) -> None:
    if (folder / ABOUT).is_file():
        found = _read_json(folder / ABOUT)
        found = found if isinstance(found, dict) else {}
        other = [key for key in about if found.get(key) != about[key]]
        if other:
            raise BadArgument(
                f"{folder} holds embeddings that were made otherwise ({', '.join(other)}). Choose another folder, or "
                "remove that one."
            )
        return
    others = [path.name for path in folder.iterdir() if path.name != LOCK]
    if others:
        raise BadArgument(f"{folder} holds other things, such as {others[0]}. Choose a new or an empty folder.")
    write_whole(folder / ABOUT, json.dumps(about, indent=1))


def _read_json(path: Path) -> Any:
    with path.open("rb") as file:
        text = file.read(MAX_JSON + 1)
    try:
        return json.loads(text) if len(text) <= MAX_JSON else None
    except (ValueError, RecursionError):
        return None
