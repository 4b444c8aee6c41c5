"""What datasets are prepared from: one file for each kind of source."""

import os
from pathlib import Path

from common.errors import BadDataset
from common.registry import Registry
from train.data.sources.source import Items, Source

__all__ = ["SOURCES", "Items", "Source", "open_source"]

SOURCES = Registry(
    "kind of source",
    {
        "rec": "train.data.sources.rec:RecSource",
        "shards": "train.data.sources.shards:ShardsSource",
        "list": "train.data.sources.listed:ListSource",
        "folder": "train.data.sources.folders:FolderSource",
    },
)


def open_source(path: str | os.PathLike) -> Source:
    """The source of the first kind that a path fits.

    Raises:
        BadDataset: it fits none, or what is there is damaged.
    """
    path = Path(path)
    for kind in SOURCES.values():
        if kind.fits(path):
            return kind(path)
    wrong = f"{path} is neither" if path.exists() else f"No such source: {path}. Expected"
    raise BadDataset(
        f"{wrong} a .rec file, a folder of shards, a list of pictures (.txt or .lst), or a folder of identities."
    )
