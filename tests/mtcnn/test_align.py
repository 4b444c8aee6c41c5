"""Alignment: the least-squares similarity transform, and the faces that it cuts out."""

import cv2
import numpy as np
import pytest

from common.errors import BadArgument
from mtcnn.align import FIVE_POINTS, align, five_points, similarity_transform


def umeyama(source, target):
    """Umeyama 1991, equations 40 to 43, through the singular value decomposition."""
    source, target = np.float64(source), np.float64(target)
    x, y = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(y.T @ x / len(x))
    s = np.diag([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ s @ vt
    scale = np.trace(np.diag(d) @ s) / x.var(0).sum()
    return np.hstack([scale * rotation, (target.mean(0) - scale * rotation @ source.mean(0))[:, None]])


def similarity(degrees, scale, shift):
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([turn, np.array(shift, float)[:, None]])


def moved(points, transform):
    return np.float64(points) @ transform[:, :2].T + transform[:, 2]


@pytest.mark.parametrize("degrees", [0, 17, -45, 90, 180, 200])
@pytest.mark.parametrize("scale", [0.05, 1, 30])
@pytest.mark.parametrize("shift", [(0, 0), (1234.5, -77)])
def test_a_known_transform_is_recovered(degrees, scale, shift):
    known = similarity(degrees, scale, shift)
    found = similarity_transform(FIVE_POINTS, moved(FIVE_POINTS, known))
    assert found.dtype == np.float32 and found.shape == (2, 3)
    np.testing.assert_allclose(found, known, atol=1e-4 * max(1, scale), rtol=1e-5)


@pytest.mark.parametrize("seed", range(30))
def test_equals_umeyama_on_landmarks_that_fit_no_transform(seed):
    random = np.random.default_rng(seed)
    landmarks = moved(FIVE_POINTS, similarity(random.uniform(-180, 180), random.uniform(0.3, 5), (200, 300)))
    landmarks += random.normal(0, 15, (5, 2))
    np.testing.assert_allclose(
        similarity_transform(landmarks, FIVE_POINTS), umeyama(landmarks, FIVE_POINTS), atol=1e-4
    )


def test_mirrored_landmarks_are_not_mirrored_back():
    mirrored = FIVE_POINTS * [-1, 1]
    transform = similarity_transform(mirrored, FIVE_POINTS)
    assert np.linalg.det(transform[:, :2]) > 0
    np.testing.assert_allclose(transform, umeyama(mirrored, FIVE_POINTS), atol=1e-4)


@pytest.mark.parametrize("size", [112, np.int64(56), 224, (112, 96), (96, 112), (200, 150)])
def test_landmarks_end_up_on_their_targets(size):
    height, width = (size, size) if np.isscalar(size) else size
    landmarks = moved(FIVE_POINTS, similarity(25, 2.5, (260, 150)))
    picture = np.zeros((600, 700, 3), np.uint8)
    for x, y in landmarks:
        cv2.circle(picture, (round(x), round(y)), 9, (255, 255, 255), -1)
    face = align(picture, landmarks[None], size)[0]
    assert face.shape == (height, width, 3) and face.dtype == np.uint8
    parts, _, _, centres = cv2.connectedComponentsWithStats((face[:, :, 0] > 127).astype(np.uint8))
    assert parts == 6
    for target in (FIVE_POINTS - [56, 0]) * (height / 112) + [width / 2, 0]:
        assert np.linalg.norm(centres[1:] - target, axis=1).min() < 1


def test_targets_of_112_pixels_are_arcface_s():
    np.testing.assert_array_equal(five_points(112, 112), FIVE_POINTS)
    # 112x96, the older size: eight pixels less at either side
    np.testing.assert_allclose(five_points(112, 96), FIVE_POINTS - [8, 0], atol=1e-5)


def test_an_upright_face_is_cut_out_unchanged():
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    np.testing.assert_array_equal(align(picture, FIVE_POINTS + [100, 50])[0], picture[50:162, 100:212])


def test_beyond_the_picture_is_black():
    face = align(np.full((112, 112, 3), 200, np.uint8), FIVE_POINTS - [60, 0])[0]
    assert (face[:, 61:] == 200)[:, :50].all() and not face[:, :59].any()


def test_several_faces_and_none():
    picture = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    landmarks = np.stack([FIVE_POINTS + 10, FIVE_POINTS * 1.5, FIVE_POINTS + [0, 90]])
    together = align(picture, landmarks)
    assert together.shape == (3, 112, 112, 3)
    for face, points in zip(together, landmarks):
        np.testing.assert_array_equal(face, align(picture, points)[0])
    none = align(picture, np.zeros((0, 5, 2)), (50, 40))
    assert none.shape == (0, 50, 40, 3) and none.dtype == np.uint8


@pytest.mark.parametrize(
    "landmarks", [np.zeros((5, 2)), np.full((5, 2), 50.0), np.full((5, 2), 1e30), np.full((5, 2), -1e4)]
)
def test_landmarks_in_one_point_do_not_crash(landmarks):
    picture = np.full((80, 80, 3), 9, np.uint8)
    assert align(picture, landmarks).shape == (1, 112, 112, 3)


@pytest.mark.parametrize("size", [0, -1, (0, 112), (112, -5)])
def test_impossible_size_is_refused(size):
    with pytest.raises(BadArgument, match="size"):
        align(np.zeros((80, 80, 3), np.uint8), FIVE_POINTS, size)
