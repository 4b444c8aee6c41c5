"""Which backbone a state dict holds, told by the names and shapes of its tensors."""

import math
import re

import numpy as np

from common.errors import BadModel
from networks.importing.results import Backbone

IRESNETS = {
    (2, 2, 2, 2): "iresnet18",
    (3, 4, 6, 3): "iresnet34",
    (3, 4, 14, 3): "iresnet50",
    (3, 13, 30, 3): "iresnet100",
    (3, 4, 23, 3): "iresnet101",
    (3, 8, 36, 3): "iresnet152",
    (6, 26, 60, 6): "iresnet200",
}
IR_LAYERS = {24: 50, 49: 100, 50: 152}
VITS = {(256, 12): "vit_t", (512, 12): "vit_s", (512, 24): "vit_b", (768, 24): "vit_l"}
BLOCKS = {4: (1, 4, 6, 2), 8: (2, 8, 12, 4)}  # of MobileFaceNet, by the units of its second stage


def describe(tensors: dict[str, np.ndarray], where: str) -> Backbone:
    """The backbone of a state dict.

    Raises:
        BadModel: none that is known here.
    """
    for known in (_iresnet, _ir, _mobilefacenet, _arcface_mobilefacenet, _vit):
        try:
            found = known(tensors)
        except (KeyError, IndexError, ValueError):  # names or shapes that are not this network's
            continue
        if found is not None:
            return found
    raise BadModel(
        f"{where} holds the state dict of no network known here (names such as {', '.join(list(tensors)[:3])}). "
        "Known are arcface_torch's IResNet, MobileFaceNet and ViT, and TreB1eN's IR, IR-SE and MobileFaceNet."
    )


def _iresnet(tensors: dict) -> Backbone | None:
    if "layer1.0.bn1.weight" not in tensors:
        return None
    units = tuple(_count(tensors, rf"layer{stage}\.(\d+)\.") for stage in (1, 2, 3, 4))
    options = {"se": "layer1.0.se.fc1.weight" in tensors}
    return _square(IRESNETS[units], tensors["fc.weight"], tensors["conv1.weight"], options)


def _ir(tensors: dict) -> Backbone | None:
    if "body.0.res_layer.1.weight" not in tensors:
        return None
    kind = "ir_se" if "body.0.res_layer.5.fc1.weight" in tensors else "ir"
    layers = IR_LAYERS[_count(tensors, r"body\.(\d+)\.")]
    return _square(f"{kind}_{layers}", tensors["output_layer.3.weight"], tensors["input_layer.0.weight"], {})


def _mobilefacenet(tensors: dict) -> Backbone | None:
    if "conv_6_dw.conv.weight" not in tensors:
        return None
    blocks = BLOCKS[_count(tensors, r"conv_3\.model\.(\d+)\.")]
    return _depthwise(tensors["linear.weight"], tensors["conv_6_dw.conv.weight"], tensors["conv1.conv.weight"], blocks)


def _arcface_mobilefacenet(tensors: dict) -> Backbone | None:
    if "features.layers.0.layers.0.weight" not in tensors:
        return None
    blocks = BLOCKS[_count(tensors, r"layers\.3\.layers\.(\d+)\.")]
    return _depthwise(
        tensors["features.layers.2.weight"],
        tensors["features.layers.0.layers.0.weight"],
        tensors["layers.0.layers.0.weight"],
        blocks,
    )


def _vit(tensors: dict) -> Backbone | None:
    if "patch_embed.proj.weight" not in tensors:
        return None
    size = len(tensors["patch_embed.proj.weight"])
    side = math.isqrt(tensors["pos_embed"].shape[1]) * 9
    name = VITS[size, _count(tensors, r"blocks\.(\d+)\.")]
    side = 112 if side == 108 else side  # rows and columns that fill no patch leave no trace
    return Backbone(name, len(tensors["feature.2.weight"]), (side, side))


def _count(tensors: dict, pattern: str) -> int:
    return 1 + max(int(found[1]) for found in (re.match(pattern, name) for name in tensors) if found)


def _square(name: str, dense: np.ndarray, stem: np.ndarray, options: dict) -> Backbone:
    """For networks whose embedding is read from a map of an 16th of the input; it must have been a square."""
    width = len(stem) / 64
    side = math.isqrt(dense.shape[1] // round(512 * width))
    return Backbone(name, len(dense), (16 * side, 16 * side), width, options)


def _depthwise(dense: np.ndarray, last: np.ndarray, stem: np.ndarray, blocks: tuple[int, ...]) -> Backbone:
    """For MobileFaceNets: the last depthwise convolution is as large as the map it reads."""
    width = len(last) / 512
    options = {"scale": round(len(stem) / (64 * width)), "blocks": blocks}
    return Backbone("mobilefacenet", len(dense), (16 * last.shape[2], 16 * last.shape[3]), width, options)
