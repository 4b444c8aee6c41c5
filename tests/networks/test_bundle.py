"""A bundle is what was trained, whole or not there at all, and loads like any other model."""

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

from common import config
from common.errors import BadArgument, BadConfig, BadModel, ChecksumMismatch, UnknownChoice
from networks import bundle, load
from networks.card import ModelCard, Threshold
from networks.engines.openvino import AVX_512VNNI, OpenVINOEngine
from networks.exporting import tflite
from networks.load import _choose, _find

pytest.importorskip("tensorflow", reason="TensorFlow exports these models: pip install '.[train]'")
keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")

CARD = ModelCard("tiny", input_size=(8, 6), embedding_size=5, mean=100.0, scale=50.0, colour="rgb", source="a test")
ALL = ("keras", "saved_model", "onnx", "openvino", "tflite", "tflite_int8")


def model(seed=0):
    """embedding = tanh(picture, flattened, times weights): in NumPy below."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 6, 3))
    return keras.Model(inputs, keras.layers.Dense(5, activation="tanh")(keras.layers.Flatten()(inputs)), name="tiny")


def faces(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 6, 3), np.uint8)


def by_hand(network, pictures, card=CARD):
    weights, bias = (np.float64(w) for w in network.get_weights())

    def run(x):
        x = np.float64(x[..., ::-1] if card.colour == "rgb" else x)
        return np.tanh(((x - card.mean) / card.scale).reshape(len(x), -1) @ weights + bias)

    def unit(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    once, mirrored = run(pictures), run(pictures[:, :, ::-1])
    flipped = {"none": once, "sum_raw": once + mirrored, "sum_normalised": unit(once) + unit(mirrored)}
    return unit(flipped[card.flip])


@pytest.mark.parametrize("flip", ["none", "sum_raw", "sum_normalised"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_what_was_trained_is_what_loads(tmp_path, flip, colour):
    card, network = replace(CARD, flip=flip, colour=colour), model()
    bundle.write(tmp_path / "bundle", network, card)
    for device in ("cpu", "gpu"):
        loaded = load(tmp_path / "bundle", device=device)
        assert loaded.card == card
        np.testing.assert_allclose(loaded.embed(faces(7)), by_hand(network, faces(7), card), atol=1e-5)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A bundle of all formats and its network."""
    folder, network = tmp_path_factory.mktemp("complete") / "bundle", model(3)
    bundle.write(folder, network, CARD, ALL, samples=faces(60))
    return folder, network


@pytest.mark.parametrize(
    ("kept", "used"),
    [
        (ALL, "model.xml"),
        (("keras", "saved_model", "onnx", "tflite", "tflite_int8"), "model.onnx"),
        (("keras", "tflite", "saved_model", "tflite_int8"), "saved_model"),
        (("tflite_int8", "tflite"), "model.tflite"),
        (("keras", "tflite_int8"), "model_int8.tflite"),
        (("keras",), "model.keras"),
    ],
)
def test_the_best_graph_for_the_cpu_is_taken_and_gives_the_same(tmp_path, complete, kept, used):
    folder, network = complete
    copy = tmp_path / "bundle"
    shutil.copytree(folder, copy)
    starts = {"keras": "model.keras", "saved_model": "saved_model/", "onnx": "model.onnx", "openvino": "model.xml"}
    starts |= {"tflite": "model.tflite", "tflite_int8": "model_int8.tflite"}
    names = [starts[name] for name in kept] + (["model.bin"] if "openvino" in kept else [])
    content = config.load(copy / "model.yaml")
    content["files"] = {n: digest for n, digest in content["files"].items() if n.startswith(tuple(names))}
    (copy / "model.yaml").write_text(yaml.safe_dump(content))
    files, _, _ = _find(copy, None, False)
    assert _choose(files, "auto", "tiny") == _choose(files[::-1], "auto", "tiny") == copy / used
    tolerance = 0.05 if "int8" in used else 1e-5
    np.testing.assert_allclose(load(copy).embed(faces(5)), by_hand(network, faces(5)), atol=tolerance)


