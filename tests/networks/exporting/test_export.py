"""Every format of a network gives what the network gives, and one that does not is refused."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from common.errors import BadArgument, BadModel, MissingDependency, UnknownChoice
from networks.exporting import EXPORTERS, onnx, plain, tflite
from networks.exporting.export import export, export_all

FILES = {
    "keras": ["model.keras"],
    "onnx": ["model.onnx"],
    "openvino": ["model.bin", "model.xml"],
    "tflite": ["model.tflite"],
    "tflite_int8": ["model_int8.tflite"],
}


def faces(count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 8, 6, 3)).astype(np.float32)


def run_with_openvino(path, x):
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert compiled.input(0).names == {"faces"} and compiled.output(0).names == {"embedding"}
    return compiled([x])[0]


def run_with_tensorflow(path, x):
    import tensorflow as tf

    return tf.saved_model.load(str(path)).signatures["serving_default"](faces=tf.constant(x))["embedding"].numpy()


def run_with_tflite(path, x):
    import tensorflow as tf

    runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    return runner(faces=x)["embedding"]


def run_with_keras(path, x):
    import keras

    model = keras.saving.load_model(path)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    return model.predict(x, verbose=0)


RUNNERS = {
    "keras": ("model.keras", run_with_keras, 1e-5),
    "saved_model": ("saved_model", run_with_tensorflow, 1e-5),
    "onnx": ("model.onnx", run_with_openvino, 1e-5),
    "openvino": ("model.xml", run_with_openvino, 1e-5),
    "tflite": ("model.tflite", run_with_tflite, 1e-5),
    "tflite_int8": ("model_int8.tflite", run_with_tflite, 0.1),
}


@pytest.mark.parametrize(("policy", "synchronized"), [("float32", False), ("mixed_bfloat16", True)])
def test_every_format_gives_what_the_network_gives_for_a_batch_of_any_size(
    tmp_path, by_hand, capfd, policy, synchronized
):
    network = by_hand(policy, synchronized)
    exported = export_all(network.model, tmp_path, list(EXPORTERS), faces(100))
    assert capfd.readouterr().out == ""
    assert [each.format for each in exported] == list(EXPORTERS) == list(RUNNERS)
    for each in exported:
        name, run, tolerance = RUNNERS[each.format]
        for count in (1, 3, 40):
            found, expected = run(tmp_path / name, faces(count)), network(faces(count))
            assert found.shape == (count, 5) and found.dtype == np.float32
            assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max(), each.format
        assert each.difference <= tolerance and f"{each.format}: " in str(each)
        if each.format in FILES:
            assert sorted(each.files) == [tmp_path / file for file in FILES[each.format]]
    assert exported[-1].difference > 1e-4  # eight bits are not float32
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*sum(FILES.values(), []), "saved_model"])
    assert set(exported[1].files) == {path for path in (tmp_path / "saved_model").rglob("*") if path.is_file()}


def test_a_network_trained_on_mirrored_devices_is_exported_as_any_other(tmp_path, by_hand):
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        network = by_hand(synchronized=True)
    export_all(network.model, tmp_path, ["keras", "onnx"])
    expected = network(faces(4))
    for name in ("keras", "onnx"):
        file, run, _ = RUNNERS[name]
        np.testing.assert_allclose(run(tmp_path / file, faces(4)), expected, atol=1e-4)


def test_the_network_itself_is_left_as_it_was(tmp_path, by_hand):
    network = by_hand("mixed_bfloat16", True)
    before = [weight.copy() for weight in network.model.get_weights()]
    export(network.model, tmp_path, "keras")
    assert network.model.get_layer("conv").dtype_policy.name == "mixed_bfloat16"
    assert network.model.get_layer("norm").synchronized
    for weight, old in zip(network.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda x: x * 1.001, r"onnx gives other outputs.*1\.0e-03.*at most 1e-04"),
        (lambda x: x[::-1], "least cosine"),
        (lambda x: x * np.nan, "other outputs"),
        (lambda x: x[:, :4], r"shape \[4, 4\]; the model gives \[4, 5\]"),
    ],
)
def test_an_export_that_gives_other_outputs_is_refused_and_not_kept(tmp_path, by_hand, monkeypatch, spoil, said):
    true = onnx.FORMAT
    monkeypatch.setattr(onnx, "FORMAT", replace(true, run=lambda path, x: spoil(true.run(path, x))))
    with pytest.raises(BadModel, match=said):
        export(by_hand().model, tmp_path, "onnx")
    assert list(tmp_path.iterdir()) == []


def test_eight_bits_that_lose_much_are_doubted_and_that_lose_most_refused(tmp_path, by_hand, monkeypatch):
    true, noise = tflite.INT8, np.random.default_rng(0).normal(size=(20, 5))

    def noisy(share):
        return replace(true, run=lambda path, x: true.run(path, x) + share * noise)

    network = by_hand()
    scale = np.abs(network(faces(20))).mean()
    found = export(network.model, tmp_path / "as is", "tflite_int8", faces(20))
    assert not found.doubtful and "low" not in str(found)
    monkeypatch.setattr(tflite, "INT8", noisy(0.1 * scale))
    found = export(network.model, tmp_path / "worse", "tflite_int8", faces(20))
    assert found.doubtful and 0.9 < found.cosine < 0.99 and "low: measure" in str(found)
    monkeypatch.setattr(tflite, "INT8", noisy(2 * scale))
    with pytest.raises(BadModel, match="a cosine of at least 0.7"):
        export(network.model, tmp_path / "worst", "tflite_int8", faces(20))


def test_eight_bits_are_a_fraction_of_the_size(tmp_path):
    keras = pytest.importorskip("keras")
    pytest.importorskip("tensorflow")
    inputs = keras.Input((8, 6, 3))
    x = keras.layers.Dense(400, activation="relu")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(200)(x))
    export_all(model, tmp_path, ["tflite", "tflite_int8"], faces(20))
    assert (tmp_path / "model_int8.tflite").stat().st_size < 0.35 * (tmp_path / "model.tflite").stat().st_size


def test_eight_bits_need_real_faces(tmp_path, by_hand):
    with pytest.raises(BadArgument, match="tflite_int8 needs samples: real faces"):
        export(by_hand().model, tmp_path, "tflite_int8")


@pytest.mark.parametrize(
    "samples", [faces(2)[:0], faces(2).astype(np.float64), faces(2)[0], np.zeros((2, 6, 8, 3), np.float32), "faces"]
)
def test_samples_that_the_network_does_not_take_are_refused(tmp_path, by_hand, samples):
    with pytest.raises(BadArgument, match="samples must"):
        export(by_hand().model, tmp_path, "keras", samples)


def test_files_that_are_there_already_are_not_touched(tmp_path, by_hand):
    (tmp_path / "model.keras").write_text("mine")
    with pytest.raises(BadArgument, match=r"model\.keras is there already"):
        export(by_hand().model, tmp_path, "keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert (tmp_path / "model.keras").read_text() == "mine"


def test_a_network_whose_weights_are_not_finite_is_refused(tmp_path, by_hand):
    network = by_hand()
    layer = network.model.get_layer("embedding_dense")
    layer.set_weights([layer.get_weights()[0] * np.nan, layer.get_weights()[1]])
    with pytest.raises(BadModel, match="not finite"):
        export(network.model, tmp_path, "keras")


def test_only_a_network_from_faces_to_embeddings_is_exported(tmp_path, by_hand):
    import keras

    model = by_hand().model
    two = keras.Model(model.inputs, [model.outputs[0], model.outputs[0]])
    maps = keras.Model(model.inputs, model.get_layer("conv").output)
    free = keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()])
    for other in (two, maps, free):
        with pytest.raises(BadArgument, match="exported|faces"):
            export(other, tmp_path, "keras")
    with pytest.raises(BadArgument, match="not str"):
        export("model", tmp_path, "keras")


def test_an_unknown_format_lists_the_choices(tmp_path, by_hand):
    with pytest.raises(UnknownChoice, match="'coreml'.*keras, saved_model, onnx, openvino, tflite, tflite_int8"):
        export(by_hand().model, tmp_path, "coreml")


def test_what_is_missing_is_named(tmp_path, by_hand, monkeypatch):
    import keras

    model = by_hand().model
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(MissingDependency, match="tf2onnx"):
        export(model, tmp_path, "onnx")
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(MissingDependency, match="not on jax"):
        export(model, tmp_path, "saved_model")
    assert list(tmp_path.iterdir()) == []


def test_a_layer_inside_a_layer_becomes_float32_too(by_hand):
    import keras

    inner = by_hand("mixed_bfloat16").model
    inputs = keras.Input((8, 6, 3))
    outer = keras.Model(inputs, inner(inputs))
    copy = plain.plain(outer)
    assert {layer.compute_dtype for layer in copy._flatten_layers() if layer.weights} == {"float32"}
