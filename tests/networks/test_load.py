"""Every kind of recogniser through one function, and one clear error for everything that is none."""

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
import yaml
from openvino import opset13 as op

from common.errors import BadArgument, BadConfig, BadModel, BadPicture, ChecksumMismatch, UnknownChoice
from networks import load
from networks.card import ModelCard, Threshold
from networks.network import normalise

CARD = ModelCard("tiny", input_size=(8, 6), embedding_size=5, mean=100.0, scale=50.0, colour="bgr")
WEIGHTS = np.random.default_rng(5).normal(size=(8 * 6 * 3, 5)).astype(np.float32)


def write_network(folder, weights=WEIGHTS):
    """embedding = picture, flattened, times ``weights``."""
    folder.mkdir(exist_ok=True)
    x = op.parameter([-1, 8, 6, 3], np.float32)
    flat = op.reshape(x, op.constant(np.array([0, 8 * 6 * 3])), True)
    output = op.matmul(flat, op.constant(weights), False, False)
    ov.save_model(ov.Model([output.output(0)], [x]), folder / "model.xml", compress_to_fp16=False)
    return folder / "model.xml"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_bundle(folder, card=CARD, **changed):
    if not (folder / "model.xml").is_file():
        write_network(folder)  # its XML is never twice the same
    files = {name: sha256(folder / name) for name in ("model.xml", "model.bin")}
    content = {"card": card.to_mapping(), "files": files} | changed
    (folder / "model.yaml").write_text(yaml.safe_dump(content))
    return folder


def by_hand(pictures, card=CARD, weights=WEIGHTS):
    def network(x):
        x = np.float64(x[..., ::-1] if card.colour == "rgb" else x)
        return ((x - card.mean) / card.scale).reshape(len(x), -1) @ weights

    def unit(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    once, mirrored = network(pictures), network(pictures[:, :, ::-1])
    if card.flip == "sum_raw":
        once = once + mirrored
    if card.flip == "sum_normalised":
        once = unit(once) + unit(mirrored)
    return unit(once)


def faces(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 6, 3), np.uint8)


def test_zoo_name(mobilefacenet_files):
    network = load("mobilefacenet")
    assert (network.name, network.dim, network.card.input_size) == ("mobilefacenet", 192, (112, 112))
    assert len(network.digest) == 64
    embeddings = network.embed(np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8))
    assert embeddings.shape == (3, 192) and embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_the_same_arguments_load_once_whoever_asks(mobilefacenet_files):
    with ThreadPoolExecutor(4) as callers:
        networks = list(callers.map(lambda _: load("mobilefacenet"), range(8)))
    assert all(network is networks[0] for network in networks)
    assert load("mobilefacenet", threads=1) is not networks[0]


def test_bundle(tmp_path):
    network = load(write_bundle(tmp_path / "bundle"))
    assert network.card == CARD and network.name == "tiny" and network.dim == 5
    np.testing.assert_allclose(network.embed(faces(7)), by_hand(faces(7)), atol=1e-5)
    assert load(str(tmp_path / "bundle")) is network


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("flip", ["none", "sum_raw", "sum_normalised"])
def test_card_says_how_the_network_is_fed_and_read(tmp_path, colour, flip):
    card = replace(CARD, colour=colour, flip=flip)
    network = load(write_network(tmp_path), card=card)
    np.testing.assert_allclose(network.embed(faces(4)), by_hand(faces(4), card), atol=1e-5)


