"""The script of htmx: fetched into the user's cache by checksum, like weights, and given out from there."""

from functools import lru_cache
from pathlib import Path

from common import config
from networks.fetch import RemoteFile
from networks.fetch import fetch as fetch_file

LISTED = "pages.yaml"
NAME = "htmx"


@lru_cache
def remote() -> RemoteFile:
    """What ``configs/pages.yaml`` says of it."""
    return RemoteFile.from_mapping(config.load(config.packaged(LISTED))[NAME], f"{LISTED}: {NAME}")


def fetch() -> Path:
    """Its path on this machine, brought there where it is missing.

    Raises:
        FetchFailed, ChecksumMismatch: it cannot be had; the message says how to put it there by hand.
    """
    return fetch_file(remote(), progress=False)
