"""Partial FC: a step learns on the classes of its batch and a random sample of the others (An et al. 2022,
arXiv:2203.15565)."""

from typing import Any

import keras
from keras import ops

from train import arguments
from train.heads.base import Head, register

HIGHEST = 2**31 - 1  # the place of the batch's own classes in the order


@register
class PartialFC(keras.layers.Layer):
    """Chooses classes for a head; as a layer, from ``[embeddings, labels]`` to logits of the chosen classes alone.

    A sample holds every class of the batch, and is filled up to ``rate`` of all classes with others, each as likely as
    any other. Where the batch alone has more, it holds these and no others. It depends on the batch's classes, the seed
    and the step alone, so that all replicas choose the same one.

    Args:
        head: any head.
        rate: share of the classes, above 0 to 1.
        seed: another one gives other samples.
    """

    def __init__(self, head: Head, rate: float = 0.1, seed: int = 0, name: str | None = None):
        super().__init__(name=name, dtype="float32", autocast=False)
        self.head = head
        self.rate = arguments.number("rate", rate, above=0, at_most=1)
        self.seed = arguments.whole("seed", seed, at_least=0)
        self.size = max(1, int(self.rate * head.classes))

    def build(self, input_shape: Any) -> None:
        """Keras' hook."""
        self.head.build_for(input_shape[0][-1])
        self.steps = self.add_weight(name="steps", shape=(), dtype="int32", initializer="zeros", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> tuple:
        """(logits, labels): of the sample of this step in training, otherwise of all classes."""
        embeddings, labels = inputs
        weights = [ops.convert_to_tensor(variable) for variable in self.head.class_variables]
        if not training:
            return self.head.logits(embeddings, labels, weights, training=False), labels
        rows = self.sample(labels, self.steps)
        self.steps.assign_add(1)
        chosen, own = [ops.take(value, rows, axis=0) for value in weights], self.remap(rows, labels)
        return self.head.logits(embeddings, own, chosen, training=True), own

    def sample(self, labels: Any, step: Any) -> Any:
        """The classes of a step.

        Args:
            labels: int ``[n]`` of the whole batch, over all replicas.
            step: number of the step, an integer or an integer tensor.

        Returns:
            int32 ``[s]``, growing. s is known beforehand unless a batch can have more classes than the sample.
        """
        classes = self.head.classes
        present = ops.scatter_update(
            ops.zeros((classes,), "int32"), ops.cast(labels, "int32")[:, None], ops.ones_like(labels, dtype="int32")
        )
        count = self.size
        if labels.shape[0] is None or labels.shape[0] > count:
            count = ops.maximum(count, ops.sum(present))
        order = ops.where(present > 0, HIGHEST, random_order(classes, self.seed, step))
        return ops.sort(ops.cast(ops.top_k(order, count, sorted=False)[1], "int32"))

    def remap(self, rows: Any, labels: Any) -> Any:
        """Places int32 ``[n]`` of the labels, all of which must be in it, within the sample ``rows``."""
        return ops.cast(ops.searchsorted(rows, ops.cast(labels, rows.dtype)), "int32")

    def get_config(self) -> dict[str, Any]:
        """The head included."""
        head = keras.saving.serialize_keras_object(self.head)
        return {"name": self.name, "head": head, "rate": self.rate, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PartialFC":
        """The layer of a ``get_config``."""
        return cls(**{**config, "head": keras.saving.deserialize_keras_object(config["head"])})


def random_order(count: int, seed: int, step: Any) -> Any:
    """``count`` random int32 from 0 to below ``HIGHEST``, others for each seed and step.

    They are hashes (the finaliser of MurmurHash3) of position, seed and step: the same on every device and on every
    backend of Keras, whose own random numbers cannot be seeded by a tensor.
    """
    seed = _hashed(ops.convert_to_tensor(seed % 2**32, "uint32"))
    step = _hashed(ops.cast(step, "uint32") + ops.convert_to_tensor(0x9E3779B9, "uint32"))
    numbers = ops.cast(ops.arange(count, dtype="int32"), "uint32")  # TensorFlow has no range of uint32 in graphs
    values = _hashed(ops.bitwise_xor(_hashed(ops.bitwise_xor(numbers, seed)), step))
    return ops.minimum(ops.cast(_shifted(values, 1), "int32"), HIGHEST - 1)


def _hashed(values: Any) -> Any:
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        values = ops.bitwise_xor(values, _shifted(values, shift)) * ops.convert_to_tensor(factor, "uint32")
    return ops.bitwise_xor(values, _shifted(values, 16))


def _shifted(values: Any, bits: int) -> Any:
    return ops.right_shift(values, ops.convert_to_tensor(bits, "uint32"))
