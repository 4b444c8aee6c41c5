"""MTCNN against a plain cascade: one P-Net run per scale, one resized crop per candidate, loops."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import openvino as ov
import pytest

import mtcnn
from common.errors import BadArgument, UnknownChoice
from mtcnn import pyramid
from mtcnn.cascade import Mtcnn, _crops
from mtcnn.pictures import read_picture


class PlainCascade:
    """The cascade as its paper tells it, through the published files as they are."""

    def __init__(self, files):
        self.core = ov.Core()
        self.files = files
        self.networks = {}

    def run(self, role, pictures):
        """Outputs by number of channels. The graphs want RGB, -1..1, and the picture transposed."""
        x = ((np.float32(pictures)[..., ::-1] - 127.5) / 128).transpose(0, 2, 1, 3)
        key = (role, x.shape[1:])
        if key not in self.networks:
            graph = self.core.read_model(self.files[role])
            graph.reshape([1, *x.shape[1:]])
            self.networks[key] = self.core.compile_model(graph, "CPU")
        rows = [list(self.networks[key]([row[None]]).values()) for row in x]
        return {out[0].shape[-1]: np.concatenate([r[i] for r in rows]) for i, out in enumerate(rows[0])}

    def propose(self, picture, scale):
        height, width = picture.shape[:2]
        size = round(width * scale), round(height * scale)
        out = self.run("pnet", cv2.resize(picture, size, interpolation=cv2.INTER_AREA)[None])
        faces = []
        for column, row in np.argwhere(out[2][0, :, :, 1] > 0.6):
            x, y = 2 * column, 2 * row
            box = np.array([x, y, x + 12, y + 12]) / scale
            faces.append((out[2][0, column, row, 1], box, out[4][0, column, row]))
        return suppress(faces, 0.5)

    def crops(self, picture, boxes, side):
        frame = 2000
        wide = cv2.copyMakeBorder(picture, frame, frame, frame, frame, cv2.BORDER_CONSTANT)
        cut = []
        for x1, y1, x2, y2 in np.rint(boxes).astype(int) + frame:
            cut.append(cv2.resize(wide[y1:y2, x1:x2], (side, side), interpolation=cv2.INTER_AREA))
        return np.stack(cut)

    def __call__(self, picture, smallest=40, factor=0.709):
        faces, scale = [], 12 / smallest
        while min(picture.shape[:2]) * scale >= 12:
            faces += self.propose(picture, scale)
            scale *= factor
        boxes = [square(regressed(box, move)) for _, box, move in suppress(faces, 0.7)]
        out = self.run("rnet", self.crops(picture, boxes, 24))
        faces = [(p, b, m) for (_, p), b, m in zip(out[2], boxes, out[4]) if p > 0.7]
        boxes = [square(regressed(box, move)) for _, box, move in suppress(faces, 0.7)]
        out = self.run("onet", self.crops(picture, boxes, 48))
        faces = []
        for (_, probability), box, move, marks in zip(out[2], boxes, out[4], out[10]):
            if probability > 0.7:
                points = [
                    (box[0] + u * (box[2] - box[0]), box[1] + v * (box[3] - box[1]))
                    for u, v in marks.reshape(2, 5).T
                ]
                faces.append((probability, regressed(box, move), np.array(points)))
        return suppress(faces, 0.7, smaller=True)


def regressed(box, move):
    width, height = box[2] - box[0], box[3] - box[1]
    return box + move * [width, height, width, height]


def square(box):
    x, y, half = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, max(box[2] - box[0], box[3] - box[1]) / 2
    return np.array([x - half, y - half, x + half, y + half])


def overlap(box, others, smaller=False):
    """Of one box with each of others ``[n, 4]``: intersection over union, or over the smaller area."""
    shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(shared[:, 0], 0, None) * np.clip(shared[:, 1], 0, None)
    area, areas = (np.prod(b[..., 2:] - b[..., :2], axis=-1) for b in (box, others))
    return shared / (np.minimum(area, areas) if smaller else area + areas - shared)


def suppress(faces, threshold, smaller=False):
    kept = []
    for face in sorted(faces, key=lambda face: -face[0]):
        if not kept or overlap(face[1], np.array([better[1] for better in kept]), smaller).max() <= threshold:
            kept.append(face)
    return kept


@pytest.fixture(scope="module")
def cascade(mtcnn_files):
    return Mtcnn(mtcnn_files)


@pytest.fixture(scope="module")
def plain(mtcnn_files):
    return PlainCascade(mtcnn_files)


def assert_same_faces(found, boxes, landmarks, least_overlap, largest_distance):
    """``largest_distance`` of landmarks is a share of the face's width."""
    assert len(found) == len(boxes)
    for box, points in zip(boxes, landmarks):
        overlaps = overlap(box, found.boxes)
        assert overlaps.max() > least_overlap
        distance = np.linalg.norm(found.landmarks[overlaps.argmax()] - points, axis=1)
        assert distance.max() < largest_distance * (box[2] - box[0])


