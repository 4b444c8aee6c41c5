"""Optimizers: how gradients change variables, on every replica's own copy and, for classes, row by row."""

from typing import Any

from common.registry import Registry
from train.arguments import check_options

OPTIMIZERS = Registry("optimizer", {"sgd": "train.optimizers.sgd:SGD", "adamw": "train.optimizers.adamw:AdamW"})


def get(name: str, **options: Any):
    """The optimizer of that name.

    Raises:
        UnknownChoice: no such optimizer. BadArgument: an option it does not take, or a value out of range.
    """
    optimizer_class = OPTIMIZERS[name]
    check_options(name, optimizer_class, options)
    return optimizer_class(**options)
