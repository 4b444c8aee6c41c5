"""YuNet on a network that claims a face of known form wherever a cell's first pixel has its stride's colour.

It has the inputs and outputs of face_detection_yunet_2023mar.onnx, so that OpenCV decodes it as the real one.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from common.errors import BadArgument, BadModel
from mtcnn.yunet import YuNet

onnx = pytest.importorskip("onnx", reason="onnx builds the network of this test: pip install onnx")

COLOURS = {8: (255, 0, 0), 16: (0, 255, 0), 32: (0, 0, 255)}  # BGR, as YuNet is fed
# Of a face, in strides from its cell's origin: centre, width and height, and five points without symmetry.
CENTRE, EXTENT = (0.25, 0.5), (3.0, 4.0)
MARKS = [(-0.5, -0.6), (1.0, -0.5), (0.3, 0.4), (-0.4, 1.2), (0.9, 1.1)]
CLASS, OBJECT = 0.95, 0.9


def tensor(name, shape):
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def network(path, drop=0, widths=(1, 1, 4, 10), size=(640, 640)):
    nodes, constants, outputs = [], [], []

    def constant(name, value):
        constants.append(onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    for kind, width in zip(("cls", "obj", "bbox", "kps"), widths, strict=True):
        for channel, stride in enumerate(COLOURS):
            name = f"{kind}_{stride}"
            weights, bias = np.zeros((width, 3, 1, 1), np.float32), np.zeros(width, np.float32)
            if kind in ("cls", "obj"):  # of its colour 1, grey and all others 0 or less
                weights[:, :, 0, 0] = -1 / 255
                weights[:, channel] = 1 / 255
                weights *= CLASS if kind == "cls" else OBJECT
            else:
                values = [*CENTRE, *np.log(EXTENT)] if kind == "bbox" else np.ravel(MARKS)
                bias[:] = values[:width]
            inputs = ["input", constant(f"{name}_weights", weights), constant(f"{name}_bias", bias)]
            nodes += [
                onnx.helper.make_node(
                    "Conv", inputs, [f"{name}_map"], kernel_shape=[1, 1], strides=[stride, stride]
                ),
                onnx.helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]),
                onnx.helper.make_node(
                    "Reshape", [f"{name}_last", constant(f"{name}_shape", np.array([1, -1, width]))], [name]
                ),
            ]
            cells = (size[0] // stride) * (size[1] // stride)
            outputs.append(tensor(name, [1, cells, width]))
    picture = tensor("input", [1, 3, *size])
    graph = onnx.helper.make_graph(nodes, "yunet", [picture], outputs[: 12 - drop], constants)
    opset = onnx.helper.make_opsetid("", 11)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), str(path))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return network(tmp_path_factory.mktemp("yunet") / "yunet.onnx")


def picture_of(shape, cells, scale=1.0):
    """A picture in which the first pixel of each (stride, column, row) has its colour, once it is scaled."""
    picture = np.zeros((*shape, 3), np.uint8)
    for stride, column, row in cells:
        x, y = (round(c * stride / scale) for c in (column, row))
        reach = round(4 / scale)
        picture[y : y + reach, x : x + reach] = COLOURS[stride]
    return picture


def assert_face(found, cell, scale=1.0):
    stride, *origin = cell
    origin = np.array(origin)
    centre, half = origin + CENTRE, np.array(EXTENT) / 2
    box = np.concatenate([centre - half, centre + half]) * stride / scale
    np.testing.assert_allclose(found.boxes, [box], atol=0.01)
    np.testing.assert_allclose(found.landmarks, [(origin + MARKS) * stride / scale], atol=0.01)
    np.testing.assert_allclose(found.scores, [np.sqrt(CLASS * OBJECT)], atol=1e-4)


@pytest.mark.parametrize("cell", [(8, 20, 30), (16, 12, 9), (32, 5, 7)], ids=lambda cell: f"stride {cell[0]}")
@pytest.mark.parametrize("shape", [(640, 640), (480, 600), (301, 333)], ids=str)
def test_faces_of_all_strides_are_found_where_they_are(path, cell, shape):
    found = YuNet(path, min_face_size=1).detect(picture_of(shape, [cell]))
    assert_face(found, cell)


def test_landmarks_run_from_left_to_right_as_seen_in_the_picture(path):
    [landmarks] = YuNet(path).detect(picture_of((640, 640), [(32, 5, 7)])).landmarks
    assert landmarks[0, 0] < landmarks[2, 0] < landmarks[1, 0]
    assert landmarks[3, 0] < landmarks[4, 0]
    assert landmarks[0, 1] < landmarks[2, 1] < landmarks[3, 1]


@pytest.mark.parametrize("shape", [(1280, 960), (960, 1280)], ids=str)
def test_a_larger_picture_is_shrunk_and_its_faces_scaled_back(path, shape):
    cell = (16, 12, 9)
    assert_face(YuNet(path).detect(picture_of(shape, [cell], 0.5)), cell, 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (7, 20), (31, 5), (1, 4000), (4000, 1)], ids=str)
def test_pictures_smaller_than_the_network_can_see_are_padded(path, shape):
    detector = YuNet(path, min_face_size=1)
    assert len(detector.detect(np.zeros((*shape, 3), np.uint8))) == 0
    coloured = np.zeros((*shape, 3), np.uint8)
    coloured[:] = COLOURS[32]
    assert len(detector.detect(coloured)) > 0


def test_several_faces_come_best_first_and_overlapping_claims_become_one(path):
    picture = picture_of((640, 640), [(16, 4, 4), (16, 20, 20)])
    picture[20 * 16 : 21 * 16, 20 * 16 : 21 * 16] = (0, 240, 0)
    picture[20 * 16 : 21 * 16, 21 * 16 : 22 * 16] = (0, 230, 0)  # the neighbour cell, one stride to the right
    found = YuNet(path, score_threshold=0.7, nms_threshold=0.4).detect(picture)
    assert len(found) == 2
    np.testing.assert_allclose(found.scores, np.sqrt(CLASS * OBJECT) * np.array([1, 240 / 255]), atol=1e-4)
    # The boxes of the two neighbours overlap by 32 of 64 columns: 0.5.
    assert len(YuNet(path, score_threshold=0.7, nms_threshold=0.6).detect(picture)) == 3


def test_thresholds_of_score_and_size_leave_faces_out(path):
    picture = picture_of((640, 640), [(8, 10, 10), (32, 12, 12)])  # 24 x 32 and 96 x 128 pixels
    assert len(YuNet(path, min_face_size=32).detect(picture)) == 2
    assert_face(YuNet(path, min_face_size=33).detect(picture), (32, 12, 12))
    assert len(YuNet(path, min_face_size=1, score_threshold=0.93).detect(picture)) == 0
    halved = picture_of((1280, 1280), [(8, 10, 10)], 0.5)
    # 64 pixels in the picture, 32 on the canvas
    assert len(YuNet(path, min_face_size=60).detect(halved)) == 1


def test_threads_share_a_detector(path):
    detector = YuNet(path, min_face_size=1)
    cells = [(8, 20, 30), (16, 12, 9), (32, 5, 7)]
    pictures = [picture_of((200 + 40 * i, 300), [cell]) for i, cell in enumerate(cells)]
    expected = [detector.detect(picture).boxes for picture in pictures]
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(detector.detect, pictures * 10))
    for i, found in enumerate(results):
        np.testing.assert_array_equal(found.boxes, expected[i % 3])


@pytest.mark.parametrize(
    "name, value",
    [("min_face_size", -1), ("score_threshold", 1.5), ("score_threshold", "0.5"), ("nms_threshold", -0.1)],
)
def test_an_option_out_of_its_range_is_refused(path, name, value):
    with pytest.raises(BadArgument, match=name):
        YuNet(path, **{name: value})


def test_a_network_without_the_outputs_of_yunet_is_refused(tmp_path):
    with pytest.raises(BadModel, match="not a YuNet detector"):
        YuNet(network(tmp_path / "n.onnx", drop=1))


@pytest.mark.parametrize("widths, name", [((1, 1, 2, 10), "bbox_8"), ((1, 1, 4, 4), "kps_8")])
def test_outputs_too_small_to_be_read_safely_are_refused(tmp_path, widths, name):
    with pytest.raises(BadModel, match=f"output {name} is"):
        YuNet(network(tmp_path / "n.onnx", widths=widths))


@pytest.mark.parametrize("content", [None, b"", b"no network"], ids=["missing", "empty", "garbage"])
def test_an_unreadable_file_is_refused(tmp_path, content):
    file = tmp_path / "yunet.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadModel, match="yunet.onnx is not a YuNet detector"):
        YuNet(file)
