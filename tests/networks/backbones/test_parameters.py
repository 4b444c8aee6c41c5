"""Sizes of the real networks: parameters against their sources, strides, and what is frozen or left out."""

from math import prod

import pytest

from networks.backbones import BACKBONES, get
from networks.backbones.settings import Settings

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")

# Trainable parameters as published or counted in the original code. IResNet's count includes the 512 gammas of its
# last normalisation, which never train; those are no variables here.
PUBLISHED = {
    "iresnet18": 24_025_600 - 512,
    "iresnet34": 34_139_328 - 512,
    "iresnet50": 43_590_848 - 512,
    "iresnet100": 65_156_160 - 512,
    "iresnet200": 118_833_920 - 512,
    "ir_50": 43_574_976,
    "ir_se_50": 43_797_696,
    "mobilefacenet": 1_200_512,
}


def trainable(model):
    return sum(prod(variable.shape) for variable in model.trainable_variables)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_source(name):
    assert trainable(get(name)) == PUBLISHED[name]


def test_resnet_v2_m_50_stage_by_stage():
    model = get("resnet_v2_m_50")
    counts = {
        stage: sum(prod(v.shape) for v in model.trainable_variables if v.path.startswith(f"stage{stage}_"))
        for stage in (1, 2, 3, 4)
    }
    assert counts == {1: 222_144, 2: 1_116_672, 3: 16_270_848, 4: 13_114_880}
    assert (trainable(model), model.count_params()) == (43_573_440, 43_597_888)
    assert trainable(get("resnet_v2_m_50", activation="prelu")) - trainable(model) == 11_200


def test_mobilefacenet_of_128():
    assert trainable(get("mobilefacenet", embedding_size=128)) == 1_003_136


def naive_bottlenecks(units, first):
    """Parameters of the stages of a pre-activation bottleneck network whose stem gives 64 channels."""
    total, inputs = 0, 64
    for count, depth in zip(units, (256, 512, 1024, 2048)):
        for number in range(count):
            inner = depth // 4
            total += 2 * inputs + inputs * inner + 2 * inner + 9 * inner * inner + 2 * inner + inner * depth + depth
            total += (inputs + 1) * depth if number == 0 else 0
            inputs = depth
    return total + (2 * inputs if first == 7 else 0)


@pytest.mark.parametrize("family, first, side", [("resnet_v2_m", 3, 7), ("resnet_v2", 7, 4)])
def test_bottleneck_networks_count_as_written_down(family, first, side):
    builder, units = BACKBONES[f"{family}_101"], (2, 1, 2, 1)
    model = builder.func("fewer_units", units, *builder.args[2:], Settings())
    embedding = 2 * 2048 + side * side * 2048 * 512 + 512 + 512
    stem = first * first * 3 * 64 + 64
    assert trainable(model) == stem + naive_bottlenecks(units, first) + embedding


UNITS = {  # of the four stages, by the network's number; where two share one, iresnet and ir come second
    "18": [(2, 2, 2, 2)],
    "34": [(3, 4, 6, 3)],
    "50": [(3, 4, 6, 3), (3, 4, 14, 3)],
    "100": [(3, 13, 30, 3)],
    "101": [(3, 4, 23, 3)],
    "152": [(3, 8, 36, 3)],
    "200": [(3, 24, 36, 3), (6, 26, 60, 6)],
}


@pytest.mark.parametrize("name", [name for name in BACKBONES if name.startswith(("resnet", "i"))])
def test_every_residual_network_has_the_units_of_its_name(name):
    """Read off the builders: to build the 21 takes half a minute."""
    named, units = BACKBONES[name].args[:2]
    expected = UNITS[name.removeprefix("iresnet").split("_")[-1]]
    assert (named, units) == (name, expected[0 if name.startswith("resnet_v2_") and "_m_50" not in name else -1])


MAPS = {
    "resnet_v2_m_50": [112, 56, 28, 14, 7],
    "iresnet18": [112, 56, 28, 14, 7],
    "resnet_v2_50": [28, 14, 7, 4, 4],
}


@pytest.mark.parametrize("name", MAPS)
def test_each_stage_has_its_resolution(name):
    model = get(name, width=0.125)
    sides = [next(each for each in reversed(model.layers) if each.name.startswith("stem")).output.shape[1]]
    for stage in (1, 2, 3, 4):
        sums = [each for each in model.layers if each.name.startswith(f"stage{stage}_") and each.name.endswith("_add")]
        sides.append(sums[-1].output.shape[1])
    assert sides == MAPS[name]


CONSTANTS = {  # momentum and epsilon of the normalisations, whether the last has a gamma, rate of the dropout
    "resnet_v2_m_50": (0.9, 2e-5, False, 0.6),
    "resnet_v2_50": (0.997, 1e-5, False, 0.6),
    "iresnet18": (0.9, 1e-5, False, 0.0),
    "ir_50": (0.9, 1e-5, True, 0.6),
    "mobilefacenet": (0.9, 1e-5, True, 0.0),
    "mobilefacenet_public": (0.995, 2e-5, True, 0.0),
    "vit_t": (0.9, 2e-5, True, None),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_normalisation_and_dropout_are_those_of_the_source(name):
    model = get(name, width=0.125, input_size=(32, 32))
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    rates = [layer.rate for layer in model.layers if layer.name == "embedding_dropout"] or [None]
    scale = model.get_layer("embedding_norm").scale
    assert {(layer.momentum, layer.epsilon, scale, *rates) for layer in norms} == {CONSTANTS[name]}
    assert all(layer.scale and layer.center for layer in norms[:-1]) and norms[-1].center
