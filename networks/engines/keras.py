"""Keras models as they were trained, on whatever device Keras' backend has: the way to a GPU."""

import threading
import zipfile
from pathlib import Path

import numpy as np

from common.errors import BadArgument, BadModel, MissingDependency
from networks.engines.preprocess import Preprocess

PRECISIONS = {"f32": "float32", "bf16": "mixed_bfloat16", "f16": "mixed_float16"}
LARGEST_BATCH = 256
MEMBERS = ("config.json", "model.weights.h5")


class KerasEngine:
    """Runs one model; safe to call from several threads at once, which take turns.

    Attributes:
        output_names: the layers that give the outputs, in the order in which the outputs come.
        input_shapes, output_shapes: None where a dimension is free.

    Args:
        model: path of a ``.keras`` file. Layers of this project need their module imported before.
        preprocess: when given, the engine takes uint8 BGR pictures ``[n, h, w, 3]``; otherwise what the model
            takes.
        precision: arithmetic of all layers, whatever they were trained in: "f32", "bf16" or "f16". Weights
            stay as they are stored.

    Raises:
        MissingDependency: Keras or its backend is not installed.
        BadModel: not a ``.keras`` file, or one that asks for code of its own to be run (Lambda layers).
        BadArgument: an unknown precision.
    """

    def __init__(self, model: str | Path, *, preprocess: Preprocess | None = None, precision: str = "f32"):
        if precision not in PRECISIONS:
            raise BadArgument(f"Unknown precision {precision!r}. Expected one of: {', '.join(PRECISIONS)}.")
        network = _load(Path(model))
        for layer in network._flatten_layers():
            layer.dtype_policy = PRECISIONS[precision]
        self.output_names = list(network.output_names)
        self._model = _take_pictures(network, preprocess) if preprocess else network
        self._turn = threading.Lock()
        self.input_shapes = [tuple(port.shape) for port in self._model.inputs]
        self.output_shapes = [tuple(port.shape) for port in self._model.outputs]

    def __call__(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Run on arrays that share their first dimension, of any length; returns the outputs as float32."""
        parts = []
        for start in range(0, max(len(inputs[0]), 1), LARGEST_BATCH):
            pieces = [x[start : start + LARGEST_BATCH] for x in inputs]
            with self._turn:
                outputs = self._model.predict_on_batch(pieces)
            outputs = outputs if isinstance(outputs, list) else [outputs]  # Keras unpacks a list of one
            parts.append([np.asarray(output, np.float32) for output in outputs])
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def _keras():
    try:
        import keras
    except ImportError as error:
        raise MissingDependency(
            f"A .keras model needs Keras and TensorFlow ({error}). Install them: pip install '.[train]'"
        ) from None
    return keras


def _load(path: Path):
    """The model of a ``.keras`` file, rebuilt so that its outputs come as a list."""
    keras = _keras()
    if not _is_keras_file(path):
        raise BadModel(f"{path} is not a .keras file: expected a zip that holds {' and '.join(MEMBERS)}.")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        return keras.Model(model.inputs, keras.tree.flatten(model.outputs), name=model.name)
    except Exception as error:  # a damaged or hostile file makes Keras raise nearly anything
        raise BadModel(
            f"{path} cannot be loaded as a Keras model ({type(error).__name__}: {str(error)[:300]}). "
            "Save it again with the installed version of Keras, without Lambda layers."
        ) from None


def _is_keras_file(path: Path) -> bool:
    """Whether it is the one format read here; Keras would open legacy HDF5 files and folders as well."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return set(MEMBERS) <= set(archive.namelist())


def _take_pictures(network, preprocess: Preprocess):
    keras = _keras()
    picture = keras.Input(network.inputs[0].shape[1:], dtype="uint8")
    x = keras.ops.cast(picture, "float32")
    if preprocess.colour == "rgb":
        x = keras.ops.flip(x, axis=-1)
    outputs = network([(x - preprocess.mean) / preprocess.scale])
    return keras.Model([picture], keras.tree.flatten(outputs))
