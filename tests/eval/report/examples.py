"""Measurements whose similarities are chosen, and sets whose pictures can be told apart."""

from pathlib import Path

import numpy as np

import eval
from eval.bins import PairPictures
from eval.measuring import Measurement
from eval.sets import Provenance, VerificationSet
from networks.card import ModelCard

DIGEST = "5e" * 32


def pictures_of(count, side=24):
    """Pictures uint8 ``[count, side, side, 3]``, each of one colour that ``number_of`` reads back."""
    numbers = np.arange(count)
    levels = np.stack([numbers // 64, numbers // 8 % 8, numbers % 8], 1) * 32 + 16
    return np.broadcast_to(levels[:, None, None].astype(np.uint8), (count, side, side, 3)).copy()


def number_of(picture):
    """Which of ``pictures_of`` this is, JPEG's errors notwithstanding."""
    first, second, third = (picture.reshape(-1, 3).mean(0) // 32).astype(int)
    return int(first * 64 + second * 8 + third)


def provenance_of(names, **changes):
    stated = {
        "source": "faces, folder of identities", "detector": "mtcnn", "enlarge": 1.0, "border": 0,
        "date": "2026-11-20", "names": names, "missed": [], "rule": "centre", "excluded_pairs": 0,
    }  # fmt: skip
    return Provenance(**stated | changes)


def set_of(issame, name="toy", provenance=None, pictures=None):
    issame = np.array(issame, bool)
    pictures = pictures_of(2 * len(issame)) if pictures is None else pictures
    held = PairPictures(pictures, np.arange(len(pictures)))
    return VerificationSet(name, Path(f"{name}.bin".replace("/", "_")), held, issame, provenance)


def measured(similarities, issame, model="tiny", set_name="toy", bootstrap=0, **changes):
    """A measurement whose pairs have these cosines."""
    angles = np.arccos(np.asarray(similarities, float))
    second = np.stack([np.cos(angles), np.sin(angles)], 1)
    embeddings = np.stack([np.broadcast_to([1.0, 0.0], second.shape), second], 1).reshape(-1, 2)
    fields = {
        "model": model,
        "backend": "openvino",
        "set_name": set_name,
        "flip": "sum_raw",
        "card": ModelCard(model[:40], embedding_size=2, source="drawn for a test"),
        "digest": DIGEST,
        "verification": eval.verification(embeddings, np.array(issame, bool), bootstrap=bootstrap),
        "pictures": len(embeddings),
        "seconds": 2.0,
    }
    return Measurement(**fields | changes)


def drawn_pairs(count, seed=0, spread=0.2):
    """Cosines of genuine and impostor pairs in turn that overlap, and issame."""
    random = np.random.default_rng(seed)
    issame = np.arange(count) % 2 == 0
    return np.clip(random.normal(np.where(issame, 0.6, 0.1), spread), -0.99, 0.99), issame


def comparison(models=3, sets=4, pairs=240):
    """Measurements of some models on some sets, and the sets by name."""
    found = {}
    measurements = []
    for number in range(sets):
        name = f"set_{number}"
        for model in range(models):
            cosines, issame = drawn_pairs(pairs, number, 0.25 - 0.05 * model)
            measurements.append(measured(cosines, issame, f"model_{model}", name))
        names = [f"person_{i % 7}/{i}.jpg" for i in range(2 * pairs)]
        found[name] = set_of(issame, name, provenance_of(names, missed=names[:3]) if number % 2 else None)
    return measurements, found
