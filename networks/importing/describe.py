"""Which of our backbones a network is, told by its layers or its graph."""

from collections.abc import Iterable

from common.errors import BadArgument, BadModel
from networks.backbones import BACKBONES
from networks.importing.results import Backbone

UNITS = {  # networks by the number of sums in their graph
    8: ["iresnet18"],
    12: ["mobilefacenet", "mobilefacenet_public"],
    16: ["iresnet34", "resnet_v2_50"],
    24: ["iresnet50", "ir_50", "ir_se_50", "resnet_v2_m_50"],
    26: ["mobilefacenet"],
    33: ["iresnet101", "resnet_v2_m_101", "resnet_v2_101"],
    49: ["iresnet100", "ir_100", "ir_se_100"],
    50: ["iresnet152", "ir_152", "ir_se_152", "resnet_v2_m_152", "resnet_v2_152"],
    66: ["resnet_v2_m_200", "resnet_v2_200"],
    98: ["iresnet200"],
}
VIT_SIZES = {"vit_t": 256, "vit_s": 512, "vit_b": 512, "vit_l": 768}


def of_layers(model, where: str) -> Backbone:
    """The backbone that a Keras model was built as, by its name and layers.

    Raises:
        BadModel: none of ours, or built in a way that cannot be told from it.
    """
    if model.name not in BACKBONES:
        raise BadModel(f"{where} holds a model called {model.name!r}, which is no backbone: {', '.join(BACKBONES)}.")
    changed = BadModel(f"{where} holds a {model.name} that was changed: its layers are not those of any width.")
    try:
        described = Backbone(
            model.name,
            int(model.outputs[0].shape[-1]),
            tuple(model.inputs[0].shape[1:3]),
            _width(model),
            _options(model),
        )
        ours = described.build()
    except (KeyError, AttributeError, ValueError, BadArgument):  # a layer that is not there, or is another
        raise changed from None
    if _shapes(ours) != _shapes(model):
        raise changed
    return described


def candidates(
    sums: int, gated: bool, stem: int, features: int, embedding_size: int, input_size: tuple[int, int]
) -> Iterable[Backbone]:
    """Backbones that a graph may be, by what is counted in it; which of them it is, shows when they are matched.

    Args:
        sums: additions of two maps.
        gated: whether there is squeeze and excitation.
        stem: channels of the first convolution.
        features: numbers that the embedding is computed from.
        embedding_size, input_size: of the graph.
    """
    for name in UNITS.get(sums, []):
        shared = (name, embedding_size, input_size)
        if name.startswith("ir_") and gated != name.startswith("ir_se_"):
            continue
        if name.startswith("iresnet"):
            yield Backbone(*shared, stem / 64, {"se": gated})
        elif name.startswith("resnet_v2_m"):
            yield from (Backbone(*shared, stem / 64, {"activation": each}) for each in ("leaky_relu", "prelu"))
        elif name == "mobilefacenet":
            width = features / 512
            blocks = (1, 4, 6, 2) if sums == 12 else (2, 8, 12, 4)
            yield Backbone(*shared, width, {"scale": round(stem / (64 * width)), "blocks": blocks})
        else:
            yield Backbone(*shared, stem / 64)


def first_that(misfit, backbones: Iterable[Backbone], where: str) -> Backbone:
    """The first backbone for which ``misfit``, called with it as a model, has nothing to say.

    Raises:
        BadModel: none; the message tells what kept the last.
    """
    reason = "its graph has the sums of none."
    for backbone in backbones:
        try:
            model = backbone.build()
        except BadArgument as error:  # an input size that this one does not take
            reason = str(error)
            continue
        reason = misfit(model)
        if reason is None:
            return backbone
    raise BadModel(f"{where} holds none of the networks known here ({', '.join(BACKBONES)}): {reason}")


def _width(model) -> float:
    names = {layer.name: layer for layer in model.layers}
    if model.name in VIT_SIZES:
        return names["patches"].output.shape[-1] / VIT_SIZES[model.name]
    if model.name.startswith("mobilefacenet"):
        return names["final_conv"].filters / 512
    return names["stem_conv"].filters / 64


def _options(model) -> dict:
    names = {layer.name: layer for layer in model.layers}
    if model.name.startswith("resnet_v2_m"):
        kind = type(names["stage1_unit1_activation1"]).__name__
        return {"activation": "prelu" if kind == "PReLU" else "leaky_relu"}
    if model.name.startswith("iresnet"):
        return {"se": "stage1_unit1_se_multiply" in names}
    if model.name == "mobilefacenet":
        scale = round(names["stem_conv"].filters / (64 * _width(model)))
        return {"scale": scale, "blocks": (1, 4, 6, 2) if "stage1_depthwise_conv" in names else (2, 8, 12, 4)}
    if model.name in VIT_SIZES:
        last = max(int(name[5:].split("_")[0]) for name in names if name.startswith("block"))
        return {"drop_path": names[f"block{last}_drop_path1"].rate}
    return {}


def _shapes(model) -> list:
    return [(variable.path.split("/", 1)[-1], tuple(variable.shape)) for variable in model.weights]
