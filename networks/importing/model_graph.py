"""A backbone of ours as the few kinds of nodes that a file's graph is read as."""

from dataclasses import dataclass

from common.errors import BadModel

PASSING = {"Dropout", "Permute", "Flatten", "ZeroPadding2D"}
LINEAR = {"Conv2D", "DepthwiseConv2D", "Dense"}
KINDS = {
    "BatchNormalization": "norm",
    "PReLU": "prelu",
    "LeakyReLU": "prelu",
    "ReLU": "relu",
    "Activation": "sigmoid",
    "GlobalAveragePooling2D": "mean",
    "MaxPooling2D": "pool",
    "Add": "add",
    "Multiply": "multiply",
    "InputLayer": "input",
}


@dataclass
class ModelNode:
    """One node.

    Attributes:
        kind: as in ``FileNode``.
        layers: (layer, normalisation behind it or None) for "linear", else the one layer.
        inputs: the Keras tensors it reads.
        shape: of the kernel, ``[rows, columns, inputs of a group, outputs]``.
    """

    kind: str
    layers: tuple
    inputs: list
    shape: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """Of the layer."""
        return self.layers[0].name


class ModelGraph:
    """A functional model in which every layer is called once.

    Raises:
        BadModel: it has layers that no graph is matched with (the ViT's).
    """

    def __init__(self, model):
        self._layers = {}
        for layer in model.layers:
            self._layers[id(layer.output)] = layer
        self.output = model.outputs[0]
        self.name = model.name

    def key(self, tensor) -> int:
        """What tells a tensor from others."""
        return id(self._source(tensor))

    def node(self, tensor) -> ModelNode:
        """The node that computes a tensor."""
        layer = self._layer(self._source(tensor))
        kind = type(layer).__name__
        if kind == "BatchNormalization":
            inner = self._layer(self._source(layer.input))
            if type(inner).__name__ in LINEAR:
                return ModelNode("linear", (inner, layer), [inner.input], _shape(inner))
        if kind in LINEAR:
            return ModelNode("linear", (layer, None), [layer.input], _shape(layer))
        if kind not in KINDS:
            raise BadModel(f"{self.name} has a layer {kind}: its weights come from .keras files and state dicts only.")
        inputs = [] if kind == "InputLayer" else layer.input
        return ModelNode(KINDS[kind], (layer,), inputs if isinstance(inputs, list) else [inputs])

    def _source(self, tensor):
        while type(self._layer(tensor)).__name__ in PASSING:
            tensor = self._layer(tensor).input
        return tensor

    def _layer(self, tensor):
        if id(tensor) not in self._layers:
            raise BadModel(f"{self.name} is not one of our backbones: it uses operations besides layers.")
        return self._layers[id(tensor)]


def _shape(layer) -> tuple[int, ...]:
    kernel = tuple(layer.kernel.shape)
    if type(layer).__name__ == "Dense":
        return (1, 1, *kernel)
    return (*kernel[:2], kernel[3], kernel[2]) if type(layer).__name__ == "DepthwiseConv2D" else kernel
