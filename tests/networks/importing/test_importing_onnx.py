"""ONNX files as PyTorch exports them into our backbones; outputs are compared with OpenVINO's of the file."""

import numpy as np
import openvino as ov
import pytest

from common.errors import BadModel
from networks import backbones
from networks.importing import backbone_of, load_into, recalibrate

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")
pytest.importorskip("onnx", reason="ONNX files are written with it: pip install '.[test]'")

from tests.networks.importing import onnx_networks  # noqa: E402

FORMS = {"separate": False, "folded": True, "all folded": "all"}


def faces(count=3, size=(32, 32)):
    return np.random.default_rng(count).uniform(-1, 1, (count, *size, 3)).astype(np.float32)


def written(path, network):
    content, parameters = network
    path.write_bytes(content)
    return path, parameters


def by_openvino(path, x):
    run = ov.compile_model(ov.Core().read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return next(iter(run([np.ascontiguousarray(x.transpose(0, 3, 1, 2))]).values()))


def norms(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


IRESNET = (onnx_networks.iresnet, ("iresnet18", {"se": False}))
MOBILEFACENET = (onnx_networks.mobilefacenet, ("mobilefacenet", {"scale": 2, "blocks": (1, 4, 6, 2)}))


@pytest.mark.parametrize(
    "network, described, form",
    [*[(*IRESNET, form) for form in FORMS], (*MOBILEFACENET, "all folded")],
)
def test_outputs_are_those_of_the_file_and_training_can_go_on(tmp_path, network, described, form):
    path, parameters = written(tmp_path / "network.onnx", network(FORMS[form]))
    found = backbone_of(path)
    assert (found.name, found.options) == described
    assert (found.embedding_size, found.input_size, found.width) == (16, (32, 32), 0.125)
    model = found.build()
    imported = load_into(model, path)
    x, expected = faces(), by_openvino(path, faces())
    np.testing.assert_allclose(np.asarray(model(x, training=False)), expected, rtol=1e-4, atol=1e-4)
    assert imported.difference < 1e-4
    assert set(imported.matched) == {layer.name for layer in model.layers if layer.weights}
    assert imported.left_out == imported.unused == ()
    kept = [layer for layer in norms(model) if layer.name not in imported.folded]
    assert (len(kept) == len(norms(model))) == (form == "separate")
    if form == "folded":
        gamma, _, mean, variance = model.get_layer("stem_norm").get_weights()
        assert (gamma == 1).all() and (mean == 0).all() and (variance == np.float32(1 - 1e-5)).all()
    if form == "separate":
        stem = model.get_layer("stem_norm").get_weights()
        prefix = "bn1" if described[0] == "iresnet18" else "layers.0.layers.1"
        for array, part in zip(stem, ("weight", "bias", "running_mean", "running_var"), strict=True):
            np.testing.assert_array_equal(array, parameters[f"{prefix}.{part}"])


def test_a_squeezing_network_whose_sums_are_written_the_other_way_round(tmp_path):
    path, _ = written(tmp_path / "n.onnx", onnx_networks.iresnet(True, se=True, swapped=True, size=(32, 48), batch=1))
    found = backbone_of(path)
    assert (found.name, found.options, found.input_size) == ("iresnet18", {"se": True}, (32, 48))
    assert load_into(found.build(), path).difference < 1e-4


def test_another_embedding_size_leaves_the_embedding_as_it_was(tmp_path):
    path, _ = written(tmp_path / "n.onnx", onnx_networks.iresnet(True))
    model = backbone_of(path).build(embedding_size=24)
    before = model.get_layer("embedding_dense").get_weights()
    imported = load_into(model, path)
    assert imported.left_out == ("embedding_dense", "embedding_norm") and imported.difference is None
    assert "left as they were: embedding_dense, embedding_norm" in str(imported)
    for old, new in zip(before, model.get_layer("embedding_dense").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    whole = backbone_of(path).build()
    load_into(whole, path)
    trunks = [keras.Model(each.inputs, each.get_layer("final_norm").output) for each in (model, whole)]
    np.testing.assert_array_equal(*[np.asarray(trunk([faces()])) for trunk in trunks])


def test_recalibrating_leaves_outputs_and_makes_normalisations_normalise(tmp_path):
    path, _ = written(tmp_path / "n.onnx", onnx_networks.mobilefacenet("all"))
    options = {"width": 0.125, "scale": 2, "embedding_size": 16, "input_size": (32, 32)}
    model = backbones.get("mobilefacenet", **options)
    imported = load_into(model, path)
    x = faces(40)
    expected, before = np.asarray(model(x, training=False)), model.get_weights()
    apart = np.abs(np.asarray(model(x, training=True)) - expected).mean()
    model.set_weights(before)  # the call moved the statistics
    assert recalibrate(model, x) == ()
    np.testing.assert_allclose(np.asarray(model(x, training=False)), expected, rtol=1e-3, atol=1e-3)
    stem = keras.Model(model.inputs, model.get_layer("stem_conv").output)([x])
    _, _, mean, variance = model.get_layer("stem_norm").get_weights()
    np.testing.assert_allclose(mean, np.float64(stem).mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(variance, np.float64(stem).var((0, 1, 2)), rtol=1e-4)
    assert np.abs(np.asarray(model(x, training=True)) - expected).mean() < apart / 50
    assert set(imported.folded) >= {"stem_norm", "embedding_norm"}


def test_recalibrating_names_what_has_no_gamma_and_leaves_it():
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.BatchNormalization(name="whole")(inputs)
    model = keras.Model(inputs, keras.layers.BatchNormalization(scale=False, name="lacking")(x))
    x = faces(5, (4, 4))[..., :2]
    assert recalibrate(model, x) == ("lacking",)
    np.testing.assert_allclose(model.get_layer("whole").get_weights()[2], x.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_array_equal(model.get_layer("lacking").get_weights()[1], 0)


def rewired(content, change):
    """The graph with a change made to its first 3x3 convolution behind the stem."""
    import onnx

    model = onnx.load_from_string(content)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    change(convolutions[1])
    return model.SerializeToString()


def moved_padding(node):
    for attribute in node.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [2, 2, 0, 0]


def test_a_network_that_pads_in_another_way_is_refused_by_its_outputs(tmp_path):
    content, _ = onnx_networks.iresnet(True)
    path = tmp_path / "n.onnx"
    path.write_bytes(rewired(content, moved_padding))
    model = backbones.get("iresnet18", embedding_size=16, input_size=(32, 32), width=0.125)
    before = model.get_weights()
    with pytest.raises(BadModel, match=r"n\.onnx has the layers of iresnet18, but other outputs"):
        load_into(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        ("iresnet34", {}, "is not the network iresnet34: what stage4_unit2_add sums is computed"),
        ("iresnet18", {"se": True}, "is not the network iresnet18: what stage4_unit2_add sums is computed"),
        (
            "iresnet18",
            {"width": 0.25},
            r"weights of iresnet18: stem_conv expects \[\(3, 3, 3, 16\)\], found \[\(3, 3, 3, 8\)\]",
        ),
        ("mobilefacenet", {}, "is not the network mobilefacenet: at"),
        ("vit_t", {}, "is not the network vit_t: at embedding_reduce"),
    ],
)
def test_the_first_differences_from_another_network_are_told_and_nothing_changes(tmp_path, name, arguments, message):
    path, _ = written(tmp_path / "n.onnx", onnx_networks.iresnet(True))
    model = backbones.get(name, **({"embedding_size": 16, "input_size": (32, 32), "width": 0.125} | arguments))
    before = model.get_weights()
    with pytest.raises(BadModel, match=message):
        load_into(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_what_is_no_network_of_ours_is_told(tmp_path):
    from onnx import TensorProto, helper

    (tmp_path / "garbage.onnx").write_bytes(b"no network")
    with pytest.raises(BadModel, match=r"garbage\.onnx"):
        backbone_of(tmp_path / "garbage.onnx")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([helper.make_node("Sin", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    (tmp_path / "sine.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BadModel, match="holds the operation Sin, which none of the backbones has"):
        backbone_of(tmp_path / "sine.onnx")
    path, _ = written(tmp_path / "odd.onnx", onnx_networks.iresnet(True, units=(1, 1, 1, 1)))
    with pytest.raises(
        BadModel,
        match=r"odd\.onnx holds none of the networks known here \(resnet_v2_m_50, .*its graph has the sums of none",
    ):
        backbone_of(path)
