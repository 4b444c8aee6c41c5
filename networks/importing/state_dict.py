"""State dicts of PyTorch: arcface_torch's IResNet, MobileFaceNet and ViT, TreB1eN's IR, IR-SE and MobileFaceNet."""

from pathlib import Path

import numpy as np

from common.errors import BadModel
from networks.importing import safetensors, torch_file
from networks.importing.layouts import LAYOUTS
from networks.importing.results import Backbone
from networks.importing.state_description import describe
from networks.importing.weights import Norm, Weights, linear_and_norm, linear_arrays, norm_arrays

COUNTER = "num_batches_tracked"
WRAPPERS = ("module.", "backbone.")  # what stands before every name where the network was a part of another


class StateDict:
    """Tensors by name. Raises BadModel where the file is damaged or holds anything else."""

    def __init__(self, path: Path):
        self.where = str(path)
        read = safetensors.state_dict if path.suffix == ".safetensors" else torch_file.state_dict
        self._tensors = _unwrapped(read(path))

    def weights_for(self, model) -> Weights:
        """The tensors that belong to the model's layers, their axes in Keras' order."""
        prefix_of, units = self._layout(model), units_of(model)
        layers = {layer.name: layer for layer in model.layers if layer.weights}
        weights, used = Weights(), set()
        for name, layer in layers.items():
            read = READERS.get(type(layer).__name__)
            if read is not None:
                tensors = self._below(prefix_of(name, units))
                used |= set(tensors.names)
                weights.arrays[name] = read(layer, tensors, self._tensors)
        used |= self._fill_embedding(layers, weights, prefix_of, units)
        used |= {"pos_embed"} if "patches" in layers else set()
        weights.arrays = {name: arrays for name, arrays in weights.arrays.items() if arrays}
        weights.unused = tuple(n for n in self._tensors if n not in used and not n.endswith(COUNTER))
        self._refuse_more(weights.unused, used, model)
        return weights

    def describe(self) -> Backbone:
        """Told by the names and shapes."""
        return describe(self._tensors, self.where)

    def difference(self, model) -> None:
        """Not compared: that would take PyTorch."""
        return

    def _refuse_more(self, unused: tuple[str, ...], used: set[str], model) -> None:
        """A larger network of the same kind has all that a smaller one needs, and would be cut down silently."""
        parts = {name.split(".")[0] for name in used}
        more = [name for name in unused if name.split(".")[0] in parts]
        if more:
            raise BadModel(
                f"{self.where} does not hold the weights of {model.name}: it has {len(more)} tensors more, such as "
                f"{more[0]}. Build the backbone that networks.importing.backbone_of names."
            )

    def _below(self, prefix: str) -> "_Below":
        return _Below(self._tensors, prefix)

    def _fill_embedding(self, layers: dict, weights: Weights, prefix_of, units: list[int]) -> set[str]:
        """The last two layers together: a gamma that ours does not have goes into the matrix."""
        linear, norm = layers["embedding_dense"], layers["embedding_norm"]
        matrix = self._below(prefix_of("embedding_dense", units))
        statistics = self._below(prefix_of("embedding_norm", units))
        kernel, norm_values = matrix.get("weight"), _norm(norm, statistics)
        if kernel is not None and norm_values is not None:
            kernel = np.float64(kernel).T[None, None]
            bias = matrix.get("bias")
            bias = np.zeros(kernel.shape[-1]) if bias is None else np.float64(bias)
            if kernel.shape[-1] == len(bias) == len(norm_values.gamma):
                found = linear_and_norm(linear, norm, kernel, bias, norm_values)
                weights.arrays |= found.arrays
                weights.folded += found.folded
        return {*matrix.names, *statistics.names}

    def _layout(self, model):
        for begin, layouts in LAYOUTS.items():
            if model.name.startswith(begin) and model.name != "mobilefacenet_public":
                stem = "patches" if begin == "vit_" else "stem_conv"
                for layout in layouts:
                    if f"{layout(stem, [])}.weight" in self._tensors:
                        return layout
        raise BadModel(
            f"{self.where} does not hold the weights of {model.name}: its names ({', '.join(list(self._tensors)[:3])}, "
            "...) are not those of a PyTorch network of this kind."
        )


class _Below:
    """The tensors whose names begin with one prefix."""

    def __init__(self, tensors: dict[str, np.ndarray], prefix: str):
        self._tensors, self._prefix = tensors, prefix

    def get(self, name: str) -> np.ndarray | None:
        return self._tensors.get(f"{self._prefix}.{name}")

    @property
    def names(self) -> list[str]:
        parts = ("weight", "bias", "running_mean", "running_var")
        return [f"{self._prefix}.{part}" for part in parts if self.get(part) is not None]


def units_of(model) -> list[int]:
    """Units of the four stages, by the names of the layers."""
    names = {layer.name for layer in model.layers}
    return [
        sum(name.startswith(f"stage{stage}_unit") and name.endswith("_add") for name in names) for stage in range(1, 5)
    ]


def _linear(layer, tensors: _Below, _) -> list[np.ndarray]:
    kernel, bias = tensors.get("weight"), tensors.get("bias")
    if kernel is None or kernel.ndim not in (2, 4) or (bias is None) == layer.use_bias:
        return []
    kernel = kernel.T[None, None] if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)
    return linear_arrays(layer, kernel, bias)


def _norm(layer, tensors: _Below) -> Norm | None:
    vectors = [tensors.get(part) for part in ("weight", "bias", "running_mean", "running_var")]
    if any(vector is None or vector.ndim != 1 for vector in vectors):
        return None
    return Norm(*map(np.float64, vectors), layer.epsilon)  # a state dict does not tell the epsilon


def _batch_normalisation(layer, tensors: _Below, _) -> list[np.ndarray]:
    norm = _norm(layer, tensors)
    return [] if norm is None else norm_arrays(layer, norm)


def _layer_normalisation(_, tensors: _Below, __) -> list[np.ndarray]:
    arrays = [tensors.get("weight"), tensors.get("bias")]
    return [] if any(array is None for array in arrays) else arrays


def _prelu(layer, tensors: _Below, _) -> list[np.ndarray]:
    slopes, shape = tensors.get("weight"), tuple(layer.weights[0].shape)
    if slopes is None or slopes.size not in (1, shape[-1]):
        return []
    return [np.broadcast_to(slopes.reshape(-1), shape)]


def _patches(_, tensors: _Below, everything: dict) -> list[np.ndarray]:
    """The projection of the patches, and its bias and the positions as the one bias they are here."""
    kernel, bias, positions = tensors.get("weight"), tensors.get("bias"), everything.get("pos_embed")
    if kernel is None or bias is None or positions is None or (kernel.ndim, positions.ndim) != (4, 3):
        return []
    return [kernel.transpose(2, 3, 1, 0).reshape(-1, len(kernel)), positions[0] + bias]


READERS = {
    "Conv2D": _linear,
    "DepthwiseConv2D": _linear,
    "Dense": _linear,
    "BatchNormalization": _batch_normalisation,
    "LayerNormalization": _layer_normalisation,
    "PReLU": _prelu,
    "EinsumDense": _patches,
}


def _unwrapped(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): array for name, array in tensors.items()}
    return tensors
