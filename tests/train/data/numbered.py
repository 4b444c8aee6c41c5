"""Datasets whose pictures tell by their colour which one they are."""

import io

import numpy as np
from PIL import Image

from train.data import open_dataset, recordio, shards
from train.data.tfrecord import Example

SIDE = 16


def picture(number):
    """uint8 [16, 16, 3] RGB: red and green say the number, blue is the opposite on the two halves."""
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = number // 16 * 16, number % 16 * 16
    rgb[:, : SIDE // 2, 2] = 240
    return rgb


def encoded(rgb, kind="JPEG"):
    stream = io.BytesIO()
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(rgb).save(stream, kind, **options)
    return stream.getvalue()


def numbers(pictures):
    """Which pictures these are, from their pixels."""
    means = pictures[..., :2].astype(np.float64).mean(axis=(1, 2))
    sixteenths = np.rint(means / 16).astype(int)
    return sixteenths[:, 0] * 16 + sixteenths[:, 1]


def flipped(pictures):
    """Whether each is mirrored."""
    return pictures[:, :, : SIDE // 2, 2].mean(axis=(1, 2)) < 120


def write_shards(folder, labels, files=3, payloads=None, classes=None):
    """A folder of shards; picture k has labels[k], shards are contiguous parts."""
    folder.mkdir()
    payloads = payloads or [encoded(picture(number)) for number in range(len(labels))]
    parts = np.array_split(np.arange(len(labels)), files)
    written = [
        shards.write_shard(
            folder / shards.file_name("set", number, files),
            [Example(payloads[k], int(labels[k]), f"picture {k}") for k in part],
        )
        for number, part in enumerate(parts)
    ]
    contents = shards.Contents(classes or int(max(labels)) + 1, len(labels), tuple(written), (SIDE, SIDE))
    shards.write_index(folder, contents)
    return open_dataset(folder)


def write_rec(path, labels, payloads=None):
    """A .rec in InsightFace's layout; labels must ascend."""
    payloads = payloads or [encoded(picture(number)) for number in range(len(labels))]
    with recordio.Writer(path) as writer:
        for payload, label in zip(payloads, labels):
            writer.write(payload, int(label))
    return open_dataset(path)
