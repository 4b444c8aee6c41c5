"""Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

from typing import Any

import keras
import tensorflow as tf

from train import arguments
from train.optimizers.base import Optimizer


class AdamW(Optimizer):
    """As Keras' AdamW. Rows of classes that were not sampled keep their averages; the bias correction counts all steps.

    Args:
        beta1, beta2: how slowly the averages of the gradient and of its square forget.
        epsilon: added to the root of the second average.
        weight_decay: the variable shrinks by lr * weight_decay of itself before the step.
        decay_rule, clip_norm: see :class:`Optimizer`.
    """

    slot_names = ("first_moment", "second_moment")

    def __init__(
        self,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.05,
        decay_rule: str = "kernels",
        clip_norm: float | None = None,
    ):
        super().__init__(weight_decay, decay_rule, clip_norm)
        self.beta1 = arguments.number("beta1", beta1, at_least=0, below=1)
        self.beta2 = arguments.number("beta2", beta2, at_least=0, below=1)
        self.epsilon = arguments.number("epsilon", epsilon, above=0)

    def build(self, variables: Any) -> None:
        """See :class:`Optimizer`."""
        super().build(variables)
        self._steps = keras.Variable(0, dtype="int64", trainable=False, name="adamw_steps")
        self._state.append(self._steps)

    def begin(self) -> None:
        """See :class:`Optimizer`."""
        tf.raw_ops.AssignAddVariableOp(resource=self._steps.value.handle, value=tf.constant(1, tf.int64))

    def whole(self, variable: Any, slots: list, gradient: Any, learning_rate: Any, decay: float) -> None:
        """See :class:`Optimizer`."""
        if decay:
            shrink = learning_rate * decay * tf.convert_to_tensor(variable)
            tf.raw_ops.AssignSubVariableOp(resource=variable.handle, value=shrink)
        power1, power2 = self._powers()
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=slots[0].value.handle,
            v=slots[1].value.handle,
            beta1_power=power1,
            beta2_power=power2,
            lr=learning_rate,
            beta1=self.beta1,
            beta2=self.beta2,
            epsilon=self.epsilon,
            grad=gradient,
        )

    def rows(self, variable: Any, slots: list, gradient: Any, learning_rate: Any, decay: float, rows: Any) -> None:
        """See :class:`Optimizer`."""
        first, second = (tf.gather(slot.value, rows) for slot in slots)
        first = first + (gradient - first) * (1 - self.beta1)
        second = second + (tf.square(gradient) - second) * (1 - self.beta2)
        power1, power2 = self._powers()
        change = learning_rate * tf.sqrt(1 - power2) / (1 - power1) * first / (tf.sqrt(second) + self.epsilon)
        if decay:
            change += learning_rate * decay * tf.gather(variable, rows)
        for slot, value in zip(slots, (first, second)):
            tf.raw_ops.ResourceScatterUpdate(resource=slot.value.handle, indices=rows, updates=value)
        tf.raw_ops.ResourceScatterSub(resource=variable.handle, indices=rows, updates=change)

    def _powers(self) -> tuple[Any, Any]:
        steps = tf.cast(self._steps.value, tf.float32)
        return tf.pow(self.beta1, steps), tf.pow(self.beta2, steps)
