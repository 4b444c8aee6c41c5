"""The state of a run on disk: written whole or not at all, checked when read, the newest sound one taken.

A checkpoint is one ``step-000001000.npz``: the variables in order, and ``meta``, JSON text as bytes. NumPy's zip holds
a CRC-32 of each member, so that a cut or altered file is noticed.
"""

import json
import logging
import os
import re
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import BadCheckpoint
from common.folders import sync_folder

log = logging.getLogger(__name__)
_NAME = re.compile(r"step-(\d{9})\.npz")


@dataclass(frozen=True)
class Checkpoint:
    """What was read: ``meta`` as it was given, and the arrays by name."""

    path: Path
    step: int
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of one run. ``keep``: how many of the newest stay."""

    def __init__(self, folder: Path, keep: int = 3):
        self.folder = folder
        self._keep = keep

    def save(self, step: int, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> Path:
        """Write the state after ``step`` steps; older ones go only when it is safely there.

        Raises:
            BadCheckpoint: it cannot be written (disk full); what was there before is untouched.
        """
        path = self.folder / f"step-{step:09d}.npz"
        write(path, arrays, {**meta, "step": step})
        for old in self.paths()[: -self._keep]:
            with suppress(OSError):
                old.unlink()
        return path

    def newest(self) -> Checkpoint | None:
        """The newest that is whole; None where there is none.

        Raises:
            BadCheckpoint: there are some, and none of them can be read.
        """
        paths = self.paths()
        for path in reversed(paths):
            try:
                return read(path)
            except BadCheckpoint as error:
                log.warning("%s The one before it is taken.", error)
        if paths:
            raise BadCheckpoint(
                f"None of the {len(paths)} checkpoints in {self.folder} can be read; start without --resume."
            )
        return None

    def paths(self) -> list[Path]:
        """All of them, the oldest first."""
        return sorted(path for path in self.folder.glob("step-*.npz") if _NAME.fullmatch(path.name))


def write(path: Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Write one file of arrays, replaced at once. Raises BadCheckpoint."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.savez(
                file,
                **{f"v{i:05d}": array for i, array in enumerate(arrays.values())},
                names=_packed(arrays),
                meta=text,
            )
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise BadCheckpoint(
            f"{path} could not be written ({error.strerror}); the checkpoints before it are whole."
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def read(path: Path) -> Checkpoint:
    """Read one file back. Raises BadCheckpoint: it is cut, altered or something else."""
    try:
        with np.load(path, allow_pickle=False) as content:
            meta = json.loads(content["meta"].tobytes())
            names = json.loads(content["names"].tobytes())
            arrays = {name: content[f"v{i:05d}"] for i, name in enumerate(names)}
        return Checkpoint(path, int(meta["step"]), meta, arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BadCheckpoint(f"{path} is damaged ({type(error).__name__}).") from None


def _packed(arrays: dict[str, np.ndarray]) -> np.ndarray:
    return np.frombuffer(json.dumps(list(arrays)).encode(), np.uint8)