@pytest.mark.parametrize("name", ["t1", "obama2", "biden", "obama_partial_face2"])
def test_finds_what_a_plain_cascade_finds(cascade, plain, sample_photo, name):
    picture = read_picture(sample_photo(name))
    expected = plain(picture)
    found = cascade.detect(picture)
    assert_same_faces(found, [face[1] for face in expected], [face[2] for face in expected], 0.8, 0.06)
    for score, face in zip(found.scores, sorted(expected, key=lambda face: -face[0])):
        assert abs(score - face[0]) < 0.05


def test_six_faces_of_the_group_photo_best_first_with_landmarks_in_order(cascade, sample_photo):
    faces = cascade.detect(sample_photo("t1"))
    assert len(faces) == 6
    assert faces.boxes.dtype == faces.landmarks.dtype == faces.scores.dtype == np.float32
    assert (np.diff(faces.scores) <= 0).all() and (faces.scores > 0.9).all() and (faces.scores <= 1).all()
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.landmarks.transpose(1, 0, 2)
    assert (left_eye[:, 0] < right_eye[:, 0]).all() and (left_mouth[:, 0] < right_mouth[:, 0]).all()
    assert (left_eye[:, 1] < nose[:, 1]).all() and (nose[:, 1] < left_mouth[:, 1]).all()
    assert (faces.landmarks > faces.boxes[:, None, :2]).all() and (
        faces.landmarks < faces.boxes[:, None, 2:]
    ).all()


def test_a_face_whose_best_candidate_fails_is_found_by_its_neighbours(cascade, sample_photo, monkeypatch):
    photo = read_picture(sample_photo("sample2"))
    photo = cv2.resize(photo, None, fx=2 / 3, fy=2 / 3, interpolation=cv2.INTER_AREA)
    assert len(cascade.detect(photo)) == 2
    judge = type(cascade)._judge
    asked = []

    def only_leaders(self, halves, boxes):
        asked.append(len(boxes))
        return judge(self, halves, boxes if len(asked) == 1 else boxes[:0])

    monkeypatch.setattr(type(cascade), "_judge", only_leaders)
    assert len(cascade.detect(photo)) == 1
    assert len(asked) == 2


def test_a_mirrored_photo_has_mirrored_faces(cascade, sample_photo):
    picture = read_picture(sample_photo("t1"))
    faces = cascade.detect(np.ascontiguousarray(picture[:, ::-1]))
    width = picture.shape[1]
    boxes = (np.array([width, 0, width, 0]) + faces.boxes * [-1, 1, -1, 1])[:, [2, 1, 0, 3]]
    landmarks = (np.array([width, 0]) + faces.landmarks * [-1, 1])[:, [1, 0, 2, 4, 3]]
    assert_same_faces(cascade.detect(picture), boxes, landmarks, 0.7, 0.15)


def test_faces_that_reach_beyond_the_edge_are_found(cascade, sample_photo):
    picture = read_picture(sample_photo("obama2"))
    whole = cascade.detect_single(picture)
    x1, y1, x2, y2 = whole.boxes[0].astype(int)
    cut = x1 + (x2 - x1) // 6
    faces = cascade.detect_single(picture[:, cut:])
    assert overlap(faces.boxes[0] + [cut, 0, cut, 0], whole.boxes)[0] > 0.7


@pytest.mark.parametrize("value", [0, 127, 255])
def test_a_blank_picture_has_no_face(cascade, value):
    assert len(cascade.detect(np.full((300, 400, 3), value, np.uint8))) == 0


