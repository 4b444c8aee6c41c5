import json
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from common.errors import BadArgument, BadModel, MissingDependency
from networks.engines.keras import LARGEST_BATCH, KerasEngine
from networks.engines.preprocess import Preprocess

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")


def model(dtype="float32", outputs="list"):
    """Mean colour -> 8 hidden -> "zeta" [n, 5] and "alpha" [n, 2]: not in alphabetical order."""
    keras.utils.set_random_seed(3)
    picture = keras.Input((6, 4, 3))
    x = keras.layers.GlobalAveragePooling2D(dtype=dtype)(picture)
    x = keras.layers.Dense(8, activation="tanh", name="hidden", dtype=dtype)(x)
    zeta = keras.layers.Dense(5, name="zeta", dtype=dtype)(x)
    alpha = keras.layers.Dense(2, name="alpha", dtype=dtype)(x)
    return keras.Model(picture, {"list": [zeta, alpha], "single": zeta}[outputs])


def by_hand(network, x):
    """The same with NumPy in float64, from the model's weights."""
    weights = {layer.name: [np.float64(w) for w in layer.get_weights()] for layer in network.layers}
    hidden = np.tanh(np.float64(x).mean(axis=(1, 2)) @ weights["hidden"][0] + weights["hidden"][1])
    return [hidden @ weights[name][0] + weights[name][1] for name in ("zeta", "alpha")]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    network, path = model(), tmp_path_factory.mktemp("keras") / "model.keras"
    network.save(path)
    return network, path


def pictures(count):
    return np.random.default_rng(count).normal(size=(count, 6, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("count", [0, 1, 2, 5, LARGEST_BATCH, LARGEST_BATCH + 3])
def test_any_batch_gives_the_outputs_in_the_order_of_the_model(saved, count):
    network, path = saved
    engine, x = KerasEngine(path), pictures(count)
    outputs = engine(x)
    assert engine.output_names == ["zeta", "alpha"]
    assert engine.input_shapes == [(None, 6, 4, 3)] and engine.output_shapes == [(None, 5), (None, 2)]
    assert [output.dtype for output in outputs] == [np.float32, np.float32]
    for output, expected in zip(outputs, by_hand(network, x), strict=True):
        np.testing.assert_allclose(output, expected, atol=1e-5)


def test_a_single_output_comes_as_a_list_of_one(tmp_path):
    network = model(outputs="single")
    network.save(tmp_path / "m.keras")
    outputs = KerasEngine(tmp_path / "m.keras")(pictures(3))
    assert [output.shape for output in outputs] == [(3, 5)]


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_pictures_are_normalised_and_brought_into_colour_order(saved, colour):
    network, path = saved
    x = np.random.default_rng(0).integers(0, 256, (3, 6, 4, 3), np.uint8)
    engine = KerasEngine(path, preprocess=Preprocess(colour=colour, mean=100.0, scale=50.0))
    fed = (np.float64(x[..., ::-1] if colour == "rgb" else x) - 100) / 50
    for output, expected in zip(engine(x), by_hand(network, fed), strict=True):
        np.testing.assert_allclose(output, expected, atol=1e-5)
    assert engine.output_names == ["zeta", "alpha"]


@pytest.mark.parametrize(
    "precision, low, high", [("f32", 0, 1e-6), ("f16", 1e-6, 5e-3), ("bf16", 1e-4, 5e-2)]
)
@pytest.mark.parametrize("trained", ["float32", "mixed_bfloat16"])
def test_the_precision_asked_for_is_used_whatever_was_trained_in(tmp_path, trained, precision, low, high):
    network = model(trained)
    network.save(tmp_path / "m.keras")
    x = pictures(16)
    outputs = KerasEngine(tmp_path / "m.keras", precision=precision)(x)
    error = max(np.abs(o - e).max() for o, e in zip(outputs, by_hand(network, x), strict=True))
    assert low <= error <= high
    assert all(output.dtype == np.float32 for output in outputs)


def test_threads_share_an_engine(saved):
    network, path = saved
    engine = KerasEngine(path)
    batches = [pictures(count) for count in range(1, 9)] * 5
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(engine, batches))
    for x, outputs in zip(batches, results, strict=True):
        np.testing.assert_allclose(outputs[0], by_hand(network, x)[0], atol=1e-5)


def test_a_model_that_carries_code_is_refused(tmp_path):
    inputs = keras.Input((3,))
    outputs = keras.layers.Lambda(lambda x: x, output_shape=(3,))(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "m.keras")
    with pytest.raises(BadModel, match="Lambda"):
        KerasEngine(tmp_path / "m.keras")


def test_a_legacy_hdf5_model_is_refused(tmp_path):
    model().save(tmp_path / "m.h5")
    with pytest.raises(BadModel, match=r"m\.h5 is not a \.keras file"):
        KerasEngine(tmp_path / "m.h5")


def test_a_model_whose_configuration_names_foreign_code_is_refused(saved, tmp_path):
    _, path = saved
    hostile = tmp_path / "m.keras"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(hostile, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                command = {"command": f"touch {tmp_path}/ran"}
                foreign = {"module": "os", "class_name": "system", "config": command}
                content = json.dumps(json.loads(content) | foreign).encode()
            target.writestr(name, content)
    with pytest.raises(BadModel):
        KerasEngine(hostile)
    assert not (tmp_path / "ran").exists()


def write_garbage(path):
    path.write_bytes(b"no model")


def write_other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


def write_truncated(path):
    model().save(path)
    path.write_bytes(path.read_bytes()[:-200])


def write_bad_weights(path):
    model().save(path.with_name("whole.keras"))
    with zipfile.ZipFile(path.with_name("whole.keras")) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"nonsense" if name.endswith(".h5") else source.read(name))


def write_nothing(path):
    pass


@pytest.mark.parametrize(
    "write", [write_nothing, write_garbage, write_other_zip, write_truncated, write_bad_weights]
)
def test_what_is_no_keras_file_is_refused(tmp_path, write):
    path = tmp_path / "model.keras"
    write(path)
    with pytest.raises(BadModel, match=r"model\.keras"):
        KerasEngine(path)


def test_an_unknown_precision_is_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(BadArgument, match=r"'int8'\. Expected one of: f32, bf16, f16"):
        KerasEngine(tmp_path / "none.keras", precision="int8")


def test_without_keras_the_error_names_the_extra_to_install(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(MissingDependency, match=r"\.\[train\]"):
        KerasEngine(saved[1])
