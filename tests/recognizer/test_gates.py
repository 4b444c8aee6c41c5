"""Which photos enrolment refuses, stores with a note, or stores, by their quality."""

import json

import cv2
import numpy as np
import pytest

from common.errors import BadConfig, NothingEnrolled
from recognizer import Recognizer


@pytest.fixture(scope="session")
def blurred(portraits):
    """A portrait in which the detector still finds the face."""
    return cv2.GaussianBlur(portraits.obama, (0, 0), 7)


@pytest.fixture
def opened(mobilefacenet_files, mtcnn_files):
    """A function that opens a recognizer with nobody in it; they are closed at the end."""
    made = []

    def opened(**given):
        made.append(Recognizer(**{"database": "sqlite://", **given}))
        return made[-1]

    yield opened
    for each in made:
        each.close()


def count(recognizer):
    return {person.name: person.count for person in recognizer.customs()}


def test_a_poor_photo_is_refused_with_number_limit_and_advice_and_the_rest_stored(recognizer, portraits, blurred):
    report = recognizer.add_customs("Obama", [portraits.obama, blurred])
    assert report.added == {"Obama": 1} == count(recognizer) and report.notes == []
    [refusal] = report.refused
    assert (refusal.name, refusal.source) == ("Obama", "picture 2")
    assert refusal.reason.startswith("not sharp (sharpness 0.0") and "at least 0.1" in refusal.reason
    assert refusal.reason.endswith("Hold still until the picture is sharp.")


def test_where_only_poor_photos_are_left_nothing_is_stored_and_what_was_there_stays(recognizer, portraits, blurred):
    with pytest.raises(NothingEnrolled, match="nothing was stored. picture 1: not sharp"):
        recognizer.add_customs("Obama", blurred)
    assert recognizer.customs() == []
    recognizer.add_customs("Obama", portraits.obama)
    for word in (recognizer.add_embds, recognizer.update_customs):
        with pytest.raises(NothingEnrolled, match="not sharp"):
            word("Obama", blurred)
    assert count(recognizer) == {"Obama": 1}


def test_report_stores_a_poor_photo_with_a_note_and_off_without(opened, blurred):
    reporting, silent = opened(gates="report"), opened(gates="off")
    [note] = reporting.add_customs("Obama", blurred).notes
    assert note.reason.startswith("not sharp") and count(reporting) == {"Obama": 1}
    report = silent.add_customs("Obama", blurred)
    assert report.notes == report.refused == [] and count(silent) == {"Obama": 1}


def test_a_note_of_quality_stands_beside_that_of_which_face_was_taken(opened, portraits, blurred):
    picture = np.full((300, 420, 3), 90, np.uint8)
    picture[20:280, 20:280] = blurred
    picture[170:290, 290:410] = cv2.resize(portraits.biden, (120, 120))
    report = opened(gates="report").add_customs("Obama", picture)
    assert [note.reason[:10] for note in report.notes] == ["2 faces; t", "not sharp "]


def test_only_the_face_that_is_taken_has_to_be_good(recognizer, portraits, blurred):
    picture = np.full((300, 420, 3), 90, np.uint8)
    picture[20:280, 20:280] = portraits.obama
    picture[170:290, 290:410] = cv2.resize(blurred, (120, 120))
    assert recognizer.add_customs("Obama", picture).added == {"Obama": 1}


def test_a_facebank_is_asked_the_same(opened, portraits, blurred, tmp_path):
    folder = tmp_path / "bank" / "Obama"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "good.png"), portraits.obama)
    cv2.imwrite(str(folder / "poor.png"), blurred)
    asking, reporting = opened(), opened(gates="report")
    report = asking.add_facebank(tmp_path / "bank")
    assert report.added == {"Obama": 1} and report.refused[0].source == str(folder / "poor.png")
    report = reporting.add_facebank(tmp_path / "bank")
    assert report.added == {"Obama": 2} and report.notes[0].reason.startswith("not sharp")


def test_limits_of_the_settings_are_those_that_are_asked(opened, portraits, tmp_path):
    text = (
        "model: mobilefacenet\ndetector: mtcnn\ndetector_options: {}\ndatabase: 'sqlite://'\ngallery: default\n"
        "threshold: null\ndevice: auto\nprecision: f32\nthreads: null\nquality: {min_size: 1000}\n"
    )
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(NothingEnrolled, match=r"face too small \(\d+ pixels; at least 1000\). Come closer"):
        opened(config=tmp_path / "mine.yaml").add_customs("Obama", portraits.obama)


def test_the_gates_can_be_asked_before_anything_is_enrolled(recognizer, portraits, blurred):
    good, poor = (recognizer.gates.judge(each, recognizer.detect(each), 0) for each in (portraits.obama, blurred))
    assert good.refusal is None and good.notes == () and poor.refusal.startswith("not sharp")
    assert recognizer.customs() == []


def test_recognising_asks_nothing_of_the_quality(recognizer, portraits, blurred):
    recognizer.add_customs("Obama", portraits.obama)
    [face] = recognizer.recognize(blurred)
    assert face.similarity > 0.1


def test_the_command_refuses_notes_or_stores(command_line, mobilefacenet_files, mtcnn_files, blurred, tmp_path):
    cv2.imwrite(str(tmp_path / "poor.png"), blurred)
    refused = command_line("enroll", "Obama", tmp_path / "poor.png")
    assert refused.exit_code == 2 and "not sharp" in refused.stderr
    noted = command_line("enroll", "Obama", tmp_path / "poor.png", "--gates", "report", "--json")
    assert noted.exit_code == 0 and "note: " in noted.stderr
    assert json.loads(noted.stdout)["notes"][0]["reason"].startswith("not sharp")
    stored = command_line("enroll", "Obama", tmp_path / "poor.png", "--gates", "off")
    assert stored.exit_code == 0 and "not sharp" not in stored.stderr


def test_a_choice_that_is_none_is_named(mobilefacenet_files):
    for key in ("gates", "duplicates", "liveness"):
        with pytest.raises(BadConfig, match=f"{key} must be one of"):
            Recognizer(database="sqlite://", **{key: "maybe"})
