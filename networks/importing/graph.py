"""Graphs that OpenVINO reads (ONNX, TFLite, IR), matched with one of our backbones layer by layer."""

from pathlib import Path

import numpy as np

from common.errors import BadModel
from networks.importing import describe
from networks.importing.file_graph import FileGraph
from networks.importing.matching import matched
from networks.importing.model_graph import ModelGraph
from networks.importing.results import Backbone
from networks.importing.weights import (
    Norm,
    Weights,
    affine_norm,
    assign,
    linear_and_norm,
    linear_arrays,
    norm_arrays,
)

TOLERANCE = 1e-3
CHECKED_FACES = 2


class Graph:
    """A network in a file. Raises BadModel where it cannot be read."""

    def __init__(self, path: Path):
        self.where = str(path)
        self._graph = FileGraph(path)

    def weights_for(self, model) -> Weights:
        """The weights of the operations that match the model's layers, from the output up to the input."""
        weights = Weights()
        for ours, theirs in matched(ModelGraph(model), self._graph, self.where):
            try:
                found = READERS[ours.kind](ours.layers, theirs)
            except ValueError as error:
                raise BadModel(f"{self.where} does not fit {model.name} at {ours.name}: {error}.") from None
            weights.arrays |= found.arrays
            weights.folded += found.folded
        return weights

    def describe(self) -> Backbone:
        """The first backbone whose layers match and whose outputs agree."""
        counts = self._graph.counts()
        found = describe.candidates(
            counts["sums"],
            counts["gates"] > 0,
            self._graph.stem_channels(),
            *self._graph.embedding_shape(),
            self._graph.input_size(),
        )
        return describe.first_that(self._misfit, found, self.where)

    def difference(self, model) -> float:
        """The largest difference of outputs on random faces, as a share of the largest output."""
        shape = (CHECKED_FACES, *model.input_shape[1:])
        faces = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        ours, theirs = _outputs(model, faces), self._graph.run(faces)
        if ours.shape != theirs.shape:
            raise BadModel(f"{self.where} gives outputs of {theirs.shape[1:]}, {model.name} of {ours.shape[1:]}.")
        difference = float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12))
        if not difference < TOLERANCE:
            raise BadModel(
                f"{self.where} has the layers of {model.name}, but other outputs (they differ by {difference:.0%} of "
                "the largest): it pads, strides or normalises in another way."
            )
        return difference

    def _misfit(self, model) -> str | None:
        """What keeps a model from being the network of this file; None where nothing does."""
        try:
            left_out = assign(model, self.weights_for(model), self.where)
            if not left_out:
                self.difference(model)
        except BadModel as error:
            return str(error)
        return f"{left_out[0]} has another shape." if left_out else None


def _outputs(model, faces: np.ndarray) -> np.ndarray:
    import keras

    return keras.ops.convert_to_numpy(model(faces, training=False))


def _linear(layers: tuple, theirs) -> Weights:
    """A convolution or dense layer with what is added and multiplied behind it, and our normalisation, if any."""
    linear, norm_layer = layers
    statistics = theirs.steps[-1] if theirs.steps and theirs.normalised else None
    scale, shift = _folded(theirs.steps[:-1] if statistics else theirs.steps, theirs.kernel.shape[-1])
    kernel = theirs.kernel * scale
    if norm_layer is None:
        if statistics:
            outer, added = statistics.as_affine()
            kernel, shift = kernel * outer, shift * outer + added
        if not linear.use_bias and np.any(shift):
            raise ValueError("it has a bias there")
        return Weights({linear.name: linear_arrays(linear, kernel, shift)})
    if statistics:
        return linear_and_norm(linear, norm_layer, kernel, shift, statistics)
    nothing = np.zeros_like(shift)
    weights = linear_and_norm(linear, norm_layer, kernel, nothing, affine_norm(1.0, shift, norm_layer.epsilon))
    weights.folded = [norm_layer.name]
    return weights


def _norm(layers: tuple, theirs) -> Weights:
    (layer,) = layers
    if len(theirs.steps) == 1 and theirs.normalised:
        return Weights({layer.name: norm_arrays(layer, theirs.steps[0])})
    scale, shift = _folded(theirs.steps, max(step.beta.size for step in theirs.steps))
    return Weights({layer.name: norm_arrays(layer, affine_norm(scale, shift, layer.epsilon))}, [layer.name])


def _prelu(layers: tuple, theirs) -> Weights:
    (layer,) = layers
    if type(layer).__name__ == "LeakyReLU":
        if not np.allclose(theirs.slope, layer.negative_slope):
            raise ValueError(f"its slope is not {layer.negative_slope}")
        return Weights()
    slopes = theirs.slope.reshape(1, 1, -1)
    shape = tuple(layer.weights[0].shape)
    return Weights({layer.name: [np.broadcast_to(slopes, shape) if slopes.size == 1 else slopes]})


def _nothing(layers: tuple, theirs) -> Weights:
    return Weights()


READERS = {
    "linear": _linear,
    "norm": _norm,
    "prelu": _prelu,
    **dict.fromkeys(("relu", "sigmoid", "mean", "pool", "add", "multiply", "input"), _nothing),
}


def _folded(steps: list[Norm], channels: int) -> tuple[np.ndarray, np.ndarray]:
    """(scale, shift) of all steps together."""
    scale, shift = np.ones(channels), np.zeros(channels)
    for step in steps:
        factor, added = step.as_affine()
        if factor.size not in (1, channels) or added.size not in (1, channels):
            raise ValueError(f"it multiplies or adds {added.size} numbers to {channels} channels")
        scale, shift = scale * factor, shift * factor + added
    return scale, shift