def test_eight_bits_give_what_tensorflow_lite_gives_on_cpus_without_vnni_too(complete, monkeypatch):
    has = cv2.checkHardwareSupport
    monkeypatch.setattr(cv2, "checkHardwareSupport", lambda feature: feature != AVX_512VNNI and has(feature))
    path = complete[0] / "model_int8.tflite"
    inputs = np.random.default_rng(1).uniform(-2, 2, (50, 8, 6, 3)).astype(np.float32)
    found, expected = OpenVINOEngine(path)(inputs)[0], tflite.run(path, inputs)
    assert len(np.unique(expected)) > 50, "not all at the ends of the scale"
    np.testing.assert_allclose(found, expected, atol=0.01)  # a step of eight bits


def test_every_file_is_listed_with_its_checksum(complete):
    folder, _ = complete
    content = config.load(folder / "model.yaml")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(content["files"]) == files - {"model.yaml"}
    assert {"model.keras", "saved_model/saved_model.pb", "saved_model/variables/variables.index"} <= set(
        content["files"]
    )


def test_any_altered_missing_or_added_file_is_refused(tmp_path, complete):
    folder, _ = complete
    for number, name in enumerate(config.load(folder / "model.yaml")["files"]):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        path = copy / name
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        with pytest.raises(ChecksumMismatch, match=f"{path.name} was altered"):
            load(copy)
        path.unlink()
        with pytest.raises(BadModel, match="not a file in that folder"):
            load(copy)
        shutil.rmtree(copy)
    shutil.copytree(folder, tmp_path / "more")
    (tmp_path / "more" / "saved_model" / "variables" / "more").write_text("x")
    with pytest.raises(BadModel, match="must list saved_model/variables/more"):
        load(tmp_path / "more")


