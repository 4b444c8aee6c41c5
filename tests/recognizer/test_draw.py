import numpy as np
import pytest

from recognizer import draw
from recognizer.draw import annotate
from recognizer.results import Recognition

GREY = 128


def _face(name, box, similarity=0.7):
    left, top, right, bottom = box
    relative = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)], np.float32)
    landmarks = np.float32([left, top]) + relative * np.float32([right - left, bottom - top])
    return Recognition(name, similarity, None, np.array(box, np.float32), landmarks, 0.9)


def _picture(height, width):
    return np.full((height, width, 3), GREY, np.uint8)


def _changed(picture, faces):
    """Rows and columns of the pixels that drawing changed."""
    return np.nonzero((annotate(picture, faces) != picture).any(axis=2))


def test_the_picture_itself_stays_as_it_is():
    picture = _picture(200, 300)
    drawn = annotate(picture, [_face("Ann", (50, 50, 120, 150))])
    assert (picture == GREY).all()
    assert drawn.shape == picture.shape and drawn.dtype == np.uint8


def test_nobody_leaves_the_pixels_as_they_are():
    picture = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    assert np.array_equal(annotate(picture, []), picture)


def test_box_and_landmarks_are_where_the_face_is():
    face = _face("Ann", (50, 60, 120, 150))
    drawn = annotate(_picture(300, 300), [face])
    for x, y in ((50, 100), (120, 100), (80, 150)):
        assert (drawn[y, x] != GREY).any()
    for x, y in face.landmarks:
        assert (drawn[round(float(y)), round(float(x))] != GREY).any()
    assert (drawn[75:90, 60:110] == GREY).all()


def test_strangers_are_drawn_in_another_colour():
    box = (50, 60, 120, 150)
    known, stranger = (annotate(_picture(300, 300), [_face(name, box)])[100, 50] for name in ("Ann", None))
    assert known[1] > known[2]  # green, in BGR
    assert stranger[2] > stranger[1]  # orange


def test_name_and_similarity_make_the_label():
    box = (50, 60, 120, 150)
    labels = [
        annotate(_picture(300, 300), [_face(name, box, similarity)])
        for name, similarity in (("Ann", 0.7), ("Bob", 0.7), ("Ann", 0.8))
    ]
    assert not np.array_equal(labels[0], labels[1])
    assert not np.array_equal(labels[0], labels[2])


@pytest.mark.parametrize("height", [300, 1200, 3000])
def test_lines_and_text_grow_with_the_picture(height):
    scale = height / 300
    rows, columns = _changed(_picture(height, height), [_face("Ann", np.array((50, 100, 200, 200)) * scale)])
    label = np.unique(rows[rows < 100 * scale])
    assert 0.03 * height < len(label) < 0.12 * height


@pytest.mark.parametrize(
    "box", [(-30, -30, 40, 40), (270, 5, 340, 80), (100, 250, 180, 340), (280, 280, 400, 400)]
)
def test_labels_stay_inside_the_picture(box, monkeypatch):
    drawn = []
    original = draw.ImageDraw.ImageDraw.rectangle

    def noted(self, place, fill=None, **options):
        if fill:
            drawn.append(place)
        original(self, place, fill=fill, **options)

    monkeypatch.setattr(draw.ImageDraw.ImageDraw, "rectangle", noted)
    annotate(_picture(300, 300), [_face("Somebody with quite a long name " * 4, box)])
    [(left, top, right, bottom)] = drawn
    assert 0 <= left < right < 300
    assert 0 <= top < bottom < 300


def test_a_long_name_is_cut_but_the_number_is_not():
    font = draw.ImageFont.load_default(12)
    text = draw._fitting(font, "x" * 255, " 0.70", 100)
    assert text.startswith("x") and text.endswith("... 0.70")
    assert font.getlength(text) <= 100


SCRIPTS = [
    "Zoë",
    "Жанна",
    "Ελένη",
    "محمد",
    "王小明",
    "さくら",
    "한국",
    "राम",
    "\U0001f600",
    "\ue000",
    "\u202e",
]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_name_in_any_script_is_drawn(name):
    assert len(_changed(_picture(200, 400), [_face(name, (50, 60, 120, 150))])[0])


def test_what_no_font_can_draw_becomes_a_question_mark():
    font, text = draw._drawable("Ann \U0010fffe", 20)
    assert text == "Ann ?"


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 3), (12, 12)])
def test_the_smallest_pictures_can_be_drawn_on(shape):
    picture = _picture(*shape)
    assert (
        annotate(picture, [_face("Ann", (-5, -5, 20, 20)), _face(None, (0, 0, 0, 0))]).shape == picture.shape
    )
