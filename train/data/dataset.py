"""Opens a dataset: a folder of shards, or a ``.rec`` file."""

import os
from dataclasses import dataclass
from pathlib import Path

from common.errors import BadDataset
from train.data import shards
from train.data.recordio import Reader
from train.data.shards import Shard

UNFINISHED = ".unfinished"  # prepare_data's folder inside a dataset that it has not finished


@dataclass(frozen=True)
class Dataset:
    """Pictures of people, ready to be trained on.

    Attributes:
        path: the folder of shards, or the ``.rec`` file.
        kind: "shards" or "rec".
        classes: identities; labels are 0..classes-1.
        images: pictures.
        names: the classes' names, or None where nobody gave them.
        image_size: (height, width) where all pictures have that size and it is known, or None.
        counts: pictures of each class where the index of a folder of shards says so, or None.
        shards: the files of a folder of shards.
    """

    path: Path
    kind: str
    classes: int
    images: int
    names: list[str] | None = None
    image_size: tuple[int, int] | None = None
    counts: tuple[int, ...] | None = None
    shards: tuple[Shard, ...] = ()


def open_dataset(path: str | os.PathLike) -> Dataset:
    """What is known of a dataset before any picture is read.

    Args:
        path: a folder of shards, its ``dataset.json``, a ``.rec`` file, or a folder with ``train.rec``.

    Raises:
        BadDataset: nothing of that kind is there, or it is unfinished, cut short or altered; says which file and where.
    """
    path = Path(path)
    folder = path.parent if path.name == shards.INDEX else path
    if (folder / shards.INDEX).is_file():
        return _open_shards(folder)
    if (folder / UNFINISHED).is_dir():
        raise BadDataset(f"{folder} is unfinished: call prepare_data.py again as before, and it goes on.")
    record_file = path / "train.rec" if path.is_dir() else path
    if record_file.suffix == ".rec" and record_file.is_file():
        return _open_rec(record_file)
    raise BadDataset(
        f"No dataset at {path}: expected a folder with {shards.INDEX} (see prepare_data.py), or a .rec file."
    )


def _open_shards(folder: Path) -> Dataset:
    said = shards.read_index(folder / shards.INDEX)
    names = shards.read_names(folder / shards.NAMES, said.classes)
    return Dataset(folder, "shards", said.classes, said.images, names, said.image_size, said.counts, said.shards)


def _open_rec(path: Path) -> Dataset:
    with Reader(path) as reader:
        return Dataset(path, "rec", reader.classes(), len(reader), image_size=reader.image_size())
