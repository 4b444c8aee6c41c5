"""Softmax: the plain classifier, a matrix product and a bias."""

from typing import Any

from keras import ops

from train import arguments
from train.heads.base import Head, register


@register
class Softmax(Head):
    """Logits x W + b, neither normalised nor scaled.

    Args:
        bias: add one number for each class.
    """

    def __init__(self, classes: int, bias: bool = True, initial_std: float = 0.01, name: str | None = None):
        super().__init__(classes, initial_std, name)
        self.bias = arguments.flag("bias", bias)

    def class_shapes(self, embedding_size: int) -> dict[str, tuple[int, ...]]:
        """See :class:`Head`."""
        shapes = super().class_shapes(embedding_size)
        return {**shapes, "bias": (self.classes,)} if self.bias else shapes

    def logits(self, embeddings: Any, labels: Any, class_weights: list, training: bool = True) -> Any:
        """See :class:`Head`; labels are not looked at."""
        product = ops.matmul(ops.cast(embeddings, "float32"), ops.transpose(class_weights[0]))
        return product + class_weights[1] if self.bias else product

    def logits_of(self, direction: Any, length: Any, labels: Any, class_weights: list) -> Any:
        """See :class:`Head`."""
        return self.logits(direction * length[:, None], labels, class_weights)

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        return {**super().get_config(), "bias": self.bias}
