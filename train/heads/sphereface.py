"""SphereFace: a multiplicative margin on the angle, eased in (Liu et al. 2017, arXiv:1704.08063)."""

from math import pi
from typing import Any

from keras import ops

from train import arguments
from train.heads import directions, replicas
from train.heads.base import MarginHead, register


@register
class SphereFace(MarginHead):
    """Own class: |x| (lambda cos(theta) + psi(theta)) / (1 + lambda); the others: |x| cos(theta).

    psi(theta) = (-1)^k cos(margin * theta) - 2k, k = floor(margin * theta / pi), falls all the way from 0 to pi.
    lambda = max(lambda_min, lambda_start / (1 + lambda_decay * step)) at the training step, counted from 1.
    """

    def __init__(
        self,
        classes: int,
        margin: float = 4.0,
        lambda_start: float = 1500.0,
        lambda_min: float = 5.0,
        lambda_decay: float = 0.1,
        initial_std: float = 0.01,
        name: str | None = None,
    ):
        super().__init__(classes, 1.0, initial_std, name)
        self.margin = arguments.number("margin", margin, at_least=1)
        self.lambda_start = arguments.number("lambda_start", lambda_start, at_least=0)
        self.lambda_min = arguments.number("lambda_min", lambda_min, at_least=0)
        self.lambda_decay = arguments.number("lambda_decay", lambda_decay, at_least=0)

    def build_state(self) -> None:
        """See :class:`Head`."""
        self.iterations = replicas.state(self, "iterations", 0, "int32")

    def observe(self, length: Any, training: bool) -> None:
        """See :class:`Head`."""
        if training:
            replicas.assign(self.iterations, ops.convert_to_tensor(self.iterations) + 1)

    def margin_cosine(self, cosine: Any, length: Any) -> Any:
        """See :class:`MarginHead`."""
        step = ops.cast(self.iterations, "float32")
        ease = ops.maximum(self.lambda_start / (1.0 + self.lambda_decay * step), self.lambda_min)
        return (ease * cosine + self.psi(cosine)) / (1.0 + ease)

    def psi(self, cosine: Any) -> Any:
        """The margin function of the angle, given its cosine."""
        angle = self.margin * directions.angle(cosine)
        turns = ops.stop_gradient(ops.floor(angle / pi))
        sign = 1.0 - 2.0 * ops.mod(turns, 2.0)
        return sign * ops.cos(angle) - 2.0 * turns

    def scaled(self, cosine: Any, length: Any) -> Any:
        """See :class:`MarginHead`."""
        return cosine * length[:, None]

    def get_config(self) -> dict[str, Any]:
        """See :class:`Head`."""
        config = super().get_config()
        del config["scale"]
        names = ("margin", "lambda_start", "lambda_min", "lambda_decay")
        return {**config, **{name: getattr(self, name) for name in names}}