@pytest.mark.parametrize("name", ["other/model.xml", "saved_model/../../secret.xml", "saved_model/link"])
def test_a_saved_model_in_it_opens_no_other_folder(tmp_path, complete, name):
    copy = tmp_path / "bundle"
    shutil.copytree(complete[0], copy)
    (tmp_path / "secret.xml").write_text("secret")
    (copy / "other").mkdir()
    (copy / "other" / "model.xml").write_text("secret")
    (copy / "saved_model" / "link").symlink_to(tmp_path / "secret.xml")
    content = config.load(copy / "model.yaml")
    content["files"][name] = bundle.sha256(tmp_path / "secret.xml")
    (copy / "model.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(BadModel, match="not a file in that folder"):
        load(copy)


def test_the_training_and_the_card_are_kept(tmp_path):
    shared = [1, 2]
    training = {"head": {"name": "arcface", "margin": 0.5}, "lr": 1e-5, "steps": [shared, shared], "size": (112, 112)}
    card = replace(CARD, threshold=Threshold(0.31, 1e-3, "lfw, 3000 impostor pairs"), source="trained on ünïcode")
    bundle.write(tmp_path / "bundle", model(), card, ["keras"], training=training)
    content = config.load(tmp_path / "bundle" / "model.yaml")
    assert content["training"] == training | {"steps": [[1, 2], [1, 2]], "size": [112, 112]}
    assert ModelCard.from_mapping(content["card"], "card") == card
    assert load(tmp_path / "bundle").card == card


def test_how_near_each_format_came_is_returned(tmp_path):
    exported = bundle.write(tmp_path / "bundle", model(), CARD, ["keras", "onnx"], samples=faces(4))
    assert [each.format for each in exported] == ["keras", "onnx"]
    assert all(each.difference < 1e-5 and each.cosine > 0.99999 for each in exported)
    assert all(file.is_file() and file.parent == tmp_path / "bundle" for each in exported for file in each.files)


def test_samples_are_fed_as_the_card_says():
    fed = bundle.fed(np.full((1, 8, 6, 3), (0, 100, 200), np.uint8), CARD)
    assert fed.dtype == np.float32 and fed[0, 0, 0].tolist() == [2.0, 0.0, -2.0]
    assert bundle.fed(faces(2), replace(CARD, colour="bgr")).shape == (2, 8, 6, 3)
    with pytest.raises(BadArgument, match=r"uint8 \[n, 8, 6, 3\] BGR"):
        bundle.fed(np.zeros((1, 8, 6, 3), np.float32), CARD)


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("step", ["export_all", "_write_card", "sync_folder", "sha256"])
def test_a_crash_in_the_middle_leaves_the_old_bundle_whole(tmp_path, monkeypatch, step):
    first = model(1)
    bundle.write(tmp_path / "bundle", first, CARD)
    before = everything(tmp_path)

    def crash(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(bundle, step, crash)
    with pytest.raises(KeyboardInterrupt):
        bundle.write(tmp_path / "bundle", model(2), CARD)
    assert everything(tmp_path) == before
    np.testing.assert_allclose(load(tmp_path / "bundle").embed(faces(3)), by_hand(first, faces(3)), atol=1e-5)


def test_a_crash_while_it_takes_its_place_brings_the_old_bundle_back(tmp_path, monkeypatch):
    bundle.write(tmp_path / "bundle", model(1), CARD)
    before, rename = everything(tmp_path), bundle.Path.rename

    def crash(self, target):
        if self.name == ".bundle.part":
            raise OSError("the disk is gone")
        return rename(self, target)

    monkeypatch.setattr(bundle.Path, "rename", crash)
    with pytest.raises(OSError, match="disk is gone"):
        bundle.write(tmp_path / "bundle", model(2), CARD)
    assert everything(tmp_path) == before


def test_what_a_killed_process_left_is_cleared_and_put_back(tmp_path):
    first, second = model(1), model(2)
    bundle.write(tmp_path / "bundle", first, CARD)
    before = everything(tmp_path / "bundle")
    (tmp_path / "bundle").rename(tmp_path / ".bundle.old")  # killed between the two renamings
    (tmp_path / ".bundle.part").mkdir()
    (tmp_path / ".bundle.part" / "model.onnx").write_text("half")
    with pytest.raises(BadModel, match="its card says"):
        bundle.write(tmp_path / "bundle", second, replace(CARD, embedding_size=6))
    assert everything(tmp_path / "bundle") == before
    bundle.write(tmp_path / "bundle", second, CARD)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    np.testing.assert_allclose(load(tmp_path / "bundle").embed(faces(3)), by_hand(second, faces(3)), atol=1e-5)


def test_a_new_bundle_replaces_the_old_one_entirely(tmp_path):
    bundle.write(tmp_path / "bundle", model(1), CARD, ["keras", "tflite"])
    network = model(2)
    bundle.write(tmp_path / "bundle", network, CARD, ["onnx"])
    assert sorted(path.name for path in (tmp_path / "bundle").iterdir()) == ["model.onnx", "model.yaml"]
    np.testing.assert_allclose(load(tmp_path / "bundle").embed(faces(3)), by_hand(network, faces(3)), atol=1e-5)


def test_a_folder_that_is_no_bundle_is_not_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "ann.jpg").write_text("ann")
    (tmp_path / "file").write_text("file")
    for name in ("photos", "file"):
        with pytest.raises(BadArgument, match=f"{name} is there already and is not a bundle"):
            bundle.write(tmp_path / name, model(), CARD)
    assert (tmp_path / "photos" / "ann.jpg").read_text() == "ann"
    (tmp_path / "empty").mkdir()
    bundle.write(tmp_path / "empty", model(), CARD, ["keras"])
    bundle.write(tmp_path / "new" / "er", model(), CARD, ["keras"])
    assert load(tmp_path / "new" / "er").dim == load(tmp_path / "empty").dim == 5


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"card": replace(CARD, embedding_size=6)}, BadModel, "8x6 faces and gives 5 numbers; its card says 8x6 and 6"),
        ({"card": replace(CARD, input_size=(6, 8))}, BadModel, "its card says 6x8"),
        ({"card": replace(CARD, colour="RGB")}, BadConfig, "'RGB'"),
        ({"card": replace(CARD, task="detection")}, BadModel, "task: detection"),
        ({"formats": ["keras", "coreml"]}, UnknownChoice, "'coreml'"),
        ({"formats": "keras"}, BadArgument, "list of different"),
        ({"formats": []}, BadArgument, "list of different"),
        ({"formats": ["keras", "keras"]}, BadArgument, "list of different"),
        ({"formats": ["tflite_int8"]}, BadArgument, "needs samples"),
        ({"training": {"rate": np.float32(0.1)}}, BadArgument, "plain values"),
        ({"training": {"model": model}}, BadArgument, "plain values"),
        ({"samples": np.zeros((2, 8, 6, 3), np.float32)}, BadArgument, "uint8"),
    ],
)
def test_what_cannot_become_a_bundle_is_refused_and_leaves_nothing(tmp_path, changed, error, said):
    with pytest.raises(error, match=said):
        bundle.write(**{"folder": tmp_path / "bundle", "model": model(), "card": CARD} | changed)
    assert list(tmp_path.iterdir()) == []
