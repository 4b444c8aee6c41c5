"""``.keras``: Keras' own format, the one that can be trained on."""

from pathlib import Path

import numpy as np

from networks.engines import ENGINES
from networks.exporting.format import Format


def write(model, folder: Path, samples: np.ndarray) -> Path:
    """Layers as they are, in float32."""
    path = folder / "model.keras"
    model.save(path)
    return path


def run(path: Path, faces: np.ndarray) -> np.ndarray:
    """The outputs of the model as it loads where nothing of the training is left."""
    return ENGINES["keras"](path)(faces)[0]


FORMAT = Format(write, run)
