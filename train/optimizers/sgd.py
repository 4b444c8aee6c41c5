"""Stochastic gradient descent with momentum."""

from typing import Any

import tensorflow as tf

from train import arguments
from train.optimizers.base import Optimizer

DECAY_MODES = ("l2", "decoupled")


class SGD(Optimizer):
    """momentum' = m * momentum - lr * gradient; variable += momentum', as in Keras and MXNet.

    The rate is inside the momentum: after it drops, steps shrink over the next 1 / (1 - m) steps, where PyTorch's and
    TensorFlow 1's shrink at once. At a constant rate the two are the same.

    Args:
        momentum: m.
        nesterov: variable += m * momentum' - lr * gradient instead.
        weight_decay: with "l2" it is that of a loss weight_decay / 2 * sum(variable^2), whose gradient is added after
            clipping; with "decoupled" the variable shrinks by lr * weight_decay of itself, past the momentum.
        decay_mode: "l2" or "decoupled".
        decay_rule, clip_norm: see :class:`Optimizer`.
    """

    slot_names = ("momentum",)

    def __init__(
        self,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 5e-4,
        decay_mode: str = "l2",
        decay_rule: str = "seed",
        clip_norm: float | None = None,
    ):
        super().__init__(weight_decay, decay_rule, clip_norm)
        self.momentum = arguments.number("momentum", momentum, at_least=0, below=1)
        self.nesterov = arguments.flag("nesterov", nesterov)
        self.decay_mode = arguments.one_of("decay_mode", decay_mode, DECAY_MODES)

    def whole(self, variable: Any, slots: list, gradient: Any, learning_rate: Any, decay: float) -> None:
        """See :class:`Optimizer`."""
        if decay and self.decay_mode == "l2":
            gradient = gradient + decay * tf.convert_to_tensor(variable)
        elif decay:
            shrink = learning_rate * decay * tf.convert_to_tensor(variable)
            tf.raw_ops.AssignSubVariableOp(resource=variable.handle, value=shrink)
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=slots[0].value.handle,
            lr=learning_rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )

    def rows(self, variable: Any, slots: list, gradient: Any, learning_rate: Any, decay: float, rows: Any) -> None:
        """See :class:`Optimizer`."""
        if decay and self.decay_mode == "l2":
            gradient = gradient + decay * tf.gather(variable, rows)
        elif decay:
            shrink = learning_rate * decay * tf.gather(variable, rows)
            tf.raw_ops.ResourceScatterSub(resource=variable.handle, indices=rows, updates=shrink)
        tf.raw_ops.ResourceSparseApplyKerasMomentum(
            var=variable.handle,
            accum=slots[0].value.handle,
            lr=learning_rate,
            grad=gradient,
            indices=rows,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )
