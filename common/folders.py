"""Where things live on the user's machine, and how files are written and ordered there."""

import os
import re
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

APPLICATION = "insightface-tensorflow"


def cache_folder() -> Path:
    """Weights, sample photos and compiled networks: all of it can be fetched again. ``RECOGNIZER_CACHE`` moves it."""
    return Path(os.environ.get("RECOGNIZER_CACHE") or user_cache_path(APPLICATION))


def data_folder() -> Path:
    """What the user made: the embedded gallery. ``RECOGNIZER_DATA`` moves it."""
    return Path(os.environ.get("RECOGNIZER_DATA") or user_data_path(APPLICATION))


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file: under another name first, so that a file of this name is always whole."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def natural(name: str) -> tuple:
    """A key that sorts s2 before s10."""
    parts = re.split(r"(\d+)", name)
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts), name


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder last through a power cut, where folders can be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
