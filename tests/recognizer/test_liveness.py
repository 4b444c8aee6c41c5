"""Whether a face is a person before the camera: how the network is fed, and what comes of its answer."""

import json

import cv2
import numpy as np
import openvino as ov
import pytest
import yaml

from common import config
from common.errors import FetchFailed, NothingEnrolled
from mtcnn import Detections, create, read_picture
from networks import zoo
from recognizer import Recognizer, liveness
from recognizer.liveness import Antispoof, LivenessLimits, crop, sharpness


@pytest.fixture(scope="session")
def antispoof_files():
    """The files of the zoo's antispoof."""
    try:
        return zoo.pull("antispoof")
    except FetchFailed as error:
        pytest.skip(f"antispoof cannot be fetched: {str(error).splitlines()[0]}")


@pytest.fixture(scope="session")
def sharp(mtcnn_files, sample_photo):
    """A photo sharp enough to be judged, and its face; the portraits of the other tests are not."""
    picture = read_picture(sample_photo("obama"))
    return picture, create("mtcnn").detect_single(picture)


@pytest.fixture
def opened(antispoof_files, mobilefacenet_files, mtcnn_files):
    """A function that opens a recognizer with nobody in it; they are closed at the end."""
    made = []

    def opened(**given):
        made.append(Recognizer(**{"database": "sqlite://", **given}))
        return made[-1]

    yield opened
    for each in made:
        each.close()


