"""What optimizers share: slots, clipping, and which variables are changed whole and which by rows.

Keras' optimizers make sparse gradients dense under ``tf.distribute``, which for a million classes is gigabytes a step.
Here each replica applies TensorFlow's update kernels to its own copy of a variable (``.handle`` inside ``strategy.run``
is that of the copy); with the same gradients in all replicas, the copies stay the same.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from common.errors import BadArgument
from train import arguments
from train.optimizers.decay import RULES

Tensor = Any


class Optimizer:
    """Changes variables by gradients that are already summed over all replicas.

    Attributes:
        decay_rule: a key of ``train.optimizers.decay.RULES``; whoever calls ``apply`` goes by it.
        slot_names: the moving averages kept of each variable.

    Args:
        weight_decay: see the subclass.
        decay_rule: which variables decay.
        clip_norm: gradients are scaled down when the length of all of them together is above this; None: never.

    Raises:
        BadArgument: an argument of the wrong type or out of its range.
    """

    slot_names: tuple[str, ...] = ()

    def __init__(self, weight_decay: float, decay_rule: str, clip_norm: float | None):
        self.weight_decay = arguments.number("weight_decay", weight_decay, at_least=0)
        self.decay_rule = arguments.one_of("decay_rule", decay_rule, RULES)
        self.clip_norm = None if clip_norm is None else arguments.number("clip_norm", clip_norm, above=0)
        self._slots: dict[int, list[keras.Variable]] = {}
        self._state: list[keras.Variable] = []

    @property
    def variables(self) -> list[keras.Variable]:
        """All of its state: what a checkpoint has to hold."""
        return list(self._state)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the state for ``variables``, under the strategy's scope where there is one."""
        for variable in variables:
            slots = [_zeros(variable.shape, f"{variable.name}_{name}") for name in self.slot_names]
            self._slots[id(variable)] = slots
            self._state += slots

    def apply(
        self,
        gradients: Sequence[Tensor],
        variables: Sequence[keras.Variable],
        learning_rate: Tensor,
        rows: Sequence[Tensor | None] | None = None,
        decay: Sequence[float] | None = None,
    ) -> None:
        """Change ``variables``; inside ``strategy.run``, by every replica.

        Args:
            gradients: float32, like the variables; where ``rows`` are given, one row for each of these.
            learning_rate: a number or a float32 scalar.
            rows: for each variable None, or different int ``[s]``: the rows to change. The others keep their values and
                slots, and do not decay.
            decay: for each variable a factor on ``weight_decay``, 0 or False for none; all 1 where it is not given.

        Raises:
            BadArgument: lists of different lengths, or a variable that ``build`` was not given.
        """
        rows = [None] * len(variables) if rows is None else rows
        decay = [1.0] * len(variables) if decay is None else decay
        if not len(gradients) == len(variables) == len(rows) == len(decay):
            raise BadArgument(
                f"gradients, variables, rows and decay must be of one length, not {len(gradients)}, {len(variables)}, "
                f"{len(rows)} and {len(decay)}."
            )
        if self.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(list(gradients), self.clip_norm)
        learning_rate = tf.cast(learning_rate, tf.float32)
        self.begin()
        for gradient, variable, own, factor in zip(gradients, variables, rows, decay):
            slots = self._slots.get(id(variable))
            if slots is None:
                raise BadArgument(f"The optimizer was not built for the variable {variable.path}.")
            change = self.whole if own is None else self.rows
            given = () if own is None else (own,)
            change(variable.value, slots, gradient, learning_rate, self.weight_decay * float(factor), *given)

    def begin(self) -> None:
        """Called once in each step, before the variables are changed."""
        pass  # AutoGraph cannot read a function of a docstring alone, and warns

    def whole(self, variable: Any, slots: list, gradient: Tensor, learning_rate: Tensor, decay: float) -> None:
        """Change all of a variable."""
        raise NotImplementedError

    def rows(
        self, variable: Any, slots: list, gradient: Tensor, learning_rate: Tensor, decay: float, rows: Tensor
    ) -> None:
        """Change some rows of a variable."""
        raise NotImplementedError


def _zeros(shape: Sequence[int], name: str) -> keras.Variable:
    return keras.Variable("zeros", shape=tuple(shape), dtype="float32", trainable=False, name=name)
