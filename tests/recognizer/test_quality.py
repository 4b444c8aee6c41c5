"""What is measured of a face, what is asked of it, and what is said where it falls short."""

from dataclasses import astuple, fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from common import config
from common.errors import BadConfig, BadPicture
from mtcnn import Detections, create, read_picture
from recognizer import settings
from recognizer.liveness import LivenessLimits
from recognizer.quality import PORTRAIT, Quality, QualityLimits, assess
from recognizer.quality.pose import MODEL, pose
from recognizer.quality.rules import shortfalls

STILLS = Path(__file__).parents[3] / "shared" / "data" / "bbt"
MEASURES = [field.name for field in fields(Quality) if field.name != "shortfalls"]
NOTHING_ASKED = QualityLimits(*[None] * len(fields(QualityLimits)))


@pytest.fixture(scope="session")
def obama(portraits):
    """A portrait and its one face."""
    return portraits.obama, create("mtcnn").detect_single(portraits.obama)


def darkened(picture, factor):
    return np.clip(picture * factor, 0, 255).astype(np.uint8)


def turned(points, x, y, z):
    """Points ``[5, 3]`` turned so that the nose points to (x, y, z), leaning somehow, seen from afar, ``[5, 2]``."""
    depth = -np.array([x, y, z]) / np.linalg.norm([x, y, z])
    across = np.cross([0.2, 1, 0.1], depth)
    across /= np.linalg.norm(across)
    rotation = np.stack([across, np.cross(depth, across), depth], axis=1)
    return (points @ rotation.T)[:, :2]


@pytest.mark.parametrize("yaw", [-70, -30, 0, 45])
@pytest.mark.parametrize("pitch", [-40, 0, 25])
def test_a_face_turned_by_known_angles_is_found_to_be(yaw, pitch):
    a, b = np.radians([yaw, pitch])
    seen = turned(MODEL, np.sin(a) * np.cos(b), -np.sin(b), -np.cos(a) * np.cos(b)) * 1.7 + [300, 200]
    found = pose(seen)
    eyes = seen[1] - seen[0]
    expected = [yaw, pitch, np.degrees(np.arctan2(eyes[1], eyes[0]))]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_face_in_the_mirror_looks_the_other_way_and_is_lit_from_the_other_side(obama):
    picture, face = obama
    width = picture.shape[1]
    x1, y1, x2, y2 = face.boxes[0]
    landmarks = (face.landmarks * [-1, 1] + [width - 1, 0])[:, [1, 0, 2, 4, 3]]
    mirrored = Detections([[width - 1 - x2, y1, width - 1 - x1, y2]], landmarks, face.scores)
    here, there = assess(picture, face, 0), assess(np.ascontiguousarray(picture[:, ::-1]), mirrored, 0)
    for measure in MEASURES:
        sign = -1 if measure in ("yaw", "roll", "side_light") else 1
        tolerance = {"side_light": 0.02, "sharpness": 0.1}.get(measure, 1.0)
        assert getattr(there, measure) == pytest.approx(sign * getattr(here, measure), abs=tolerance), measure


def test_turning_the_photo_turns_the_roll_and_little_else(obama):
    picture, face = obama
    turn = cv2.getRotationMatrix2D((130, 130), -25, 1)  # clockwise
    landmarks = face.landmarks @ turn[:, :2].T + turn[:, 2]
    leaning = Detections(face.boxes, landmarks, face.scores)
    here, there = assess(picture, face, 0), assess(cv2.warpAffine(picture, turn, (260, 260)), leaning, 0)
    assert there.roll == pytest.approx(here.roll + 25, abs=0.5)
    assert there.brightness == pytest.approx(here.brightness, abs=3)
    assert np.hypot(there.yaw, there.pitch) == pytest.approx(np.hypot(here.yaw, here.pitch), abs=0.5)


def test_sharpness_falls_with_every_blur_and_hardly_with_the_light(obama):
    picture, face = obama
    blurred = [assess(cv2.GaussianBlur(picture, (0, 0), sigma), face, 0).sharpness for sigma in (0.5, 1, 2, 3, 5)]
    sharp = assess(picture, face, 0).sharpness
    assert sharp > blurred[0] and blurred == sorted(blurred, reverse=True) and blurred[-1] < 0.1
    assert assess(darkened(picture, 0.4), face, 0).sharpness == pytest.approx(sharp, rel=0.1)


def test_light_is_measured_on_the_face_alone(obama):
    picture, face = obama
    x1, y1, x2, y2 = face.boxes[0].astype(int)
    elsewhere = np.zeros_like(picture)
    elsewhere[y1 - 2 : y2 + 2, x1 - 2 : x2 + 2] = picture[y1 - 2 : y2 + 2, x1 - 2 : x2 + 2]
    here, there = assess(picture, face, 0), assess(elsewhere, face, 0)
    assert (here.brightness, here.contrast, here.side_light) == (there.brightness, there.contrast, there.side_light)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[y1:y2, x1:x2]
    assert here.brightness == pytest.approx(grey.mean(), rel=0.15)


def lit_from_the_right(picture):
    return darkened(picture, np.where(np.arange(picture.shape[1]) < 130, 0.2, 1.0)[None, :, None])


def test_the_side_that_is_lit_has_a_sign(obama):
    picture, face = obama
    assert assess(lit_from_the_right(picture), face, 0).side_light > 0.35
    dark = np.ascontiguousarray(lit_from_the_right(picture[:, ::-1])[:, ::-1])
    assert assess(dark, face, 0).side_light < -0.35


def test_a_face_that_the_edge_of_the_picture_cuts_is_not_taken_for_dark(obama):
    picture, face = obama
    x, y = (int(value) for value in face.landmarks[0, 2])
    cut = np.ascontiguousarray(picture[:, x - 10 :])
    moved = Detections(face.boxes, face.landmarks - [x - 10, 0], face.scores)
    whole, half = assess(picture, face, 0), assess(cut, moved, 0)
    assert half.brightness == pytest.approx(whole.brightness, rel=0.2)
    assert half.side_light == pytest.approx(whole.side_light, abs=0.2)


SPOILT = [
    (lambda picture: darkened(picture, 0.15), "brightness", "too dark", "Turn to the light."),
    (lambda picture: darkened(picture, 4.0), "brightness", "too bright", "Move out of the glare."),
    (lambda picture: (picture * 0.15 + 110).astype(np.uint8), "contrast", "too little contrast", "Turn to the light."),
    (lit_from_the_right, "side_light", "lit from one side", "Turn to the light."),
    (lambda picture: cv2.GaussianBlur(picture, (0, 0), 6), "sharpness", "not sharp", "Hold still"),
]


@pytest.mark.parametrize("spoil, measure, wrong, advice", SPOILT, ids=[each[2] for each in SPOILT])
def test_a_photo_spoilt_in_one_respect_falls_short_in_that_one(obama, spoil, measure, wrong, advice):
    picture, face = obama
    limits = QualityLimits(max_side_light=0.35)
    assert assess(picture, face, 0, limits).acceptable
    quality = assess(spoil(picture), face, 0, limits)
    assert not quality.acceptable
    [shortfall] = [each for each in quality.shortfalls if each.measure == measure]
    assert shortfall.reason.startswith(wrong) and shortfall.advice.startswith(advice)
    assert shortfall.advice in quality.advice and shortfall.reason in quality.reasons
    assert str(quality.to_mapping()["acceptable"]) == "False"


def test_each_face_is_compared_with_each_limit():
    draw = np.random.default_rng(3)
    for _ in range(200):
        numbers = dict(zip(MEASURES, draw.uniform(-1, 1, len(MEASURES)).tolist()))
        asked = {field.name: draw.choice([None, draw.uniform(0, 1)]) for field in fields(QualityLimits)}
        wrong = set()
        for name, limit in asked.items():
            kind, measure = name.split("_", 1)
            if limit is None:
                continue
            if (kind == "min" and numbers[measure] < limit) or (kind == "max" and abs(numbers[measure]) > limit):
                wrong.add(measure)
        assert {each.measure for each in shortfalls(numbers, QualityLimits(**asked))} == wrong


def test_advice_is_given_once_however_many_reasons_it_has(obama):
    picture, face = obama
    quality = assess(darkened(picture, 0.05), face, 0)
    assert {"brightness", "contrast"} <= {each.measure for each in quality.shortfalls}
    assert quality.advice.count("Turn to the light.") == 1


def test_real_photos_are_good_enough_and_a_portrait_asks_for_more(portraits, sample_photo):
    detector = create("mtcnn")
    for picture in (portraits.obama, portraits.obama2, portraits.obama3, portraits.biden):
        assert assess(picture, detector.detect_single(picture), 0).acceptable
    group = read_picture(sample_photo("t1"))
    faces = detector.detect(group)
    assert [assess(group, faces, i).acceptable for i in range(len(faces))] == [True] * 6
    assert not all(assess(group, faces, i, PORTRAIT).acceptable for i in range(len(faces)))
    for field in fields(QualityLimits):
        lenient, strict = getattr(QualityLimits(), field.name), getattr(PORTRAIT, field.name)
        assert lenient is None or (strict > lenient if field.name.startswith("min_") else strict < lenient)


