"""Which variables weight decay applies to: the one place where that is said."""

from collections.abc import Callable
from typing import Any

import keras

from common.errors import UnknownChoice

RULES = {
    "seed": "kernels of convolutions, gammas of batch normalisations and class weights; no dense layer",
    "kernels": "all kernels, and the class weights",
    "all": "everything that is trained",
    "none": "nothing",
}
CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def decays(variable: keras.Variable, layer: keras.layers.Layer, rule: str) -> bool:
    """Whether weight decay applies to a variable of ``layer`` by that rule.

    Raises:
        UnknownChoice: no such rule; the message lists them.
    """
    if rule not in RULES:
        raise UnknownChoice(f"Unknown decay rule {rule!r}. Expected one of: {', '.join(RULES)}.")
    if rule in ("all", "none"):
        return rule == "all"
    is_kernel = variable.name.endswith("kernel")
    if rule == "kernels" or hasattr(layer, "class_variables"):
        return is_kernel
    if isinstance(layer, keras.layers.BatchNormalization):
        return variable.name == "gamma"
    return is_kernel and isinstance(layer, CONVOLUTIONS)


def rule(name: str, *layers: Any) -> Callable[[keras.Variable], bool]:
    """``decays`` for the trainable variables of models and layers, by the variable alone."""
    answers = {}
    for outer in layers:
        for layer in outer._flatten_layers():  # from the outside in: the innermost layer of a variable is its own
            answers |= {id(variable): decays(variable, layer, name) for variable in layer.trainable_variables}
    return lambda variable: answers[id(variable)]
