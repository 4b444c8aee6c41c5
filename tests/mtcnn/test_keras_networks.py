"""MTCNN's Keras networks against the public files, which OpenVINO runs on the transposed picture."""

import cv2
import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from common.errors import BadModel, FetchFailed, UnknownChoice
from networks import zoo

pytest.importorskip("tensorflow", reason="TensorFlow runs these networks: pip install '.[train]'")
pytest.importorskip("keras", reason="Keras builds these networks: pip install '.[train]'")

from mtcnn.keras_networks import BUILDERS, from_public, load_public, onet, pnet, rnet  # noqa: E402


@pytest.fixture(scope="module")
def files():
    try:
        return zoo.pull("mtcnn")
    except FetchFailed as error:
        pytest.skip(f"the public MTCNN weights cannot be fetched here: {error}")


@pytest.fixture(scope="module")
def photo():
    try:
        path = zoo.sample("obama")
    except FetchFailed as error:
        pytest.skip(f"the sample photo cannot be fetched here: {error}")
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def public(path, pictures):
    """Outputs of the public graph for float32 [n, H, W, 3], maps turned back to [n, h, w, ...]."""
    model = ov.Core().read_model(path)
    height, width = pictures.shape[1:3]
    model.reshape([1, width, height, 3])
    run = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    rows = [list(run(picture[None].transpose(0, 2, 1, 3)).values()) for picture in pictures]
    outputs = [np.concatenate(column) for column in zip(*rows, strict=True)]
    return [x.transpose(0, 2, 1, 3) if x.ndim == 4 else x for x in outputs]


def assert_same(network, path, pictures):
    expected = public(path, pictures)
    for output, wanted in zip(network(pictures), expected, strict=True):
        np.testing.assert_allclose(np.asarray(output), wanted, atol=1e-4)


SIZES = {"pnet": [(12, 12), (13, 30), (61, 44)], "rnet": [(24, 24)], "onet": [(48, 48)]}


@pytest.mark.parametrize("name, size", [(name, size) for name, sizes in SIZES.items() for size in sizes])
def test_outputs_equal_the_public_files_on_random_input(files, name, size):
    pictures = np.random.default_rng(1).uniform(-1, 1, (3, *size, 3)).astype(np.float32)
    assert_same(from_public(name, files[name]), files[name], pictures)


@pytest.mark.parametrize("name, size", [("pnet", (110, 77)), ("rnet", (24, 24)), ("onet", (48, 48))])
def test_outputs_equal_the_public_files_on_a_photo(files, photo, name, size):
    height, width = photo.shape[:2]
    crops = [photo, photo[: height // 2, width // 4 : -width // 4]]
    pictures = np.stack([cv2.resize(crop, size[::-1], interpolation=cv2.INTER_AREA) for crop in crops])
    assert_same(from_public(name, files[name]), files[name], (pictures.astype(np.float32) - 127.5) / 128)


def test_an_upright_face_is_one_with_landmarks_in_their_places_and_a_transposed_one_is_not(files, photo):
    """A mistake made both in the axes and in the comparison with the public files would show here."""
    face = cv2.resize(photo[110:440, 330:660], (48, 48), interpolation=cv2.INTER_AREA)
    pair = (np.stack([face, face.transpose(1, 0, 2)]).astype(np.float32) - 127.5) / 128
    probability, _, landmarks = (np.asarray(output) for output in from_public("onet", files["onet"])(pair))
    assert probability[0, 1] > 0.99 > probability[1, 1]
    left_eye, right_eye, nose, left_mouth, right_mouth = landmarks[0].reshape(2, 5).T
    assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


@pytest.mark.parametrize("name", BUILDERS)
def test_weights_of_another_network_are_refused_and_change_nothing(files, name):
    network = BUILDERS[name]()
    before = network.get_weights()
    for other in set(BUILDERS) - {name}:
        with pytest.raises(BadModel, match=f"does not hold the weights of {name}"):
            load_public(network, files[other])
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_unreadable_file_is_refused(tmp_path):
    (tmp_path / "pnet.tflite").write_bytes(b"no network")
    for path in (tmp_path / "pnet.tflite", tmp_path / "missing.tflite"):
        with pytest.raises(BadModel, match=r"\.tflite"):
            from_public("pnet", path)


def test_a_graph_without_weights_is_refused(tmp_path):
    vector, matrix = op.parameter([1, 4], np.float32), op.parameter([4, 4], np.float32)
    graph = ov.Model([op.add(op.matmul(vector, matrix, False, False), vector)], [vector, matrix])
    ov.save_model(graph, tmp_path / "empty.xml")
    with pytest.raises(BadModel, match="does not hold"):
        load_public(rnet(), tmp_path / "empty.xml")


def test_an_unknown_name_lists_the_choices(tmp_path):
    with pytest.raises(UnknownChoice, match="pnet, rnet, onet"):
        from_public("qnet", tmp_path)


def test_parameter_counts_are_those_of_the_layers():
    def convolution(size, inputs, outputs, slopes=True):
        return size * size * inputs * outputs + outputs * (2 if slopes else 1)

    assert pnet().count_params() == (
        convolution(3, 3, 10) + convolution(3, 10, 16) + convolution(3, 16, 32)
        + convolution(1, 32, 6, slopes=False)
    )
    assert rnet().count_params() == (
        convolution(3, 3, 28) + convolution(3, 28, 48) + convolution(2, 48, 64)
        + convolution(3, 64, 128) + convolution(1, 128, 6, slopes=False)
    )
    assert onet().count_params() == (
        convolution(3, 3, 32) + convolution(3, 32, 64) + convolution(3, 64, 64) + convolution(2, 64, 128)
        + convolution(3, 128, 256) + convolution(1, 256, 16, slopes=False)
    )
