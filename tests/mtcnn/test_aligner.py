"""The face of a photo of one person, cut out."""

import cv2
import numpy as np
import pytest

import mtcnn
from common.errors import BadArgument, BadDataset, NoFace
from mtcnn.aligner import Aligner
from mtcnn.pictures import identity_folders


def test_the_most_prominent_face_is_cut_out_and_all_are_counted(mtcnn_files, sample_photo):
    photo = mtcnn.read_picture(sample_photo("obama"))
    small = cv2.copyMakeBorder(photo[::2, ::2], 0, len(photo) - len(photo[::2]), 0, 0, cv2.BORDER_REPLICATE)
    two = np.concatenate([photo, small], axis=1)
    detector = mtcnn.create("mtcnn")
    found = Aligner()(two)
    assert found.faces == len(detector.detect(two)) >= 2
    assert np.array_equal(found.face, detector.align(two, detector.detect_single(two))[0])


def test_a_photo_without_a_face_is_said(mtcnn_files):
    with pytest.raises(NoFace):
        Aligner()(np.full((80, 80, 3), 127, np.uint8))


@pytest.mark.parametrize("wrong", [{"enlarge": 0.5}, {"enlarge": 17}, {"border": -1}, {"border": 5000}])
def test_framing_out_of_range_is_refused(wrong):
    with pytest.raises(BadArgument, match=next(iter(wrong))):
        Aligner(**wrong)


def test_identities_and_their_pictures_come_in_natural_order(tmp_path):
    for name in ("s10/2.jpg", "s10/10.png", "s2/1.pgm", ".hidden/1.jpg", "s2/.thumb.jpg", "s2/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    found = [(name, [path.name for path in pictures]) for name, pictures in identity_folders(tmp_path)]
    assert found == [("empty", []), ("s2", ["1.pgm"]), ("s10", ["2.jpg", "10.png"])]


def test_a_folder_without_identities_is_refused(tmp_path):
    with pytest.raises(BadDataset, match="holds no folder of an identity"):
        identity_folders(tmp_path)
    with pytest.raises(BadDataset, match="cannot be read: No such file"):
        identity_folders(tmp_path / "none")
