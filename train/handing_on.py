"""A run's end: the bundle that the recognizer, evaluation and further training take."""

from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path

import keras
import numpy as np

from networks import bundle
from networks.card import ModelCard, Threshold
from train.config import Config, to_mapping
from train.data.dataset import Dataset
from train.data.pipeline import Pipeline

SAMPLES = 256


def write(
    folder: Path,
    model: keras.Model,
    config: Config,
    dataset: Dataset,
    *,
    step: int,
    threshold: Threshold | None,
    verified: dict[str, dict[str, float]],
    say: Callable[[str], None],
) -> None:
    """Write the bundle, and tell how near each of its files comes to the network.

    Args:
        model: the float32 network to hand on.
        step: the step its weights are of.
        threshold: for the card; None where nothing was measured.
        verified: by set, the figures of those weights.
    """
    training = {
        "config": to_mapping(config),
        "classes": dataset.classes,
        "images": dataset.images,
        "steps": step,
        "date": date.today().isoformat(),
        "versions": {name: version(name) for name in ("tensorflow", "keras")},
        "verification": verified,
    }
    card = card_of(config, threshold)
    for made in bundle.write(
        folder, model, card, config.bundle.formats, training=training, samples=faces(config, dataset)
    ):
        say(f"{made.format}: largest difference to the network {made.difference:.2g}, lowest cosine {made.cosine:.6f}")


def card_of(config: Config, threshold: Threshold | None) -> ModelCard:
    """How the network is fed and read."""
    data = config.data
    return ModelCard(
        name=config.name,
        input_size=data.image_size,
        colour=data.colour,
        mean=data.mean,
        scale=data.scale,
        embedding_size=config.backbone.embedding_size,
        flip=config.bundle.flip,
        threshold=threshold,
        source=config.bundle.source
        or f"{config.backbone.name} trained on {Path(data.train).name} with {config.head.name}",
    )


def faces(config: Config, dataset: Dataset) -> np.ndarray:
    """Up to 256 faces uint8 ``[n, h, w, 3]`` BGR as they are in the dataset, to compare the formats on."""
    pipeline = Pipeline(dataset, 1, image_size=config.data.image_size, seed=config.seed)
    return np.ascontiguousarray(pipeline.at(0, min(SAMPLES, dataset.images))[0][..., ::-1])
