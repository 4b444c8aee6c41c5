"""Photos that are as near to somebody else as photos of one person are: noted, and stored all the same."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

import db
import networks
from common.errors import BadArgument, DatabaseError
from db import Face, Threshold
from recognizer import Recognizer, duplicates, facebank
from recognizer.duplicates import Duplicates
from recognizer.index import GalleryIndex

SAID = "as photos of one person are"


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


def said(report):
    return [(note.name, note.source) for note in report.notes if SAID in note.reason]


def count(recognizer):
    return {person.name: person.count for person in recognizer.customs()}


def test_somebody_under_a_second_name_is_noted_with_the_first_and_stored(recognizer, portraits):
    recognizer.add_customs("Barack Obama", [portraits.obama, portraits.obama2])
    report = recognizer.add_customs("Barry", [portraits.obama3, portraits.biden])
    assert said(report) == [("Barry", "picture 1")] and report.refused == []
    similarity = recognizer.get_embd(portraits.obama3)[0] @ networks.network.normalise(
        sum(recognizer.get_embd(each) for each in (portraits.obama, portraits.obama2))
    )[0]  # fmt: skip
    assert "'Barack Obama'" in report.notes[0].reason and f"similarity {similarity:.3f}" in report.notes[0].reason
    assert f"threshold {recognizer.threshold:g}" in report.notes[0].reason
    assert count(recognizer) == {"Barack Obama": 2, "Barry": 2}


def test_more_photos_of_the_same_person_and_other_people_are_not_noted(recognizer, portraits):
    recognizer.add_customs({"Obama": portraits.obama, "Biden": portraits.biden})
    for report in (
        recognizer.add_customs("Obama", [portraits.obama2, portraits.obama3]),
        recognizer.add_embds("Obama", portraits.obama2),
        recognizer.update_customs("Obama", portraits.obama),
    ):
        assert said(report) == []


@pytest.mark.parametrize("matching", ["template", "photo"])
def test_a_photo_that_is_nearer_to_its_own_person_is_noted_as_well(opened, portraits, matching):
    recognizer = opened(matching=matching)
    recognizer.add_customs({"Obama": [portraits.obama, portraits.obama2], "Barry": portraits.obama3})
    report = recognizer.add_customs("Obama", portraits.obama)
    assert said(report) == [("Obama", "picture 1")] and "'Barry'" in report.notes[0].reason


def test_two_names_of_one_call_are_compared_as_well(recognizer, portraits):
    report = recognizer.add_customs({"Barry": portraits.obama, "Barack": portraits.obama2, "Biden": portraits.biden})
    assert said(report) == [("Barry", "picture 1"), ("Barack", "picture 1")]
    assert "'Barack'" in report.notes[0].reason and "'Barry'" in report.notes[1].reason


def test_ready_embeddings_and_replacements_are_compared(recognizer, portraits):
    recognizer.add_customs({"Obama": portraits.obama, "Biden": portraits.biden})
    embedding = recognizer.get_embd(portraits.obama2)
    assert said(recognizer.add_embds("Biden", embedding)) == [("Biden", "embedding 1")]
    assert said(recognizer.update_customs("Biden", portraits.obama3)) == [("Biden", "picture 1")]


def test_a_later_batch_of_a_facebank_is_compared_with_the_earlier_ones(recognizer, portraits, tmp_path, monkeypatch):
    monkeypatch.setattr(facebank, "BATCH", 1)
    for name, photo in (("Ann", portraits.obama), ("Bob", portraits.biden), ("Carl", portraits.obama2)):
        (tmp_path / "bank" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "bank" / name / "photo.png"), photo)
    report = recognizer.add_facebank(tmp_path / "bank")
    assert said(report) == [("Carl", str(tmp_path / "bank" / "Carl" / "photo.png"))]
    assert "'Ann'" in report.notes[0].reason and count(recognizer) == {"Ann": 1, "Bob": 1, "Carl": 1}
    assert said(recognizer.add_facebank(tmp_path / "bank")) == []  # all are enrolled already


def test_whoever_another_process_enrolled_just_now_is_known(opened, portraits, tmp_path):
    first, second = (opened(database=f"sqlite:///{tmp_path}/people.db") for _ in range(2))
    assert said(second.add_customs("Biden", portraits.biden)) == []
    first.add_customs("Obama", portraits.obama)
    assert said(second.add_customs("Barry", portraits.obama2)) == [("Barry", "picture 1")]


@pytest.fixture
def gallery():
    """A gallery of 40 people, of whom some are alike, and their embeddings."""
    draw = np.random.default_rng(8)
    rows = draw.normal(size=(40, 16)) + 1.5 * draw.normal(size=(8, 16))[np.arange(40) % 8]
    rows = networks.network.normalise(rows)
    with db.open("sqlite://") as database:
        made = database.gallery("default", "tiny", "0" * 64, 16)
        made.add_many({f"person {number}": [Face(row)] for number, row in enumerate(rows)})
        index = GalleryIndex(database, made)
        yield index, made, rows
        index.close()


@pytest.mark.parametrize("block", [1024, 3])
def test_everybody_who_is_near_enough_is_found_and_nobody_else(gallery, monkeypatch, block):
    monkeypatch.setattr(duplicates, "BLOCK", block)
    index, made, rows = gallery
    draw, threshold = np.random.default_rng(9), 0.9
    people = [f"person {number}" for number in draw.integers(0, 50, 30)]  # some are new
    photos = networks.network.normalise(draw.normal(size=(30, 16)) + 8 * rows[draw.integers(0, 40, 30)])
    expected = {}
    for number, (person, photo) in enumerate(zip(people, photos)):
        others = {f"person {other}": float(photo @ row) for other, row in enumerate(rows)}
        for name in set(people):
            mean = sum(each for each, of in zip(photos, people) if of == name)
            others[name] = max(others.get(name, -1), float(photo @ mean / np.linalg.norm(mean)))
        others.pop(person)
        name = max(others, key=others.get)
        if others[name] >= threshold:
            expected[number] = (name, f"{others[name]:.3f}")
    sources = [str(number) for number in range(30)]
    notes = Duplicates(index, made, lambda: Threshold(threshold, None), "always").notes(people, sources, photos)
    found = {
        int(note.source): (note.reason.split("'")[1], note.reason.split("similarity ")[1].split(",")[0])
        for note in notes
    }
    assert 5 < len(expected) < 30 and found == expected


def test_auto_looks_where_it_is_cheap_and_never_does_not(gallery, monkeypatch):
    index, made, rows = gallery
    given = (["Somebody"], ["photo"], rows[:1])

    def number(when):
        return len(Duplicates(index, made, lambda: Threshold(0.5, None), when).notes(*given))

    assert number("never") == 0
    monkeypatch.setattr(duplicates, "AUTO_UP_TO", 39)
    assert number("auto") == 0 and not index.is_loaded
    monkeypatch.setattr(duplicates, "AUTO_UP_TO", 40)
    assert number("auto") == 1 and index.is_loaded
    monkeypatch.setattr(duplicates, "AUTO_UP_TO", 39)
    assert number("auto") == 1 == number("always")


def test_the_setting_reaches_the_enrolment(opened, portraits):
    recognizer = opened(duplicates="never")
    recognizer.add_customs("Obama", portraits.obama)
    assert said(recognizer.add_customs("Barry", portraits.obama)) == []


def test_an_index_that_fails_is_logged_and_hinders_no_enrolment(recognizer, portraits, monkeypatch, caplog):
    recognizer.add_customs("Obama", portraits.obama)

    def failing(index, queries, number):
        raise DatabaseError("Milvus is gone.")

    monkeypatch.setattr(GalleryIndex, "search", failing)
    assert recognizer.add_customs("Barry", portraits.obama2).added == {"Barry": 1}
    assert "not compared with the other people: Milvus is gone." in caplog.text


def test_where_nobody_measured_a_threshold_enrolling_goes_on_without_notes(
    opened, mobilefacenet_files, portraits, tmp_path
):
    (tmp_path / "mine.tflite").write_bytes(mobilefacenet_files["model"].read_bytes())
    card = replace(networks.load("mobilefacenet").card, threshold=None)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card.to_mapping()))
    recognizer = opened(model=tmp_path / "mine.tflite")
    recognizer.add_customs("Obama", portraits.obama)
    report = recognizer.add_customs("Barry", portraits.obama)
    assert report.added == {"Barry": 1} and report.notes == []
    with pytest.raises(BadArgument):
        _ = recognizer.threshold


def test_nothing_is_stored_by_comparing(recognizer, portraits):
    recognizer.add_customs("Obama", portraits.obama)
    before = recognizer.gallery.state().revision
    recognizer.enroller.duplicates.notes(["Barry"], ["photo"], recognizer.get_embd(portraits.obama))
    assert recognizer.gallery.state().revision == before and count(recognizer) == {"Obama": 1}


def test_the_command_says_it(command_line, mobilefacenet_files, mtcnn_files, portraits, tmp_path):
    for name in ("obama", "obama2"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), getattr(portraits, name))
    command_line("enroll", "Barack", tmp_path / "obama.png")
    again = command_line("enroll", "Barry", tmp_path / "obama2.png")
    assert again.exit_code == 0 and "note: " in again.stderr and "as near to 'Barack'" in again.stderr
    silent = command_line("enroll", "Bar", tmp_path / "obama2.png", "--duplicates", "never")
    assert silent.exit_code == 0 and "as near" not in silent.stderr
