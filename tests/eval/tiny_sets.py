"""Verification sets of noisy 8x6 pictures, small enough for a test, and what a tiny model makes of them by hand."""

import numpy as np

import eval
from tests.recognizer import tiny_models


def write_set(path, pairs=60, noise=60, seed=0, shape=(8, 6)):
    """Write a ``.bin``: every other pair is a picture and a noisy copy of it; its pictures and issame."""
    draw = np.random.default_rng(seed)
    issame = np.arange(pairs) % 2 == 0
    first = draw.integers(0, 256, (pairs, *shape, 3))
    copies = first + draw.normal(0, noise, first.shape)
    second = np.where(issame[:, None, None, None], copies, draw.integers(0, 256, first.shape))
    pictures = np.stack([first, np.clip(second, 0, 255)], 1).reshape(2 * pairs, *shape, 3).astype(np.uint8)
    eval.write_bin(path, list(pictures), issame)
    return pictures, issame


def weights(seed=1, size=5):
    """Those of ``tiny_models.model``."""
    return np.random.default_rng(seed).normal(size=(8 * 6 * 3, size)).astype(np.float32)


def embeddings(pictures, flip, seed=1):
    """What ``tiny_models.model`` gives, one picture at a time."""
    return np.array([_embedding(picture, flip, seed) for picture in pictures])


def _embedding(picture, flip, seed):
    once, mirrored = (_output(each, seed) for each in (picture, picture[:, ::-1]))
    if flip == "sum_normalised":
        once, mirrored = once / np.linalg.norm(once), mirrored / np.linalg.norm(mirrored)
    found = once if flip == "none" else once + mirrored
    return found / np.linalg.norm(found)


def _output(picture, seed):
    fed = (picture[:, :, ::-1].astype(np.float64) - tiny_models.CARD.mean) / tiny_models.CARD.scale
    return fed.reshape(-1) @ weights(seed).astype(np.float64)
