"""A file on this machine."""

import os
from pathlib import Path

from common.errors import FetchFailed
from networks.sources.delivery import Delivery
from networks.sources.forms import LocalPath


def file(delivery: Delivery, path: LocalPath) -> None:
    """Copy a local file; ``~`` and environment variables in ``path`` are expanded."""
    place = Path(os.path.expandvars(path)).expanduser()
    if not place.is_file():
        raise FetchFailed(f"there is no file {place}")
    with place.open("rb") as stream:
        delivery.copy(stream)
