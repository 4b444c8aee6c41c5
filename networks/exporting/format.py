"""What a format of an exported network has to bring."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import MissingDependency

INPUT, OUTPUT = "faces", "embedding"


@dataclass(frozen=True)
class Format:
    """How a format is written and run, and how near to the Keras model it has to be.

    Attributes:
        write: from a float32 Keras model, an empty folder and sample inputs float32 ``[n, h, w, 3]`` to the path of
            the file, or folder, that loads; all that belongs to it lies in that folder.
        run: from that path and inputs to outputs float32 ``[n, d]``.
        most_difference: largest difference of an output allowed, relative to the largest output; None for any.
        least_cosine: least cosine allowed between an output and the model's own.
        doubtful_cosine: below it the format is allowed, but said to be doubtful.
        needs_samples: whether real faces are needed to write it.
    """

    write: Callable[[Any, Path, np.ndarray], Path]
    run: Callable[[Path, np.ndarray], np.ndarray]
    most_difference: float | None = 1e-4
    least_cosine: float = 1 - 1e-4
    doubtful_cosine: float = 0.0
    needs_samples: bool = False


def require_tensorflow():
    """TensorFlow, where Keras runs on it.

    Raises:
        MissingDependency: it is not installed, or Keras runs on something else.
    """
    try:
        import keras
        import tensorflow
    except ImportError as error:
        raise MissingDependency(
            f"This export needs Keras and TensorFlow ({error}). Install them: pip install '.[train]'"
        ) from None
    if keras.backend.backend() != "tensorflow":
        raise MissingDependency(
            f"This export needs Keras on TensorFlow, not on {keras.backend.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    return tensorflow


def signature(model) -> list:
    """What the exported function takes: one batch of any size, float32, named ``INPUT``."""
    tensorflow = require_tensorflow()
    return [tensorflow.TensorSpec((None, *model.inputs[0].shape[1:]), tensorflow.float32, name=INPUT)]


def run_openvino(path: Path, faces: np.ndarray) -> np.ndarray:
    """The outputs of a graph on the engine that the recognizer uses, in float32."""
    from networks.engines import ENGINES

    return ENGINES["openvino"](path)(faces)[0]
