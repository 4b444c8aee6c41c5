"""What is kept of a step whose loss or gradients are not numbers any more, for whoever looks for the cause."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from common.errors import TrainingDiverged
from common.folders import write_whole
from train.data.pipeline import Pipeline
from train.logs.batch import sheet


def stop(folder: Path, step: int, pipeline: Pipeline, figures: dict[str, Any]) -> None:
    """Save the batch of ``step`` into ``folder``/diverged-STEP and raise TrainingDiverged.

    The batch is made again from its number: ``batch.npz`` holds pictures uint8 ``[n, h, w, 3]`` RGB and labels ``[n]``,
    ``batch.png`` the first 64 of them.
    """
    target = folder / f"diverged-{step:09d}"
    target.mkdir(parents=True, exist_ok=True)
    pictures, labels = pipeline.at(step * pipeline.batch, pipeline.batch)
    np.savez_compressed(target / "batch.npz", pictures=pictures, labels=labels)
    cv2.imwrite(str(target / "batch.png"), sheet(pictures)[..., ::-1])
    write_whole(target / "step.json", json.dumps({"step": step, **figures}, indent=2))
    raise TrainingDiverged(
        f"Step {step} gave loss {figures['loss']:g} and a gradient of length {figures['gradient_norm']:g}: training "
        f"stopped. Its batch is in {target}; the checkpoints are of before. Try a lower learning rate, a longer "
        "warm-up, optimizer.clip_norm, or training.precision float32."
    )