@pytest.mark.skipif(not STILLS.is_dir(), reason="the TV stills of ../shared/data are not here")
def test_no_face_crop_of_the_stills_is_refused():
    detector = create("mtcnn")
    for path in sorted(STILLS.glob("*/*1.png")):
        quality = assess(path, detector.detect_single(path), 0)
        assert quality.acceptable, (path.name, quality.reasons)


@pytest.mark.parametrize(
    "box, points",
    [
        ((0, 0, 0, 0), np.zeros((5, 2))),
        ((-900, -900, -800, -800), np.array([[-880, -880], [-840, -880], [-860, -860], [-875, -840], [-845, -840]])),
        ((10, 10, 1e6, 1e6), np.array([[0, 0], [1e6, 0], [5e5, 5e5], [1e5, 1e6], [9e5, 1e6]])),
    ],
    ids=["nothing", "outside", "huge"],
)
def test_a_face_that_is_none_gives_numbers_all_the_same(box, points):
    wall = np.full((40, 60, 3), 90, np.uint8)
    quality = assess(wall, Detections([box], [points], [0.9]), 0)
    assert np.isfinite(astuple(replace(quality, shortfalls=()))[:-1]).all() and not quality.acceptable


def test_no_picture_and_no_such_face(obama):
    picture, face = obama
    with pytest.raises(BadPicture):
        assess(b"no picture", face, 0)
    with pytest.raises(IndexError):
        assess(picture, face, 1)


@pytest.mark.parametrize("key, kind", [("quality", QualityLimits), ("liveness_options", LivenessLimits)])
def test_what_is_installed_is_what_holds_without_settings(key, kind):
    assert kind(**config.load(config.packaged("recognizer.yaml"))[key]) == kind()


@pytest.fixture
def write(tmp_path):
    """A function that writes a settings file that differs from the installed one."""

    def write(text="", **changed):
        content = config.load(config.packaged("recognizer.yaml"))
        for key in [*changed, *(line.split(":")[0] for line in text.splitlines())]:
            content.pop(key)
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content | changed) + text)
        return tmp_path / "mine.yaml"

    return write


def test_limits_that_a_file_leaves_out_are_as_installed_and_null_asks_nothing(write):
    read = settings.read(write(quality={"min_size": 64, "min_sharpness": None}))
    assert read.quality_limits() == replace(QualityLimits(), min_size=64, min_sharpness=None)
    assert settings.read(write(quality={})).quality_limits() == QualityLimits()


@pytest.mark.parametrize(
    "changed, named",
    [
        ({"quality": {"min_sise": 5}}, "quality: unknown key 'min_sise'.*min_size"),
        ({"quality": {"min_size": "big"}}, "quality: min_size must be a number"),
        ({"quality": {"max_yaw": -5}}, "quality: max_yaw must be a number, 0 or more"),
        ({"quality": {"max_yaw": True}}, "quality: max_yaw"),
        ({"quality": {"max_yaw": float("nan")}}, "quality: max_yaw"),
        ({"quality": {5: 5}}, "quality: unknown key 5"),
        ({"quality": 5}, "quality must be dict"),
        ({"liveness_options": {"score": 0.2}}, "liveness_options: unknown key 'score'"),
        ({"liveness_options": {"max_score": [1]}}, "liveness_options: max_score"),
        ({"gates": "open"}, "gates must be one of require, report, off"),
        ({"duplicates": "yes"}, "duplicates must be one of auto, always, never"),
        ({"liveness": "on"}, "liveness must be one of off, report, require"),
        ({"liveness": True}, "liveness must be str"),
    ],
)
def test_a_limit_that_is_none_is_named(write, changed, named):
    with pytest.raises(BadConfig, match=named):
        settings.read(write(**changed))


def test_a_bare_off_in_a_file_means_off(write):
    read = settings.read(write("gates: off\nliveness: off\n"))
    assert (read.gates, read.liveness) == ("off", "off")


def test_nothing_asked_is_never_missed():
    assert list(shortfalls(dict.fromkeys(MEASURES, 1e9), NOTHING_ASKED)) == []
