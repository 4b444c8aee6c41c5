import cv2
import numpy as np
import pytest

from bench.detect import OURS, Finding, missed_faces, read, summary
from common.errors import BadPicture

HERE, THERE = [0, 0, 100, 100], [200, 0, 300, 100]
FINDINGS = [
    Finding(
        "one", {OURS: np.array([HERE]), "peer": np.array([THERE, HERE])}, {OURS: [1, 9, 1], "peer": [2, 2, 2]}
    ),
    Finding(
        "two", {OURS: np.array([HERE, THERE]), "peer": np.zeros((0, 4))}, {OURS: [3, 3, 3], "peer": [6, 8, 6]}
    ),
]


def test_summary_is_the_mean_of_the_medians_and_counts_faces_we_missed():
    assert summary(FINDINGS).rows == [[OURS, "2.000", "0.50", "3", "-"], ["peer", "4.000", "1.00", "2", "1"]]


def test_faces_only_a_peer_found_are_listed_with_photo_and_box():
    assert missed_faces(FINDINGS).rows == [["one", "peer", "200 0 300 100"]]


@pytest.mark.parametrize("shape", [(400, 300), (150, 2560)])
def test_photos_are_brought_to_1280_pixels_on_the_longer_side(tmp_path, shape):
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((*shape, 3), np.uint8))
    height, width, _ = read(tmp_path / "photo.png").shape
    assert max(height, width) == 1280
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.02)


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "photo.jpg").write_text("no picture")
    with pytest.raises(BadPicture, match=r"photo\.jpg"):
        read(tmp_path / "photo.jpg")
