"""Whatever comes in: the right answer or one clear error, and nothing stored by halves."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

HUGE = (20_000, 20_000)


@pytest.fixture
def obama(mobilefacenet_files, mtcnn_files, sample_photo):
    """A photo, small enough to be written in many formats."""
    return Image.open(sample_photo("obama")).convert("RGB").crop((200, 0, 800, 600))


def _rotated(image, path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by whoever shows it
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


def _deep(image, path):
    assert cv2.imwrite(str(path), np.asarray(image)[:, :, ::-1].astype(np.uint16) * 257)


UNUSUAL = {
    "grey.jpg": lambda image, path: image.convert("L").save(path),
    "alpha.png": lambda image, path: image.convert("RGBA").save(path),
    "deep.png": _deep,
    "cmyk.jpg": lambda image, path: image.convert("CMYK").save(path),
    "rotated.jpg": _rotated,
    "palette.gif": lambda image, path: image.save(path),
    "no-suffix": lambda image, path: image.save(path, format="PNG"),
    "ünï çödé 'quoted'; $(x) [red].jpg": lambda image, path: image.save(path),
}


def _truncated(path, image):
    image.save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:5000])


BAD = {
    "missing.jpg": lambda path, image: None,
    "empty.jpg": lambda path, image: path.touch(),
    "text.jpg": lambda path, image: path.write_text("This is no picture."),
    "truncated.jpg": _truncated,
    "huge.png": lambda path, image: Image.new("1", HUGE).save(path),
}
FACELESS = {
    "pixel.png": lambda path, image: Image.new("RGB", (1, 1)).save(path),
    "green.png": lambda path, image: Image.new("RGB", (300, 300), "green").save(path),
}


def _is_one_clear_error(result, mentions):
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert mentions in result.stderr
    assert "Traceback" not in result.output and "unexpected" not in result.output


def _nobody_is_enrolled(command_line):
    return json.loads(command_line("people", "--json").stdout) == []


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_pictures_are_read_as_they_look(command_line, obama, sample_photo, tmp_path, name):
    UNUSUAL[name](obama, tmp_path / name)
    assert command_line("enroll", "Obama", sample_photo("obama2")).exit_code == 0
    result = command_line("recognize", tmp_path / name)
    assert result.exit_code == 0
    assert "Obama" in result.stdout
    assert name in result.stdout


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_one_clear_error(command_line, obama, tmp_path, name):
    BAD[name](tmp_path / name, obama)
    _is_one_clear_error(command_line("recognize", tmp_path / name), name)
    _is_one_clear_error(command_line("enroll", "Ann", tmp_path / name), name)
    assert _nobody_is_enrolled(command_line)


@pytest.mark.parametrize("name", FACELESS)
def test_a_photo_without_a_face_is_an_answer_but_no_enrolment(command_line, obama, tmp_path, name):
    FACELESS[name](tmp_path / name, obama)
    result = command_line("recognize", tmp_path / name)
    assert result.exit_code == 0
    assert "no face found" in result.stdout
    _is_one_clear_error(command_line("enroll", "Ann", tmp_path / name), "no face")
    assert _nobody_is_enrolled(command_line)


def test_recognition_goes_on_after_a_bad_photo(command_line, obama, tmp_path):
    obama.save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("This is no picture.")
    photos = (tmp_path / "bad.jpg", tmp_path / "good.png")
    result = command_line("recognize", "--json", *photos)
    bad, good = json.loads(result.stdout)
    assert result.exit_code == 2
    assert bad.keys() == {"photo", "error"}
    assert bad["photo"] == str(photos[0])
    assert len(good["faces"]) == 1
    assert f"error: {photos[0]}" in result.stderr


def test_an_enrolment_keeps_the_good_photos_and_warns_of_the_others(command_line, obama, tmp_path):
    obama.save(tmp_path / "good.png")
    result = command_line("enroll", "Ann", tmp_path / "missing.jpg", tmp_path / "good.png")
    assert result.exit_code == 0
    assert "warning: " in result.stderr and "missing.jpg" in result.stderr
    assert json.loads(command_line("people", "--json").stdout)[0]["photos"] == 1


@pytest.mark.parametrize("command", [["recognize"], ["enroll", "Ann"]], ids=["recognize", "enroll"])
def test_a_folder_without_photos_is_an_error(command_line, tmp_path, command):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    _is_one_clear_error(command_line(*command, tmp_path / "empty"), "holds no pictures")


def test_a_facebank_that_is_none_is_an_error(command_line, mobilefacenet_files, mtcnn_files, tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "missing"):
        _is_one_clear_error(command_line("enroll-folder", place), str(place))
    assert _nobody_is_enrolled(command_line)


@pytest.mark.parametrize("name", ["", "   ", "x" * 10_000, "line\nbreak", "\x1b[31mred"])
def test_a_bad_name_is_one_clear_error(command_line, obama, tmp_path, name):
    obama.save(tmp_path / "good.png")
    result = command_line("enroll", name, tmp_path / "good.png")
    _is_one_clear_error(result, "name")
    assert len(result.stderr) < 500
    assert "\x1b" not in result.stderr
    assert _nobody_is_enrolled(command_line)


@pytest.mark.parametrize(
    "name",
    [
        'O\'Hara "x"; DROP TABLE persons; --',
        "王小明",
        "Жанна",
        "محمد",
        "[bold]Bob[/bold]",
        "%s{0}\\n",
        "x" * 255,
    ],
)
def test_any_other_name_is_kept_as_it_is(command_line, obama, tmp_path, name):
    obama.save(tmp_path / "good.png")
    assert command_line("enroll", name, tmp_path / "good.png").exit_code == 0
    assert [person["name"] for person in json.loads(command_line("people", "--json").stdout)] == [name]
    assert name in command_line("people").stdout
    assert name in command_line("recognize", tmp_path / "good.png", "--out", tmp_path / "annotated").stdout
    assert command_line("forget", "--yes", "--", name).exit_code == 0
    assert _nobody_is_enrolled(command_line)


@pytest.mark.parametrize(
    "options, mentions",
    [(["--model", "nonsense"], "mobilefacenet"), (["--detector", "nonsense"], "mtcnn"),
     (["--device", "nonsense"], "cpu"), (["--precision", "nonsense"], "f32"), (["--threads", "0"], "threads"),
     (["--threshold", "2"], "threshold"), (["--threshold", "nan"], "threshold"),
     (["--database", "nonsense"], "sqlite://"), (["--config", "missing.yaml"], "missing.yaml"),
     (["--gallery", ""], "gallery")],
)  # fmt: skip
def test_a_bad_option_is_one_clear_error(command_line, obama, tmp_path, options, mentions):
    obama.save(tmp_path / "good.png")
    _is_one_clear_error(command_line("enroll", "Ann", tmp_path / "good.png", *options), mentions)
    assert _nobody_is_enrolled(command_line)
