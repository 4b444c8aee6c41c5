"""Weights on their way into a model: NumPy arrays by the name of the layer that they belong to."""

from dataclasses import dataclass, field

import numpy as np

from common.errors import BadModel

SHOWN = 5


@dataclass
class Weights:
    """Arrays in the order of each layer's weights; ``folded`` and ``unused`` as in ``Imported``."""

    arrays: dict[str, list[np.ndarray]] = field(default_factory=dict)
    folded: list[str] = field(default_factory=list)
    unused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Norm:
    """``gamma (x - mean) / sqrt(variance + epsilon) + beta``, each a float vector of the channels."""

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float

    def as_affine(self) -> tuple[np.ndarray, np.ndarray]:
        """(scale, shift) that do the same."""
        scale = self.gamma / np.sqrt(self.variance + self.epsilon)
        return scale, self.beta - scale * self.mean


def affine_norm(scale: np.ndarray, shift: np.ndarray, epsilon: float) -> Norm:
    """The normalisation that multiplies by ``scale`` and adds ``shift``: variance + epsilon is 1."""
    ones = np.ones_like(shift)
    return Norm(ones * scale, shift, np.zeros_like(shift), ones - epsilon, epsilon)


def norm_arrays(layer, norm: Norm) -> list[np.ndarray]:
    """The weights of a BatchNormalization layer that computes ``norm``, whatever its own epsilon."""
    difference = norm.epsilon - layer.epsilon
    variance = norm.variance + difference if abs(difference) > 1e-9 else norm.variance
    arrays = [norm.gamma] if layer.scale else []
    return [*arrays, norm.beta, norm.mean, variance]


def linear_arrays(layer, kernel: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    """The weights of a convolution or dense layer; ``kernel`` is ``[rows, columns, inputs, outputs]``."""
    if type(layer).__name__ == "DepthwiseConv2D":
        kernel = kernel.transpose(0, 1, 3, 2)
    elif type(layer).__name__ == "Dense":
        kernel = kernel.reshape(-1, kernel.shape[-1])
    return [kernel, bias] if layer.use_bias else [kernel]


def linear_and_norm(linear, norm_layer, kernel: np.ndarray, bias: np.ndarray, norm: Norm) -> Weights:
    """A convolution or dense layer and the normalisation after it, where either may lack a bias or a gamma."""
    weights = Weights()
    if not linear.use_bias:
        norm = Norm(norm.gamma, norm.beta, norm.mean - bias, norm.variance, norm.epsilon)
    if not norm_layer.scale and not np.allclose(norm.gamma, 1, rtol=0, atol=1e-6):
        # gamma (W x - mean) = gamma W x - gamma mean
        kernel, bias = kernel * norm.gamma, bias * norm.gamma
        norm = Norm(np.ones_like(norm.gamma), norm.beta, norm.mean * norm.gamma, norm.variance, norm.epsilon)
        weights.folded.append(norm_layer.name)
    weights.arrays[linear.name] = linear_arrays(linear, kernel, bias)
    weights.arrays[norm_layer.name] = norm_arrays(norm_layer, norm)
    return weights


def assign(model, weights: Weights, where: str) -> list[str]:
    """Give a model its weights, all or none; returns the layers of the embedding that were left out.

    Raises:
        BadModel: a layer has no weights, or weights of another shape.
    """
    layers = [layer for layer in model.layers if layer.weights]
    wrong = [layer for layer in layers if not _fits(layer, weights)]
    left_out = []
    if wrong and all(layer.name.startswith("embedding_") for layer in wrong):
        first = layers.index(wrong[0])
        left_out = [layer.name for layer in layers[first:]]
    elif wrong:
        listed = "; ".join(_difference(layer, weights) for layer in wrong[:SHOWN])
        more = f" and {len(wrong) - SHOWN} more layers" if len(wrong) > SHOWN else ""
        raise BadModel(
            f"{where} does not hold the weights of {model.name}: {listed}{more}. "
            "Build the backbone that networks.importing.backbone_of names."
        )
    for layer in layers:
        if layer.name not in left_out:
            _set(layer, weights.arrays[layer.name])
    return left_out


def _fits(layer, weights: Weights) -> bool:
    came = weights.arrays.get(layer.name, [])
    return [tuple(array.shape) for array in came] == [tuple(variable.shape) for variable in layer.weights]


def _difference(layer, weights: Weights) -> str:
    expected = [tuple(variable.shape) for variable in layer.weights]
    came = [tuple(array.shape) for array in weights.arrays.get(layer.name, [])]
    return f"{layer.name} expects {expected}, found {came or 'nothing'}"


def _set(layer, arrays: list[np.ndarray]) -> None:
    for variable, array in zip(layer.weights, arrays, strict=True):
        variable.assign(np.asarray(array, np.float32))