def as_the_app_crops(picture, box):
    """toSquareShape, limitSquare and crop of the app, for whole numbers and level eyes."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    if width > height:
        top, bottom = top - (width - height) // 2, bottom + (width - height) // 2
    else:
        left, right = left - (height - width) // 2, right + (height - width) // 2
    over = max(-left, -top)
    if over > 0:
        left, top = left + over, top + over
    over = max(right - picture.shape[1], bottom - picture.shape[0])
    if over > 0:
        right, bottom = right - over, bottom - over
    return picture[top:bottom, left:right]


@pytest.mark.parametrize(
    "box",
    [(40, 30, 168, 158), (40, 30, 120, 158), (40, 60, 168, 140), (-20, 30, 108, 158), (150, 110, 278, 260)],
    ids=["square", "high", "wide", "left", "bottom"],
)
def test_a_level_face_is_cropped_as_the_app_does(box):
    noise = np.random.default_rng(1).integers(0, 256, (60, 75, 3), np.uint8)
    picture = cv2.resize(noise, (300, 240), interpolation=cv2.INTER_CUBIC)
    expected = cv2.resize(as_the_app_crops(picture, box), (256, 256), interpolation=cv2.INTER_LINEAR)
    found = crop(picture, np.array(box, np.float32), np.array([[60, 80], [100, 80]], np.float32))
    difference = np.abs(found[4:-4, 4:-4].astype(int) - expected[4:-4, 4:-4])
    assert difference.mean() < 3  # half a pixel's shift of this picture: 6


@pytest.mark.parametrize("angle", [-60, -25, 10, 45])
def test_a_leaning_face_is_turned_until_the_eyes_are_level(angle):
    picture = np.zeros((300, 300, 3), np.uint8)
    across = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * 30
    eyes = np.stack([150 - across, 150 + across])
    for channel, (x, y) in enumerate(eyes):
        cv2.circle(picture, (round(x), round(y)), 4, [255 * (channel == each) for each in range(3)], -1)
    face = crop(picture, np.array([90, 90, 210, 210]), eyes)
    (x1, y1), (x2, y2) = (np.argwhere(face[:, :, channel] > 128).mean(axis=0)[::-1] for channel in (0, 1))
    assert abs(y1 - y2) < 2 and x2 - x1 == pytest.approx(60 * 256 / 120, abs=3)


def test_the_score_is_that_of_the_bare_network_fed_with_rgb_from_0_to_1(antispoof_files, sharp):
    picture, face = sharp
    bare = ov.Core().compile_model(ov.Core().read_model(antispoof_files["model"]), "CPU")
    cut = crop(picture, face.boxes[0], face.landmarks[0])
    outputs = bare(cut[None, :, :, ::-1].astype(np.float32) / 255)
    expected = sum(abs(value) * mask for value, mask in zip(outputs[0][0], outputs[1][0]))
    [found] = Antispoof()(picture, face)
    assert found.score == pytest.approx(float(expected), abs=1e-3)
    assert found.live and found.reason is None and 0 <= found.score < 0.2


def test_sharpness_counts_the_pixels_that_the_app_counts():
    cut = (np.random.default_rng(2).uniform(0, [150, 40, 20], (50, 60, 3))).astype(np.uint8)
    grey = [[int(0.3 * r + 0.59 * g + 0.11 * b) for b, g, r in row] for row in cut.tolist()]
    counted = 0
    for y in range(1, len(grey) - 1):
        for x in range(1, len(grey[0]) - 1):
            around = grey[y - 1][x] + grey[y + 1][x] + grey[y][x - 1] + grey[y][x + 1]
            counted += around - 4 * grey[y][x] > 50
    assert counted > 20 and sharpness(cut) == pytest.approx(counted, abs=2)  # rounding of float32


def test_a_soft_face_is_not_taken_for_live_and_says_that_it_is_not_sharp(antispoof_files, sharp):
    picture, face = sharp
    [found] = Antispoof()(cv2.GaussianBlur(picture, (0, 0), 2), face)
    assert not found.live and found.reason.startswith("not sharp enough to tell") and "at least 1000" in found.reason


def test_a_score_that_is_too_high_is_no_live_face(antispoof_files, sharp):
    picture, face = sharp
    [usual] = Antispoof()(picture, face)
    [strict] = Antispoof(LivenessLimits(max_score=usual.score))(picture, face)
    assert usual.live and not strict.live and "looks like a picture of a face" in strict.reason
    [nothing_asked] = Antispoof(LivenessLimits(None, None))(cv2.GaussianBlur(picture, (0, 0), 3), face)
    assert nothing_asked.live


def test_faces_together_and_alone_get_the_same_answers(antispoof_files, sharp):
    picture, face = sharp
    small = Detections(face.boxes * 0.9, face.landmarks * 0.95, face.scores)
    both = Detections(*(np.concatenate([vars(face)[key], vars(small)[key]]) for key in vars(face)))
    antispoof = Antispoof()
    together = antispoof(picture, both)
    alone = [antispoof(picture, face)[0], antispoof(picture, small)[0]]
    assert [each.sharpness for each in together] == [each.sharpness for each in alone]
    assert [each.score for each in together] == pytest.approx([each.score for each in alone], abs=1e-4)
    assert antispoof(picture, Detections.none()) == []


def test_a_face_outside_the_picture_is_answered_all_the_same(antispoof_files):
    wall = np.full((50, 60, 3), 90, np.uint8)
    outside = Detections(
        [[-500, -500, -400, -400], [0, 0, 0, 0], [-9e4, -9e4, 9e4, 9e4]], np.zeros((3, 5, 2)), [1, 1, 1]
    )
    assert [each.live for each in Antispoof()(wall, outside)] == [False] * 3


def test_report_says_it_of_each_face_and_names_all_the_same(opened, sharp, portraits):
    recognizer = opened(liveness="report", gates="off")
    report = recognizer.add_customs("Obama", [sharp[0], portraits.obama2])
    assert report.added == {"Obama": 2}
    [note] = report.notes
    assert note.source == "picture 2" and "not sharp enough to tell whether it is live" in note.reason
    live, soft = (faces[0] for faces in recognizer.recognize([sharp[0], portraits.obama2]))
    assert (live.name, live.liveness.live) == ("Obama", True)
    assert (soft.name, soft.liveness.live) == ("Obama", False)
    mapping = json.loads(json.dumps([live.to_mapping(), soft.to_mapping()]))
    assert mapping[0]["liveness"]["live"] is True and mapping[0]["liveness"]["reason"] is None
    assert mapping[1]["liveness"]["reason"] == soft.liveness.reason


def test_require_calls_nobody_by_a_name_and_enrols_nobody_who_is_not_live(opened, sharp, portraits):
    recognizer = opened(liveness="require")
    report = recognizer.add_customs("Obama", [sharp[0], portraits.obama2])
    assert report.added == {"Obama": 1}
    assert [refusal.source for refusal in report.refused] == ["picture 2"]
    live, soft = (faces[0] for faces in recognizer.recognize([sharp[0], portraits.obama2]))
    assert live.name == "Obama"
    assert soft.name is None and soft.similarity >= recognizer.threshold and not soft.liveness.live
    with pytest.raises(NothingEnrolled, match="not sharp enough to tell whether it is live"):
        recognizer.add_customs("Biden", portraits.biden)
    assert recognizer.verify(sharp[0], portraits.obama2).same


def test_limits_of_the_settings_reach_the_network(opened, portraits, tmp_path):
    content = config.load(config.packaged("recognizer.yaml"))
    content |= {"liveness": "report", "liveness_options": {"min_sharpness": None, "max_score": None}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    [face] = opened(config=tmp_path / "mine.yaml").recognize(portraits.obama)
    assert face.liveness.live


def test_without_liveness_the_network_is_not_even_fetched(opened, portraits, monkeypatch):
    def never(threads):
        raise AssertionError("the network was loaded")

    monkeypatch.setattr(liveness, "_engine", never)
    recognizer = opened()
    recognizer.add_customs("Obama", portraits.obama)
    [face] = recognizer.recognize(portraits.obama)
    assert face.liveness is None and "liveness" not in face.to_mapping()
    with pytest.raises(AssertionError):
        opened(liveness="report")


def test_the_command_says_who_is_not_live(command_line, antispoof_files, sharp, portraits, tmp_path):
    cv2.imwrite(str(tmp_path / "soft.png"), portraits.obama2)
    cv2.imwrite(str(tmp_path / "sharp.png"), sharp[0])
    assert command_line("enroll", "Obama", tmp_path / "sharp.png", "--liveness", "require").exit_code == 0
    refused = command_line("enroll", "Obama", tmp_path / "soft.png", "--liveness", "require")
    assert refused.exit_code == 2 and "not sharp enough to tell" in refused.stderr
    table = command_line("recognize", tmp_path / "soft.png", tmp_path / "sharp.png", "--liveness", "report").stdout
    assert "Obama (not live)" in table and table.count("not live") == 1
    shown = command_line("recognize", tmp_path / "soft.png", "--liveness", "require", "--json")
    [face] = json.loads(shown.stdout)[0]["faces"]
    assert face["name"] is None and face["liveness"]["live"] is False
    assert command_line("verify", tmp_path / "soft.png", tmp_path / "sharp.png", "--liveness", "require").exit_code == 2
