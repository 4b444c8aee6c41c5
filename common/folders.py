"""Where things live on the user's machine. Each folder can be moved by an environment variable."""

import os
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


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder last through a power cut, where folders can be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
