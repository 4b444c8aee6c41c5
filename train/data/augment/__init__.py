"""Augmentations: how a training picture is changed before the network sees it, one kind a file.

``build`` makes them from options. They are applied in the order of ``AUGMENTATIONS``: what moves pixels first, then
colours, then sharpness, then what covers.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from common.config import check_keys
from common.errors import BadConfig
from common.registry import Registry

AUGMENTATIONS = Registry(
    "augmentation",
    {
        "flip": "train.data.augment.flip:Flip",
        "crop": "train.data.augment.crop:Crop",
        "randaugment": "train.data.augment.randaugment:RandAugment",
        "colour": "train.data.augment.colour:Colour",
        "grey": "train.data.augment.grey:Grey",
        "resolution": "train.data.augment.resolution:Resolution",
        "blur": "train.data.augment.blur:Blur",
        "cutout": "train.data.augment.cutout:Cutout",
    },
)


def build(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The augmentations by name, in the order in which they are applied.

    Args:
        chosen: name -> True (as it is by default), False (not at all) or a mapping of its options.

    Raises:
        BadConfig: an unknown name or option, or a value that makes no sense; the message names it.
    """
    check_keys(chosen, "augment", set(), set(AUGMENTATIONS))
    return {name: _build(name, chosen[name]) for name in AUGMENTATIONS if _is_chosen(name, chosen.get(name, False))}


def _is_chosen(name: str, options: Any) -> bool:
    if not isinstance(options, bool | Mapping):
        raise BadConfig(f"augment.{name} must be true, false or a mapping of its options, not {options!r}.")
    return options is not False


def _build(name: str, options: Any) -> Any:
    options = {} if options is True else dict(options)
    kind = AUGMENTATIONS[name]
    check_keys(options, f"augment.{name}", set(), {each.name for each in fields(kind)})
    return kind(**options)
