"""How the state dicts of others call our layers: a prefix for each, by the repository they come from.

A prefix stands before ``.weight``, ``.bias``, ``.running_mean`` and ``.running_var``.
"""

import re
from collections.abc import Callable

CONVOLUTION, NORM, PRELU = 0, 1, 2  # of the three in nn.Sequential(conv, norm, prelu)
PARTS = {"conv": CONVOLUTION, "norm": NORM, "activation": PRELU}
UNIT = re.compile(r"stage(\d)_unit(\d+)_(.+)")


def iresnet(name: str, units: list[int]) -> str:
    """arcface_torch's IResNet."""
    fixed = {
        "stem_conv": "conv1",
        "stem_norm": "bn1",
        "stem_activation": "prelu",
        "final_norm": "bn2",
        "embedding_dense": "fc",
        "embedding_norm": "features",
    }
    parts = {
        "norm1": "bn1",
        "conv1": "conv1",
        "norm2": "bn2",
        "activation": "prelu",
        "conv2": "conv2",
        "norm3": "bn3",
        "se_squeeze_conv": "se.fc1",
        "se_excite_conv": "se.fc2",
        "shortcut_conv": "downsample.0",
        "shortcut_norm": "downsample.1",
    }
    if name in fixed:
        return fixed[name]
    stage, unit, part = UNIT.fullmatch(name).groups()
    return f"layer{stage}.{int(unit) - 1}.{parts[part]}"


def ir(name: str, units: list[int]) -> str:
    """TreB1eN's IR and IR-SE, whose units are counted through all stages."""
    fixed = {
        "stem_conv": "input_layer.0",
        "stem_norm": "input_layer.1",
        "stem_activation": "input_layer.2",
        "final_norm": "output_layer.0",
        "embedding_dense": "output_layer.3",
        "embedding_norm": "output_layer.4",
    }
    parts = {
        "norm1": "res_layer.0",
        "conv1": "res_layer.1",
        "activation": "res_layer.2",
        "conv2": "res_layer.3",
        "norm2": "res_layer.4",
        "se_squeeze_conv": "res_layer.5.fc1",
        "se_excite_conv": "res_layer.5.fc2",
        "shortcut_conv": "shortcut_layer.0",
        "shortcut_norm": "shortcut_layer.1",
    }
    if name in fixed:
        return fixed[name]
    stage, unit, part = UNIT.fullmatch(name).groups()
    return f"body.{sum(units[: int(stage) - 1]) + int(unit) - 1}.{parts[part]}"


def mobilefacenet(name: str, units: list[int]) -> str:
    """TreB1eN's MobileFaceNet."""
    fixed = {
        "stem": "conv1",
        "stage1_depthwise": "conv2_dw",
        "final": "conv_6_sep",
        "embedding_depthwise": "conv_6_dw",
    }
    blocks = {"expand": "conv", "depthwise": "conv_dw", "project": "project"}
    parts = {"conv": "conv", "norm": "bn", "activation": "prelu"}
    if name in ("embedding_dense", "embedding_norm"):
        return {"embedding_dense": "linear", "embedding_norm": "bn"}[name]
    block, part = name.rsplit("_", 1)
    if block in fixed:
        return f"{fixed[block]}.{parts[part]}"
    stage, where, step = re.fullmatch(r"stage(\d)_(opening|unit\d+)_(\w+)", block).groups()
    if where == "opening":
        return f"conv_{int(stage)}{int(stage) + 1}.{blocks[step]}.{parts[part]}"
    return f"conv_{int(stage) + 1}.model.{int(where[4:]) - 1}.{blocks[step]}.{parts[part]}"


def arcface_mobilefacenet(name: str, units: list[int]) -> str:
    """arcface_torch's MobileFaceNet, all of whose parts are called layers."""
    fixed = {
        "stem": "layers.0",
        "stage1_depthwise": "layers.1",
        "final": "conv_sep",
        "embedding_depthwise": "features.layers.0",
    }
    blocks = {"expand": 0, "depthwise": 1, "project": 2}
    if name in ("embedding_dense", "embedding_norm"):
        return {"embedding_dense": "features.layers.2", "embedding_norm": "features.layers.3"}[name]
    block, part = name.rsplit("_", 1)
    if block in fixed:
        return f"{fixed[block]}.layers.{PARTS[part]}"
    stage, where, step = re.fullmatch(r"stage(\d)_(opening|unit\d+)_(\w+)", block).groups()
    first = 2 * int(stage) - 2
    if where == "opening":
        return f"layers.{first}.layers.{blocks[step]}.layers.{PARTS[part]}"
    return f"layers.{first + 1}.layers.{int(where[4:]) - 1}.layers.{blocks[step]}.layers.{PARTS[part]}"


def vit(name: str, units: list[int]) -> str:
    """arcface_torch's vision transformers."""
    fixed = {
        "patches": "patch_embed.proj",
        "final_norm": "norm",
        "embedding_reduce": "feature.0",
        "embedding_reduce_norm": "feature.1",
        "embedding_dense": "feature.2",
        "embedding_norm": "feature.3",
    }
    parts = {
        "norm1": "norm1",
        "attention": "attn.qkv",
        "attention_dense": "attn.proj",
        "norm2": "norm2",
        "dense1": "mlp.fc1",
        "dense2": "mlp.fc2",
    }
    if name in fixed:
        return fixed[name]
    number, part = re.fullmatch(r"block(\d+)_(.+)", name).groups()
    return f"blocks.{int(number) - 1}.{parts[part]}"


LAYOUTS: dict[str, list[Callable[[str, list[int]], str]]] = {  # by how our names begin
    "iresnet": [iresnet],
    "ir_": [ir],
    "mobilefacenet": [mobilefacenet, arcface_mobilefacenet],
    "vit_": [vit],
}
