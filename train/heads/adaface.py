"""AdaFace: a margin that depends on the picture's quality (Kim et al. 2022, arXiv:2204.00964)."""

from math import pi
from typing import Any

from keras import ops

from train import arguments
from train.heads import directions, replicas
from train.heads.base import MarginHead, register

SHORTEST, LONGEST = 0.001, 100.0
EPSILON = 1e-3


@register
class AdaFace(MarginHead):
    """Own class: scale * (cos(theta - margin * z) - margin - margin * z); the others: scale * cos(theta).

    z = concentration * (|x| - mean) / (std + 1e-3), clipped to -1..1, tells good pictures, whose embeddings are long,
    from bad ones, by running statistics of the lengths. Cosines are kept 1e-3 off +-1, angles 1e-3 off 0 and pi; no
    gradient flows through the lengths.

    Args:
        margin: m of the paper.
        concentration: h of the paper.
        momentum: share of a batch's statistics in the running ones; under ``tf.distribute`` it is the whole batch's.
    """

    def __init__(
        self,
        classes: int,
        margin: float = 0.4,
        scale: float = 64.0,
        concentration: float = 0.333,
        momentum: float = 0.01,
        initial_std: float = 0.01,
        name: str | None = None,
    ):
        super().__init__(classes, scale, initial_std, name)
        self.margin = arguments.number("margin", margin, at_least=0, below=pi / 2)
        self.concentration = arguments.number("concentration", concentration, above=0)
        self.momentum = arguments.number("momentum", momentum, above=0, at_most=1)

    def build_state(self) -> None:
        """See :class:`Head`."""
        self.length_mean = replicas.state(self, "length_mean", 20.0)
        self.length_std = replicas.state(self, "length_std", 100.0)

    def observe(self, length: Any, training: bool) -> None:
        """See :class:`Head`."""
        if not training:
            return
        lengths = replicas.gather(_kept(length))
        mean, count = ops.mean(lengths), ops.cast(ops.shape(lengths)[0], "float32")
        std = ops.sqrt(ops.sum(ops.square(lengths - mean)) / ops.maximum(count - 1.0, 1.0))
        for variable, value in ((self.length_mean, mean), (self.length_std, std)):
            old = ops.convert_to_tensor(variable)
            replicas.assign(variable, old + self.momentum * (value - old))

    def with_margin(self, cosine: Any, length: Any, labels: Any) -> Any:
        """See :class:`MarginHead`."""
        return super().with_margin(ops.clip(cosine, EPSILON - 1.0, 1.0 - EPSILON), length, labels)

    def margin_cosine(self, cosine: Any, length: Any) -> Any:
        """See :class:`MarginHead`."""
        mean, std = ops.convert_to_tensor(self.length_mean), ops.convert_to_tensor(self.length_std)
        quality = ops.clip(self.concentration * (_kept(length) - mean) / (std + EPSILON), -1.0, 1.0)
        angle = ops.clip(directions.angle(cosine) - self.margin * quality, EPSILON, pi - EPSILON)
        return ops.cos(angle) - (self.margin + self.margin * quality)

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        own = {"margin": self.margin, "concentration": self.concentration, "momentum": self.momentum}
        return {**super().get_config(), **own}


def _kept(length: Any) -> Any:
    return ops.stop_gradient(ops.clip(length, SHORTEST, LONGEST))