def test_bare_onnx_with_the_card_beside_it(tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx writes the file of this test: pip install onnx")
    from onnx import TensorProto, helper, numpy_helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 6])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 5])
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    graph = helper.make_graph(nodes, "net", [x], [y], [numpy_helper.from_array(WEIGHTS, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "mine.onnx")
    with pytest.raises(BadModel, match=r"mine\.onnx needs a model card: write .*mine\.yaml.*card="):
        load(tmp_path / "mine.onnx")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(CARD.to_mapping()))
    found = load(tmp_path / "mine.onnx").embed(faces(3))
    planes = faces(3).transpose(0, 3, 1, 2).reshape(3, -1)  # this network counts channels first
    expected = normalise(((planes - 100.0) / 50) @ WEIGHTS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    shutil.move(tmp_path / "mine.yaml", tmp_path / "other.yaml")
    assert load(tmp_path / "mine.onnx", card=tmp_path / "other.yaml").card == CARD


def test_altered_bundle_is_refused(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    with (folder / "model.bin").open("r+b") as file:
        file.write(b"\1\2\3")
    with pytest.raises(ChecksumMismatch, match="model.bin was altered"):
        load(folder)


def test_altered_bundle_is_refused_even_when_it_was_loaded_before(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    load(folder)
    write_network(folder, WEIGHTS + 1)
    with pytest.raises(ChecksumMismatch):
        load(folder)


@pytest.mark.parametrize("name", ["../secret.xml", "inner/model.xml", "none.xml", "", ".", 5])
def test_a_bundle_reaches_no_file_outside_its_folder(tmp_path, name):
    (tmp_path / "secret.xml").write_text("secret")
    folder = write_bundle(tmp_path / "bundle", files={name: sha256(tmp_path / "secret.xml")})
    write_network(folder / "inner")
    with pytest.raises(BadModel, match="not a file in that folder"):
        load(folder)


def test_a_bundle_reaches_no_file_by_absolute_path_or_link(tmp_path):
    (tmp_path / "secret.xml").write_text("secret")
    folder = write_bundle(tmp_path / "bundle", files={"link.xml": sha256(tmp_path / "secret.xml")})
    (folder / "link.xml").symlink_to(tmp_path / "secret.xml")
    with pytest.raises(BadModel, match="not a file in that folder"):
        load(folder)
    write_bundle(folder, files={str(tmp_path / "secret.xml"): sha256(tmp_path / "secret.xml")})
    with pytest.raises(BadModel, match="not a file in that folder"):
        load(folder)


def test_a_bundle_must_vouch_for_the_weights_too(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    write_bundle(folder, files={"model.xml": sha256(folder / "model.xml")})
    with pytest.raises(BadModel, match=r"model\.bin"):
        load(folder)


@pytest.mark.parametrize("files", [{}, [], None, "model.xml"])
def test_a_bundle_without_files(tmp_path, files):
    with pytest.raises(BadConfig, match="files"):
        load(write_bundle(tmp_path / "bundle", files=files))


def test_a_bundle_with_an_unknown_key(tmp_path):
    with pytest.raises(BadConfig, match="'colour'"):
        load(write_bundle(tmp_path / "bundle", colour="rgb"))


def test_a_bundle_without_a_file_that_runs(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    (folder / "notes.txt").write_text("hello")
    write_bundle(folder, files={"notes.txt": sha256(folder / "notes.txt")})
    with pytest.raises(BadModel, match="needs an .onnx"):
        load(folder)


def test_digest_changes_with_weights_and_feeding(tmp_path):
    path = write_network(tmp_path / "one")
    digests = {load(path, card=CARD).digest}
    for changed in ({"colour": "rgb"}, {"mean": 99.0}, {"scale": 51.0}, {"flip": "sum_raw"}):
        digests.add(load(path, card=replace(CARD, **changed)).digest)
    digests.add(load(write_network(tmp_path / "two", WEIGHTS + 0.01), card=CARD).digest)
    assert len(digests) == 6


def test_digest_stays_with_name_threshold_source_and_place(tmp_path):
    path = write_network(tmp_path / "one")
    expected = load(path, card=CARD).digest
    for changed in (
        {"name": "other"},
        {"threshold": Threshold(0.4, None, "here")},
        {"source": "x"},
        {"mean": 100},
    ):
        assert load(path, card=replace(CARD, **changed)).digest == expected
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert load(tmp_path / "two" / "model.xml", card=CARD).digest == expected


def test_another_card_for_the_same_file_is_not_mistaken_for_the_first(tmp_path):
    path = write_network(tmp_path)
    first = load(path, card=replace(CARD, threshold=Threshold(0.4, None, "here")))
    second = load(path, card=replace(CARD, name="strict", threshold=Threshold(0.6, None, "there")))
    assert (first.card.threshold.similarity, second.card.threshold.similarity) == (0.4, 0.6)
    assert second.name == "strict"


def test_wrong_embedding_size_is_refused_with_both_numbers(tmp_path):
    with pytest.raises(BadModel, match="5 numbers; its card says 7"):
        load(write_network(tmp_path), card=replace(CARD, embedding_size=7))


def test_wrong_input_size_is_refused(tmp_path):
    with pytest.raises(BadModel, match="model.xml cannot be run as its card says"):
        load(write_network(tmp_path), card=replace(CARD, input_size=(112, 112)))


def test_a_network_that_takes_no_pictures_is_refused(tmp_path):
    x = op.parameter([1, 10], np.float32)
    ov.save_model(ov.Model([op.relu(x).output(0)], [x]), tmp_path / "model.xml")
    with pytest.raises(BadModel, match="model.xml cannot be run as its card says"):
        load(tmp_path / "model.xml", card=CARD)


def test_graph_without_its_weights_file(tmp_path):
    write_network(tmp_path).with_suffix(".bin").unlink()
    with pytest.raises(BadModel, match=r"model\.bin is missing"):
        load(tmp_path / "model.xml", card=CARD)


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite"])
def test_garbage_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"garbage" * 99)
    with pytest.raises(BadModel, match=name):
        load(tmp_path / name, card=CARD)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadModel, match="No such model.*none.onnx"):
        load(tmp_path / "none.onnx", card=CARD)


@pytest.mark.parametrize("name", ["resnet5", "", "mobilefacenet ", "MobileFaceNet", "no/such/folder"])
def test_unknown_name_lists_the_choices(name):
    with pytest.raises(UnknownChoice, match="Unknown model.*mobilefacenet, .*bundle"):
        load(name)


@pytest.mark.parametrize("name", ["x" * 5000, "~no-such-user/model", "a\0b"])
def test_impossible_paths_are_refused(name):
    with pytest.raises((BadModel, UnknownChoice)) as caught:
        load(name)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("model", [None, 5, b"mobilefacenet", ["mobilefacenet"]])
def test_a_model_is_a_name_or_a_path(model):
    with pytest.raises(BadArgument, match="name or a path"):
        load(model)


def test_a_detector_is_no_recogniser():
    with pytest.raises(BadModel, match="detection"):
        load("mtcnn")


def test_a_card_made_in_code_is_checked_like_one_from_a_file(tmp_path):
    with pytest.raises(BadConfig, match="'RGB'.*rgb, bgr"):
        load(write_network(tmp_path), card=replace(CARD, colour="RGB"))


def test_device_without_a_fitting_file(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    assert load(folder, device="cpu") is load(folder, device="auto")
    with pytest.raises(BadModel, match=r"device='gpu'.*\.keras"):
        load(folder, device="gpu")
    with pytest.raises(BadArgument, match="'tpu'.*auto, cpu, gpu"):
        load(folder, device="tpu")


@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((2, 8, 6, 3), np.float32),
        np.zeros((8, 6, 3), np.uint8),
        np.zeros((2, 6, 8, 3), np.uint8),
        np.zeros((2, 8, 6, 1), np.uint8),
        [np.zeros((8, 6, 3), np.uint8)],
        None,
    ],
)
def test_what_is_no_batch_of_aligned_faces_is_refused(tmp_path, pictures):
    network = load(write_network(tmp_path), card=CARD)
    with pytest.raises(BadPicture, match=r"uint8 \[n, 8, 6, 3\]"):
        network.embed(pictures)


def test_no_faces_give_no_embeddings(tmp_path):
    embeddings = load(write_network(tmp_path), card=CARD).embed(faces(0))
    assert embeddings.shape == (0, 5) and embeddings.dtype == np.float32


def test_normalise_keeps_zeros_and_survives_extremes():
    rows = np.array([[0, 0], [3, 4], [1e-30, 0], [1e30, 1e30]], np.float32)
    expected = [[0, 0], [0.6, 0.8], [1, 0], [0.5**0.5, 0.5**0.5]]
    np.testing.assert_allclose(normalise(rows), expected, atol=1e-6)


def test_the_backend_can_be_chosen_whatever_files_there_are(mobilefacenet_files):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    keras, openvino = (load("mobilefacenet", backend=name) for name in ("keras", "openvino"))
    assert keras is not openvino and load("mobilefacenet") is openvino
    assert type(keras._engine).__name__ == "KerasEngine" and keras.digest == openvino.digest
    np.testing.assert_allclose(keras.embed(pictures), openvino.embed(pictures), atol=2e-3)
    with pytest.raises(BadArgument, match="'onnxruntime'. Expected one of: openvino, keras"):
        load("mobilefacenet", backend="onnxruntime")
    with pytest.raises(BadArgument, match="needs backend='keras'"):
        load("mobilefacenet", backend="openvino", device="gpu")