def test_noise_has_no_face(cascade):
    random = np.random.default_rng(0)
    for shape in ((480, 640, 3), (200, 900, 3)):
        assert len(cascade.detect(random.integers(0, 256, shape, np.uint8))) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (39, 39), (40, 40), (41, 2000), (47, 49), (23, 24)])
def test_tiny_and_narrow_pictures_have_no_face(cascade, shape):
    faces = cascade.detect(np.zeros((*shape, 3), np.uint8))
    assert faces.boxes.shape == (0, 4) and faces.landmarks.shape == (0, 5, 2) and faces.scores.shape == (0,)


def test_smaller_faces_are_found_when_asked_for(mtcnn_files, cascade, sample_photo):
    picture = read_picture(sample_photo("obama2"))
    box = cascade.detect_single(picture).boxes[0]
    shrink = 18 / (box[3] - box[1])
    small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    assert len(cascade.detect(small)) == 0
    faces = Mtcnn(mtcnn_files, min_face_size=12).detect(small)
    assert len(faces) == 1 and overlap(faces.boxes[0], box[None] * shrink)[0] > 0.5


def test_stricter_thresholds_find_no_more(mtcnn_files, cascade, sample_photo):
    strict = Mtcnn(mtcnn_files, thresholds=(0.6, 0.7, 0.9999)).detect(sample_photo("t1"))
    assert len(strict) < 6 and (strict.scores > 0.9999).all()


def test_threads_at_once_find_what_one_finds(cascade, sample_photo):
    photos = [read_picture(sample_photo(name)) for name in ("t1", "obama2", "biden", "obama_partial_face")]
    expected = [cascade.detect(photo) for photo in photos]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(cascade.detect, photos * 4))
    for faces, same in zip(found, expected * 4):
        np.testing.assert_allclose(faces.boxes, same.boxes, atol=0.01)
        np.testing.assert_allclose(faces.landmarks, same.landmarks, atol=0.01)


def test_crops_are_read_from_the_picture_where_their_box_lies():
    """A ramp whose colour is the place: every crop must hold the places of its box, transposed."""
    y, x = np.mgrid[0:480, 0:480].astype(np.float32)
    picture = np.stack([x / 2, y / 2, np.full_like(x, 128)], axis=2).astype(np.uint8)
    random = np.random.default_rng(5)
    sides = random.uniform(10, 200, (600, 1))
    corners = random.uniform(0, 480 - sides, (600, 2))
    crops = _crops(pyramid.halvings(picture), np.hstack([corners, corners + sides]), 24).astype(float)
    steps = (np.arange(24) + 0.5) / 24
    expected_x = (corners[:, :1] + sides * steps)[:, :, None] / 2
    expected_y = (corners[:, 1:] + sides * steps)[:, None] / 2
    inner = (slice(None), slice(2, -2), slice(2, -2))
    assert np.abs(crops[..., 0] - expected_x)[inner].max() < 3
    assert np.abs(crops[..., 1] - expected_y)[inner].max() < 3


@pytest.mark.parametrize(
    "options",
    [
        {"min_face_size": 11},
        {"min_face_size": float("nan")},
        {"min_face_size": "40"},
        {"min_face_size": None},
        {"thresholds": (0.6, 0.7)},
        {"thresholds": (0.6, 0.7, 1)},
        {"thresholds": 0.6},
        {"thresholds": ("a", "b", "c")},
        {"scale_factor": 1},
        {"scale_factor": "0.7"},
        {"threads": 0},
    ],
)
def test_an_option_out_of_range_is_named(mtcnn_files, options):
    with pytest.raises(BadArgument, match=next(iter(options))):
        Mtcnn(mtcnn_files, **options)


def test_created_once_for_the_same_options_lists_included(mtcnn_files):
    options = {"min_face_size": 40, "thresholds": [0.6, 0.7, 0.7]}  # as a YAML file gives them
    first = mtcnn.create("mtcnn", **options)
    assert isinstance(first, Mtcnn)
    assert mtcnn.create("mtcnn", **options) is first
    assert mtcnn.create("mtcnn", **options | {"min_face_size": 41}) is not first


def test_unknown_detector_and_option_are_named_with_the_choices():
    with pytest.raises(UnknownChoice, match="'mtcn'.*mtcnn, scrfd_10g"):
        mtcnn.create("mtcn")
    with pytest.raises(BadArgument, match="'min_face'.*min_face_size"):
        mtcnn.create("mtcnn", min_face=20)
