"""Classification heads: embeddings and labels in, scaled logits out. One loss family, a file each."""

from typing import Any

from common.registry import Registry
from train.arguments import check_options

_TARGETS = {
    "Softmax": "train.heads.softmax:Softmax",
    "NormSoftmax": "train.heads.norm_softmax:NormSoftmax",
    "SphereFace": "train.heads.sphereface:SphereFace",
    "CosFace": "train.heads.cosface:CosFace",
    "ArcFace": "train.heads.arcface:ArcFace",
    "Combined": "train.heads.combined:Combined",
    "MultiFace": "train.heads.multiface:MultiFace",
    "SubCenter": "train.heads.subcenter:SubCenter",
    "AdaFace": "train.heads.adaface:AdaFace",
}
_NAMES = {"NormSoftmax": "norm_softmax"}

HEADS = Registry("head", {_NAMES.get(name, name.lower()): target for name, target in _TARGETS.items()})

__all__ = ["HEADS", "get", *_TARGETS]


def get(name: str, classes: int, **options: Any):
    """The head of that name for so many classes.

    Raises:
        UnknownChoice: no such head. BadArgument: an option it does not take, or a value out of range.
    """
    head_class = HEADS[name]
    check_options(name, head_class, options)
    return head_class(classes, **options)


def __getattr__(attribute: str):
    """The classes by name, imported when first asked for: they bring Keras."""
    if attribute in _TARGETS:
        return HEADS[_NAMES.get(attribute, attribute.lower())]
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
