"""Losses on logits: cross entropy and the two forms of focal loss, with label smoothing, over slices too.

A loss is the mean of ``per_sample`` over the batch, passed through ``combine``. The mean may span several devices.
"""

from typing import Any

from keras import ops

from common.registry import Registry
from train import arguments
from train.arguments import check_options
from train.heads import target

LOSSES = Registry(
    "loss",
    {
        "cross_entropy": "train.losses:CrossEntropy",
        "focal": "train.losses:Focal",
        "focal_batch": "train.losses:FocalBatch",
    },
)
REDUCTIONS = ("sum", "mean")


def get(name: str, label_smoothing: float = 0.0, **options: Any) -> "CrossEntropy":
    """The loss of that name.

    Raises:
        UnknownChoice: no such loss. BadArgument: an option it does not take, or a value out of range.
    """
    loss_class = LOSSES[name]
    check_options(name, loss_class, options)
    return loss_class(label_smoothing=label_smoothing, **options)


class CrossEntropy:
    """Cross entropy of softmax.

    Attributes:
        needs_mean: whether ``slope`` depends on the mean.

    Args:
        label_smoothing: share of the target that is spread evenly over all classes.
        reduce: what is done with the slices of MultiFace, "sum" or "mean".

    Raises:
        BadArgument: an argument of the wrong type or out of its range.
    """

    needs_mean = False

    def __init__(self, label_smoothing: float = 0.0, reduce: str = "sum"):
        self.label_smoothing = arguments.number("label_smoothing", label_smoothing, at_least=0, below=1)
        self.reduce = arguments.one_of("reduce", reduce, REDUCTIONS)

    def __call__(self, logits: Any, labels: Any) -> Any:
        """The loss of the batch, float32."""
        return self.combine(ops.mean(self.per_sample(logits, labels)))

    def per_sample(self, logits: Any, labels: Any) -> Any:
        """One number for each sample.

        Args:
            logits: ``[n, classes]`` or ``[n, slices, classes]``.
            labels: int ``[n]``.
        """
        logits = ops.cast(logits, "float32")
        if len(logits.shape) == 2:
            return self.of_entropy(self._entropy(logits, labels))
        slices, classes = logits.shape[1:]
        entropy = self._entropy(ops.reshape(logits, (-1, classes)), ops.repeat(labels, slices))
        values = ops.reshape(self.of_entropy(entropy), (-1, slices))
        return ops.sum(values, axis=1) if self.reduce == "sum" else ops.mean(values, axis=1)

    def of_entropy(self, entropy: Any) -> Any:
        """What counts for a sample whose cross entropy is given."""
        return entropy

    def combine(self, mean: Any) -> Any:
        """The loss from the mean of ``per_sample`` over the whole batch."""
        return mean

    def slope(self, mean: Any) -> Any:
        """The derivative of ``combine``."""
        return ops.ones_like(mean)

    def _entropy(self, logits: Any, labels: Any) -> Any:
        entropy = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if not self.label_smoothing:
            return entropy
        # -(1 - s) log p[label] - s mean(log p), by way of what the smoothing adds to the plain entropy.
        own = target.take(logits, ops.cast(labels, "int32"))
        return entropy + self.label_smoothing * (own - ops.mean(logits, axis=-1))


class Focal(CrossEntropy):
    """(1 - p)^gamma * CE for each sample, p = exp(-CE) (Lin et al. 2017, arXiv:1708.02002).

    Args:
        gamma: how much less the samples count that are right already; 0 is cross entropy.
    """

    def __init__(self, label_smoothing: float = 0.0, gamma: float = 2.0, reduce: str = "sum"):
        super().__init__(label_smoothing, reduce)
        self.gamma = arguments.number("gamma", gamma, at_least=0)

    def of_entropy(self, entropy: Any) -> Any:
        """See :class:`CrossEntropy`."""
        return focused(entropy, self.gamma)


class FocalBatch(CrossEntropy):
    """(1 - exp(-CE))^gamma * CE of the batch's mean CE: what some ArcFace code calls focal loss."""

    needs_mean = True

    def __init__(self, label_smoothing: float = 0.0, gamma: float = 2.0, reduce: str = "sum"):
        super().__init__(label_smoothing, reduce)
        self.gamma = arguments.number("gamma", gamma, at_least=0)

    def combine(self, mean: Any) -> Any:
        """See :class:`CrossEntropy`."""
        return focused(mean, self.gamma)

    def slope(self, mean: Any) -> Any:
        """See :class:`CrossEntropy`."""
        rest = _rest(mean)
        return rest**self.gamma + self.gamma * rest ** (self.gamma - 1) * ops.exp(-mean) * mean


def focused(entropy: Any, gamma: float) -> Any:
    """(1 - exp(-entropy))^gamma * entropy."""
    return _rest(entropy) ** gamma * entropy


def _rest(entropy: Any) -> Any:
    """1 - exp(-entropy), kept off 0, where the slope of a power is not finite."""
    return ops.maximum(-ops.expm1(-entropy), 1e-7)
