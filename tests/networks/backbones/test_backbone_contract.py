"""What every registered backbone holds to, at tiny sizes."""

import json
import sys
from unittest.mock import patch

import numpy as np
import pytest

from common.errors import BadArgument, MissingDependency, UnknownChoice
from networks.backbones import BACKBONES, get, options_of
from networks.backbones.settings import Settings

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")

from networks.backbones import mobilefacenet, mobilefacenet_public  # noqa: E402

FAMILIES = {  # a network of each, with fewer units: the others of a family differ in their numbers only
    "resnet_v2_m_50": {"units": (1, 2, 1, 1), "activation": "prelu"},
    "resnet_v2_m_101": {"units": (1, 2, 1, 1)},
    "resnet_v2_50": {"units": (1, 2, 1, 1)},
    "iresnet18": {"units": (1, 2, 1, 1), "se": True},
    "ir_se_50": {"units": (1, 2, 1, 1)},
    "mobilefacenet": {"scale": 2, "blocks": (1, 1, 1, 1)},
    "mobilefacenet_public": {"stages": ((64, 2, 1), (128, 4, 1), (128, 4, 1))},
    "vit_t": {"depth": 2},
}
SIZE, EMBEDDING, DROPOUT = (32, 48), 12, 0.25


def tiny(name, **changes):
    settings = {"embedding_size": EMBEDDING, "input_size": SIZE, "width": 0.125} | changes
    options = dict(FAMILIES[name])
    builder = BACKBONES[name]
    if "units" in options:
        _, _, *rest = builder.args
        return builder.func(name, options.pop("units"), *rest, Settings(**settings), **options)
    if "depth" in options:
        return builder.func(name, builder.args[1], options.pop("depth"), Settings(**settings), **options)
    if "stages" in options:
        with patch.object(mobilefacenet_public, "STAGES", options.pop("stages")):
            return builder(Settings(**settings))
    with patch.object(mobilefacenet, "STANDARD", options["blocks"]):
        return builder(Settings(**settings), **options)


def faces(count=3, size=SIZE):
    return np.random.default_rng(count).uniform(-1, 1, (count, *size, 3)).astype(np.float32)


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request):
    """As after training: normalisations that do something."""
    keras.utils.set_random_seed(7)
    random = np.random.default_rng(5)
    network = tiny(request.param, dropout=DROPOUT)
    for layer in norms(network):
        layer.set_weights([w + random.uniform(0, 0.2, w.shape) for w in layer.get_weights()])
    for layer in network.layers:
        if layer.name.endswith("_squeeze_conv"):  # its one channel must not be below zero for all faces
            layer.set_weights([np.abs(kernel) for kernel in layer.get_weights()])
    return network


def test_outputs_survive_saving_and_do_not_depend_on_how_the_model_is_called(model, tmp_path):
    x = faces()
    output = np.asarray(model(x, training=False))
    assert output.shape == (3, EMBEDDING) and output.dtype == np.float32 and np.isfinite(output).all()
    assert np.abs(output[0] - output[1]).max() > 1e-3, "all faces look the same"
    np.testing.assert_allclose(model.predict(x, verbose=0), output, rtol=1e-4, atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(np.asarray(again(x, training=False)), output, rtol=1e-5, atol=1e-5)
    assert again.name == model.name
    assert json.loads(again.to_json()) == json.loads(model.to_json())


def test_the_gradient_reaches_every_trainable_variable(model):
    import tensorflow as tf

    weights = tf.random.stateless_normal((8, EMBEDDING), (1, 2))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(faces(8), training=True) * weights)
    variables = model.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    still = [variable.path for variable, each in zip(variables, gradients, strict=True) if not np.any(each)]
    assert all(each is not None and np.isfinite(each).all() for each in gradients)
    # A normalisation takes back whatever the bias before it adds.
    assert set(still) <= {"embedding_dense/bias"}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", FAMILIES)
def test_embeddings_are_float32_and_finite_under_a_mixed_policy(name, policy):
    keras.config.set_dtype_policy(policy)
    try:
        network = tiny(name)
    finally:
        keras.config.set_dtype_policy("float32")
    computed = {layer.compute_dtype for layer in network.layers if layer.name.endswith(("_conv", "_attention"))}
    assert computed == {policy.removeprefix("mixed_")}
    output = network(faces(), training=True)
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    assert np.isfinite(np.asarray(output)).all()
    assert all(variable.dtype == "float32" for variable in network.variables if "seed" not in variable.path)


def test_dropout_is_the_rate_of_units_dropped(model):
    assert {layer.rate for layer in model.layers if layer.name.endswith("dropout")} == {DROPOUT}


@pytest.mark.parametrize("name", FAMILIES)
def test_any_input_that_divides_and_any_embedding_size(name):
    assert tiny(name, input_size=(64, 16), embedding_size=130).output_shape == (None, 130)


def test_the_embedding_is_made_by_layers_that_are_named_so(model):
    names = [layer.name for layer in model.layers]
    assert names[-2:] == ["embedding_dense", "embedding_norm"]
    assert len(set(names)) == len(names)


def test_width_multiplies_channels_and_keeps_at_least_eight():
    def stem(width):
        return Settings(width=width).channels(64)

    assert [stem(width) for width in (0.01, 0.125, 0.2, 0.25, 0.5, 1.5)] == [8, 8, 16, 16, 32, 96]
    model = get("iresnet18", width=0.25)
    filters = [model.get_layer(f"stage{stage}_unit1_conv1").filters for stage in (1, 2, 3, 4)]
    assert filters == [16, 32, 64, 128]


@pytest.mark.parametrize("name", [name for name in BACKBONES if not name.startswith("vit")])
def test_a_size_that_does_not_divide_is_refused(name):
    with pytest.raises(BadArgument, match=rf"{name} takes inputs whose sides are multiples of 16, not 112x110"):
        get(name, input_size=(112, 110))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"embedding_size": 0}, "embedding_size"),
        ({"embedding_size": 1.5}, "embedding_size"),
        ({"input_size": 112}, "input_size"),
        ({"input_size": (112, -112)}, "input_size"),
        ({"width": 0}, "width"),
        ({"width": float("nan")}, "width"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": "0.5"}, "dropout"),
        ({"se": 1}, "se is 1. Expected one of: False, True"),
        ({"activation": "prelu"}, "iresnet18 has no option 'activation'. Expected one of: se"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(BadArgument, match=message):
        get("iresnet18", **arguments)


@pytest.mark.parametrize(
    "name, options",
    [
        ("resnet_v2_m_50", {"activation": "relu"}),
        ("mobilefacenet", {"scale": 3}),
        ("mobilefacenet", {"scale": True}),
        ("mobilefacenet", {"blocks": (1, 2)}),
        ("vit_t", {"drop_path": 1}),
        ("vit_t", {"input_size": (8, 112)}),
    ],
)
def test_a_wrong_option_is_refused(name, options):
    with pytest.raises(BadArgument, match=name):
        get(name, **options)


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(UnknownChoice, match="Unknown backbone 'resnet50'. Expected one of: resnet_v2_m_50, "):
        get("resnet50")


def test_options_are_told_with_their_defaults():
    assert options_of("resnet_v2_m_50") == {"activation": "leaky_relu"}
    assert options_of("mobilefacenet") == {"scale": 1, "blocks": (1, 4, 6, 2)}
    assert options_of("ir_50") == {}


def test_without_keras_the_error_names_the_extra_to_install(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("networks.backbones.i")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingDependency, match=r"\.\[train\]"):
        get("iresnet18")
