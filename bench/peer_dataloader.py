"""PyTorch's DataLoader on a ``.rec`` file, for ``bench/pipeline.py``; runs in the peers' environment, alone.

As in arcface_torch: random access to records by the ``.idx``, OpenCV decodes, the flip is drawn for each picture, and
worker processes put batches together. arcface_torch reads through mxnet; here the few bytes around a picture are cut
off in Python.
"""

import random
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

HEADER = struct.Struct("<IIIfQQ")  # the frame's magic and length, then flag, label and two ids


class Records(Dataset):
    """The pictures of a ``.rec`` in InsightFace's layout: uint8 ``[h, w, 3]`` RGB, half of them mirrored, and label."""

    def __init__(self, path: str):
        index = np.loadtxt(Path(path).with_suffix(".idx"), np.int64)
        offsets = dict(index.tolist())
        with open(path, "rb") as file:  # noqa: PTH123
            file.seek(offsets[0])
            end = int(struct.unpack("<f", file.read(HEADER.size + 4)[HEADER.size :])[0])
        self._path, self._file = path, None
        self._offsets = [offsets[key] for key in range(1, end)]

    def __len__(self) -> int:
        return len(self._offsets)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        self._file = self._file or open(self._path, "rb")  # noqa: PTH123, SIM115 - each worker its own
        self._file.seek(self._offsets[number])
        _, length, flag, label, _, _ = HEADER.unpack(self._file.read(HEADER.size))
        body = self._file.read(length - 24)[4 * flag :]
        picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR_RGB)
        if random.random() < 0.5:
            picture = cv2.flip(picture, 1)
        return torch.from_numpy(picture), int(label)


def loader(path: str, batch: int, workers: int) -> Callable[[int], int]:
    """A function that takes so many batches from an endless loader and returns how many pictures they hold."""
    feed = DataLoader(
        Records(path), batch, shuffle=True, num_workers=workers, persistent_workers=True, drop_last=True,
        worker_init_fn=lambda _: cv2.setNumThreads(1),
    )  # fmt: skip
    batches = endless(feed)
    return lambda count: sum(len(next(batches)[1]) for _ in range(count))


def endless(feed: DataLoader):
    """Its batches, epoch after epoch."""
    while True:
        yield from feed
