"""All pictures of a small dataset at once, for people who are measured and not learned from."""

import numpy as np

from common.errors import BadDataset
from mtcnn.pictures import read_picture
from train.data import shards
from train.data.dataset import Dataset
from train.data.recordio import Reader

LARGEST = 50_000  # pictures; at 112x112 they take 1.9 GB


def read_all(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 ``[n, h, w, 3]`` BGR and labels int64 ``[n]``, in the order of the files.

    Raises:
        BadDataset: pictures of several sizes, more than 50,000, or a damaged file.
    """
    if dataset.images > LARGEST:
        raise BadDataset(f"{dataset.path} has {dataset.images} pictures: at most {LARGEST} are compared in memory.")
    pictures, labels = [], []
    for encoded, label in _records(dataset):
        pictures.append(read_picture(encoded))
        labels.append(label)
        if pictures[-1].shape != pictures[0].shape:
            sizes = " and ".join(f"{p.shape[0]}x{p.shape[1]}" for p in (pictures[0], pictures[-1]))
            raise BadDataset(f"{dataset.path} has pictures of {sizes}: all must have one size.")
    return np.stack(pictures), np.array(labels, np.int64)


def _records(dataset: Dataset):
    if dataset.kind == "rec":
        with Reader(dataset.path) as reader:
            for number in range(len(reader)):
                record = reader[number]
                yield record.payload, record.identity
        return
    for shard in dataset.shards:
        for example in shards.read_shard(dataset.path / shard.file):
            yield example.jpeg, example.label
