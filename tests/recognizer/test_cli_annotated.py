import json

import cv2
import numpy as np
import pytest
from PIL import Image

from common.errors import BadArgument
from recognizer.cli.annotated import AnnotatedFolder
from recognizer.results import Recognition

PICTURE = np.full((60, 80, 3), 90, np.uint8)
FACES = [
    Recognition(None, 0.1, None, np.array([10, 20, 40, 50], np.float32), np.zeros((5, 2), np.float32), 0.9)
]


def _photo(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(folder / name), PICTURE)
    return folder / name


def _annotate(out, *photos):
    folder = AnnotatedFolder(out, photos)
    return [folder.write(photo, PICTURE, FACES).name for photo in photos]


def test_copies_keep_the_photos_names(tmp_path):
    photos = [_photo(tmp_path / "in", name) for name in ("a.jpg", "b.PNG", "c.jpeg")]
    assert _annotate(tmp_path / "out" / "deep", *photos) == ["a.jpg", "b.PNG", "c.jpeg"]
    drawn = cv2.imread(str(tmp_path / "out" / "deep" / "b.PNG"))
    assert drawn.shape == PICTURE.shape
    assert (drawn != PICTURE).any()


def test_what_is_neither_jpeg_nor_png_becomes_png(tmp_path):
    assert _annotate(tmp_path / "out", _photo(tmp_path / "in", "a.webp")) == ["a.webp.png"]
    assert Image.open(tmp_path / "out" / "a.webp.png").format == "PNG"


def test_photos_in_the_folder_itself_are_left_alone(tmp_path):
    photos = [_photo(tmp_path, "a.jpg"), _photo(tmp_path, "b.png")]
    before = [photo.read_bytes() for photo in photos]
    assert _annotate(tmp_path, *photos) == ["a-annotated.jpg", "b-annotated.png"]
    assert [photo.read_bytes() for photo in photos] == before


def test_a_photo_reached_through_a_link_is_left_alone(tmp_path):
    photo = _photo(tmp_path / "in", "a.jpg")
    before = photo.read_bytes()
    (tmp_path / "out").symlink_to(tmp_path / "in")
    assert _annotate(tmp_path / "out", photo) == ["a-annotated.jpg"]
    assert photo.read_bytes() == before


def test_photos_of_other_folders_with_the_same_name_get_a_copy_each(tmp_path):
    photos = [_photo(tmp_path / folder, "a.jpg") for folder in ("x", "y", "z")]
    assert _annotate(tmp_path / "out", *photos) == ["a.jpg", "a-annotated.jpg", "a-annotated-2.jpg"]


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_second_run_replaces_its_own_copies_only(tmp_path, name):
    photo = _photo(tmp_path / "in", name)
    assert _annotate(tmp_path / "out", photo) == [name]
    assert _annotate(tmp_path / "out", photo) == [name]
    foreign = _photo(tmp_path / "out", name)
    before = foreign.read_bytes()
    assert _annotate(tmp_path / "out", photo) != [name]
    assert foreign.read_bytes() == before


def test_a_copy_given_as_a_photo_is_not_replaced(tmp_path):
    _annotate(tmp_path / "out", _photo(tmp_path / "in", "a.jpg"))
    assert _annotate(tmp_path / "out", tmp_path / "out" / "a.jpg") == ["a-annotated.jpg"]


def test_nothing_is_left_behind_when_writing_fails(tmp_path, monkeypatch):
    folder = AnnotatedFolder(tmp_path / "out", [])

    def full_disk(image, path, **options):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(BadArgument, match="No space left"):
        folder.write(tmp_path / "a.jpg", PICTURE, FACES)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(BadArgument, match="out"):
        AnnotatedFolder(tmp_path / "out", [])


def test_the_command_says_where_the_copies_are(
    command_line, mobilefacenet_files, mtcnn_files, sample_photo, tmp_path
):
    result = command_line("recognize", sample_photo("t1"), "--out", tmp_path / "out", "--json")
    [photo] = json.loads(result.stdout)
    assert photo["annotated"] == str(tmp_path / "out" / "t1.jpg")
    assert cv2.imread(photo["annotated"]) is not None
    assert str(tmp_path / "out") in result.stderr
