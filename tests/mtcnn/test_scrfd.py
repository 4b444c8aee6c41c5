"""SCRFD's decoding, on networks whose answers are planted faces, encoded here independently of the decoder.

A planted face only shows when the pixel that its cell looks at is pure red where the face is claimed to be,
and its score carries the input's value: this ties the answers to colour order, normalisation and place on the
canvas.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as op

from common.errors import BadArgument, BadModel
from mtcnn.scrfd import Scrfd

RED = (0, 0, 255)  # BGR
FULL = (255 - 127.5) / 128  # what (red - blue) / 2 of a pure red pixel is, in the network's input


def face(box, stride, cell, score, anchor=0):
    """A face in canvas pixels, claimed by the anchor of a (column, row)."""
    x1, y1, x2, y2 = box
    marks = [(x1 + fx * (x2 - x1), y1 + fy * (y2 - y1)) for fx, fy in FRACTIONS]
    return {"box": box, "marks": marks, "stride": stride, "cell": cell, "score": score, "anchor": anchor}


FRACTIONS = [(0.3, 0.35), (0.7, 0.34), (0.52, 0.6), (0.33, 0.8), (0.68, 0.79)]


def encode(faces, size):
    """Score, box and landmark tables by stride, in SCRFD's published form."""
    tables = {}
    for stride in (8, 16, 32):
        columns, rows = size[1] // stride, size[0] // stride
        score, box, marks = (np.zeros((rows, columns, 2, width), np.float32) for width in (1, 4, 10))
        for planted in (f for f in faces if f["stride"] == stride):
            column, row = planted["cell"]
            x, y = column * stride, row * stride
            x1, y1, x2, y2 = planted["box"]
            place = row, column, planted["anchor"]
            score[place] = planted["score"]
            box[place] = np.array([x - x1, y - y1, x2 - x, y2 - y]) / stride
            marks[place] = (np.array(planted["marks"]) - (x, y)).reshape(-1) / stride
        tables[stride] = [table.reshape(rows * columns * 2, -1) for table in (score, box, marks)]
    return tables


def network(path, faces, size, leading=False, shape=(1, 3, -1, -1), drop=0):
    picture = op.parameter(shape, np.float32, name="input.1")
    red, blue = (op.gather(picture, op.constant(np.array([c])), op.constant(1)) for c in (0, 2))
    redness = op.multiply(op.subtract(red, blue), op.constant(np.float32(0.5)))
    outputs = [[], [], []]
    for stride, (score, box, marks) in encode(faces, size).items():
        begin, end = np.array([0, 0, 0, 0]), np.array([2**31 - 1] * 4)
        cells = op.strided_slice(redness, begin, end, np.array([1, 1, stride, stride]), [0] * 4, [0] * 4)
        seen = op.reshape(op.tile(op.reshape(cells, [-1, 1], False), op.constant([1, 2])), [-1, 1], False)
        parts = [op.multiply(op.constant(score), seen), op.constant(box), op.constant(marks)]
        for group, part in zip(outputs, parts, strict=True):
            group.append(op.unsqueeze(part, op.constant(0)) if leading else part)
    results = [result for group in outputs for result in group][: 9 - drop]
    model = ov.Model([op.result(result) for result in results], [picture], "scrfd")
    ov.save_model(model, path, compress_to_fp16=False)
    return path


def paint(picture, faces, scale):
    """Red dots where the cells of the faces look, in a picture that ``scale`` brings to the canvas."""
    for planted in faces:
        x, y = (c * planted["stride"] / scale for c in planted["cell"])
        reach = 3 / scale + 1
        low_x, low_y = max(0, int(x - reach)), max(0, int(y - reach))
        picture[low_y : int(y + reach) + 1, low_x : int(x + reach) + 1] = RED
    return picture


SIZE = (256, 320)
THREE = [
    face((20, 30, 60, 82), 8, (5, 6), 0.9),
    face((100, 40, 190, 150), 16, (9, 6), 0.95, anchor=1),
    face((170, 20, 315, 250), 32, (7, 3), 0.8),
]


def assert_found(found, faces, scale):
    faces = sorted(faces, key=lambda f: -f["score"])
    assert len(found) == len(faces)
    scale_x, scale_y = np.broadcast_to(scale, 2)
    by = np.array([scale_x, scale_y])
    for i, planted in enumerate(faces):
        np.testing.assert_allclose(found.boxes[i], np.array(planted["box"]) / np.tile(by, 2), atol=0.01)
        np.testing.assert_allclose(found.landmarks[i], np.array(planted["marks"]) / by, atol=0.01)
        np.testing.assert_allclose(found.scores[i], planted["score"] * FULL, atol=1e-5)


@pytest.mark.parametrize("leading", [False, True], ids=["flat", "leading batch of 1"])
def test_faces_of_all_strides_are_recovered(tmp_path, leading):
    detector = Scrfd(network(tmp_path / "n.xml", THREE, SIZE, leading), input_size=SIZE, threads=1)
    picture = paint(np.zeros((*SIZE, 3), np.uint8), THREE, 1)
    assert_found(detector.detect(picture), THREE, 1)


def test_outputs_are_recognised_in_any_order(tmp_path):
    path = network(tmp_path / "n.xml", THREE, SIZE)
    model = ov.Core().read_model(path)
    results = model.get_results()
    outputs = [op.result(results[i].input_value(0)) for i in (3, 8, 0, 5, 7, 1, 4, 2, 6)]
    ov.save_model(ov.Model(outputs, model.get_parameters()), tmp_path / "m.xml", compress_to_fp16=False)
    picture = paint(np.zeros((*SIZE, 3), np.uint8), THREE, 1)
    assert_found(Scrfd(tmp_path / "m.xml", input_size=SIZE).detect(picture), THREE, 1)


