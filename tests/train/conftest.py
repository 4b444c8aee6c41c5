"""A dataset of five coloured patterns, and configurations small enough to train within a test."""

import cv2
import numpy as np
import pytest
import yaml

from networks import backbones
from train.data import shards
from train.data.tfrecord import Example


def patterns(count, classes, size, seed=0):
    """Pictures uint8 ``[count, size, size, 3]`` BGR, each a noisy copy of its class's pattern, and their classes."""
    random = np.random.default_rng(seed)
    bases = np.random.default_rng(1).integers(40, 215, (classes, 4, 4, 3)).astype(np.uint8)
    labels = np.arange(count) % classes
    smooth = np.stack([cv2.resize(bases[label], (size, size), interpolation=cv2.INTER_CUBIC) for label in labels])
    return np.clip(smooth + random.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8), labels


def write_dataset(folder, count=60, classes=5, size=32, seed=0):
    """The patterns as a folder of two shards."""
    folder.mkdir(parents=True)
    pictures, labels = patterns(count, classes, size, seed)
    encoded = [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for picture in pictures]
    examples = [Example(jpeg, int(label)) for jpeg, label in zip(encoded, labels)]
    made = [shards.write_shard(folder / shards.file_name("patterns", i, 2), examples[i::2]) for i in range(2)]
    shards.write_index(folder, shards.Contents(classes, count, tuple(made), (size, size)))
    return folder


@pytest.fixture(scope="session")
def pattern_dataset(tmp_path_factory):
    """60 pictures of 32x32 of five classes."""
    return write_dataset(tmp_path_factory.mktemp("patterns") / "train")


@pytest.fixture(scope="session")
def strangers(tmp_path_factory):
    """20 more pictures of the same patterns with other noise."""
    return write_dataset(tmp_path_factory.mktemp("strangers") / "test", count=20, seed=5)


@pytest.fixture(autouse=True)
def tiny_backbone():
    """The backbone "tiny"."""
    from tests.train import tiny_backbone

    tiny_backbone.register()
    yield
    del backbones.BACKBONES._targets["tiny"]


@pytest.fixture
def settings(pattern_dataset):
    """A small configuration, as a mapping; tests change it."""
    return {
        "name": "small",
        "data": {"train": str(pattern_dataset), "batch": 8, "image_size": [32, 32]},
        "backbone": {"name": "tiny", "embedding_size": 16},
        "head": {"name": "arcface", "margin": 0.2, "scale": 16.0},
        "optimizer": {"name": "sgd", "momentum": 0.9, "weight_decay": 5e-4},
        "schedule": {"name": "constant", "learning_rate": 0.01},
        "training": {"duration": 8},
        "checkpoints": {"every": 4},
        "log": {"every": 1, "tensorboard": False},
        "bundle": {"formats": ["keras"]},
    }


@pytest.fixture
def config_file(settings, tmp_path):
    """A function that writes the settings to a file and returns its path."""

    def write():
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write
