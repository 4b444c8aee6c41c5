"""What every detector offers on top of finding faces."""

import cv2
import numpy as np
import pytest

from common.errors import BadPicture, NoFace
from mtcnn import Detections, Detector, align, create
from mtcnn.detector import most_prominent
from mtcnn.pictures import read_picture


class Planted(Detector):
    """Finds the faces it was made with in every picture."""

    def __init__(self, boxes):
        boxes = np.float32(boxes).reshape(-1, 4)
        steps = np.float32([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        self.faces = Detections(
            boxes,
            boxes[:, None, :2] + steps * (boxes[:, None, 2:] - boxes[:, None, :2]),
            np.full(len(boxes), 0.9),
        )

    def _detect(self, picture):
        return self.faces


PICTURE = np.zeros((400, 600, 3), np.uint8)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[0, 0, 40, 40], [250, 150, 350, 250]], 1),  # larger and central
        ([[270, 170, 330, 230], [20, 20, 110, 110]], 0),  # the centre outweighs a larger face in the corner
        ([[280, 180, 320, 220], [200, 100, 400, 300]], 1),  # of two in the centre the larger
        ([[0, 0, 10, 10]], 0),
    ],
)
def test_the_large_central_face_is_the_one_a_portrait_is_about(boxes, expected):
    detector = Planted(boxes)
    assert most_prominent(detector.faces, PICTURE.shape) == expected
    single = detector.detect_single(PICTURE)
    assert len(single) == 1
    np.testing.assert_array_equal(single.boxes[0], np.float32(boxes[expected]))
    np.testing.assert_array_equal(single.landmarks[0], detector.faces.landmarks[expected])


def test_no_face_where_one_is_needed():
    with pytest.raises(NoFace, match="No face"):
        Planted([]).detect_single(PICTURE)


@pytest.mark.parametrize("word", ["detect", "detect_single", "align"])
def test_a_bad_picture_is_one_clear_error(word, tmp_path):
    with pytest.raises(BadPicture, match="none.jpg"):
        getattr(Planted([]), word)(tmp_path / "none.jpg")


def test_align_cuts_out_the_given_or_all_faces():
    picture = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    detector = Planted([[10, 10, 90, 90], [100, 100, 300, 300]])
    everyone = detector.align(picture)
    np.testing.assert_array_equal(everyone, align(picture, detector.faces.landmarks))
    np.testing.assert_array_equal(detector.align(picture, detector.faces[1]), everyone[1:])
    assert detector.align(picture, Detections.none(), (96, 80)).shape == (0, 96, 80, 3)


def test_the_real_detector_takes_the_most_prominent_of_several(mtcnn_files, sample_photo):
    detector, picture = create("mtcnn"), read_picture(sample_photo("obama2"))
    face = detector.detect_single(picture).boxes[0].astype(int)
    small = cv2.resize(picture[face[1] : face[3], face[0] : face[2]], (48, 60))
    busy = picture.copy()
    busy[5:65, 5:53] = small
    found = detector.detect_single(busy).boxes[0]
    assert np.abs(found - face).max() < 0.1 * (face[2] - face[0])


def test_path_bytes_and_array_give_the_same_faces(mtcnn_files, sample_photo):
    detector, path = create("mtcnn"), sample_photo("obama2")
    expected = detector.detect(read_picture(path))
    for given in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(detector.detect(given).boxes, expected.boxes)