@pytest.mark.parametrize(
    "shape, scale",
    [
        ((1024, 1280), 0.25),
        ((64, 80), 4),
        ((256, 200), 1),  # narrower than the canvas: black on the right
        ((750, 960), 1 / 3),
        ((771, 960), (318 / 960, 256 / 771)),  # 318.75 columns are cut to 318: x and y scale differently
    ],
    ids=["four times larger", "four times smaller", "narrow", "three times larger", "rounded side"],
)
def test_boxes_and_landmarks_are_in_the_pixels_of_the_picture(tmp_path, shape, scale):
    planted = THREE[:2]
    detector = Scrfd(network(tmp_path / "n.xml", planted, SIZE), input_size=SIZE, min_face_size=1)
    picture = paint(np.zeros((*shape, 3), np.uint8), planted, np.min(scale))
    assert_found(detector.detect(picture), planted, scale)


def test_colour_order_matters_and_grey_shows_no_face(tmp_path):
    detector = Scrfd(network(tmp_path / "n.xml", THREE, SIZE), input_size=SIZE)
    picture = paint(np.zeros((*SIZE, 3), np.uint8), THREE, 1)
    assert len(detector.detect(picture)) == 3
    assert len(detector.detect(picture[:, :, ::-1])) == 0
    assert len(detector.detect(np.full((*SIZE, 3), 200, np.uint8))) == 0


def test_of_overlapping_claims_the_best_stays_across_anchors_and_strides(tmp_path):
    best = face((100, 40, 190, 150), 16, (9, 6), 0.9)
    twins = [
        best,
        face((104, 44, 192, 152), 16, (9, 6), 0.8, anchor=1),
        face((98, 36, 186, 146), 8, (18, 12), 0.7),
        face((150, 40, 240, 150), 16, (12, 6), 0.85),  # IoU 40/140 with the best: another face
    ]
    path = network(tmp_path / "n.xml", twins, SIZE)
    picture = paint(np.zeros((*SIZE, 3), np.uint8), twins, 1)
    assert_found(Scrfd(path, input_size=SIZE).detect(picture), [best, twins[3]], 1)
    assert_found(Scrfd(path, input_size=SIZE, nms_threshold=0.2).detect(picture), [best], 1)


def test_thresholds_of_score_and_size_leave_faces_out(tmp_path):
    path = network(tmp_path / "n.xml", THREE, SIZE)
    picture = paint(np.zeros((*SIZE, 3), np.uint8), THREE, 1)
    assert_found(Scrfd(path, input_size=SIZE, score_threshold=0.85).detect(picture), THREE[:2], 1)
    assert_found(Scrfd(path, input_size=SIZE, min_face_size=53).detect(picture), THREE[1:], 1)
    larger = paint(np.zeros((512, 640, 3), np.uint8), THREE, 0.5)
    assert_found(Scrfd(path, input_size=SIZE, min_face_size=53).detect(larger), THREE, 0.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1)])
def test_pictures_of_extreme_shape_are_no_trouble(tmp_path, shape):
    detector = Scrfd(network(tmp_path / "n.xml", THREE, SIZE), input_size=SIZE)
    assert len(detector.detect(np.zeros((*shape, 3), np.uint8))) == 0


def test_threads_share_a_detector(tmp_path):
    detector = Scrfd(network(tmp_path / "n.xml", THREE, SIZE), input_size=SIZE)
    pictures = [paint(np.zeros((*SIZE, 3), np.uint8), [planted], 1) for planted in THREE]
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(detector.detect, pictures * 20))
    for i, found in enumerate(results):
        assert_found(found, [THREE[i % 3]], 1)


def test_a_network_with_other_outputs_is_refused(tmp_path):
    with pytest.raises(BadModel, match=r"\[160, 10\].*were expected.*Use a det_"):
        Scrfd(network(tmp_path / "n.xml", THREE, SIZE, drop=1), input_size=SIZE)


def test_a_fixed_input_size_other_than_the_one_asked_for_is_refused(tmp_path):
    path = network(tmp_path / "n.xml", THREE, SIZE, shape=(1, 3, *SIZE))
    assert len(Scrfd(path, input_size=SIZE).detect(np.zeros((*SIZE, 3), np.uint8))) == 0
    with pytest.raises(BadModel, match="input_size 640 x 640"):
        Scrfd(path)


def test_a_network_that_takes_no_pictures_is_refused(tmp_path):
    vector = op.parameter([1, 7], np.float32)
    ov.save_model(ov.Model([op.relu(vector)], [vector]), tmp_path / "v.xml")
    with pytest.raises(BadModel, match="not an SCRFD detector"):
        Scrfd(tmp_path / "v.xml")


def test_an_unreadable_file_is_refused(tmp_path):
    (tmp_path / "n.onnx").write_bytes(b"no network")
    with pytest.raises(BadModel):
        Scrfd(tmp_path / "n.onnx")


@pytest.mark.parametrize("size", [(640, 630), (0, 640), (-32, 32), 640, (640,), "640x640", (64.0, 64)])
def test_an_input_size_that_the_strides_do_not_divide_is_refused(tmp_path, size):
    with pytest.raises(BadArgument, match="multiples of 32"):
        Scrfd(tmp_path / "never read.onnx", input_size=size)
