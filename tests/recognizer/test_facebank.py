"""Thousands of people from a folder: batches, resuming, two processes at once, and what is reported."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import db
from common.errors import BadArgument, DatabaseError, NothingEnrolled
from recognizer import Recognizer, facebank

SCRIPT = Path(__file__).with_name("enrol_process.py")
ROOT = Path(__file__).parents[2]
PEOPLE = 12


@pytest.fixture
def bank(portraits, tmp_path):
    """A facebank of PEOPLE people, of three different photos each; some of them share a face, which does not matter."""
    for number in range(PEOPLE):
        folder = tmp_path / "bank" / f"person {number:02}"
        folder.mkdir(parents=True)
        for shift, name in enumerate(("obama", "obama2", "biden")):
            picture = np.roll(getattr(portraits, name), 3 * number + shift, axis=1)
            cv2.imwrite(str(folder / f"{name}.jpg"), picture)
    return tmp_path / "bank"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(facebank, "BATCH", 4)


def counts(recognizer):
    return {person.name: person.count for person in recognizer.customs()}


def everyone():
    return {f"person {number:02}": 3 for number in range(PEOPLE)}


def check_templates(url):
    """Every template is the mean of the stored photos, and the digests are those of the rows."""
    with db.open(url) as database:
        gallery = database.find("default")
        with gallery.scan() as (state, pieces):
            [rows] = list(pieces) or [db.Rows(np.zeros(0, np.int64), np.zeros((0, 192)), np.zeros(0, np.int64))]
        assert db.vectors.total(rows.digests.tolist()) == state.digest
        names = gallery.names(rows.ids)
        for person_id, template in zip(rows.ids.tolist(), rows.vectors):
            photos = np.stack([face.embedding for face in gallery.faces(names[person_id])]).astype(np.float64)
            assert np.abs(template - photos.mean(axis=0)).max() < 1e-6


def test_everyone_is_enrolled_and_recognised(recognizer, bank):
    report = recognizer.add_facebank(bank)
    assert report.added == everyone() == counts(recognizer)
    assert report.refused == [] and report.seen == 0
    [face] = recognizer.recognize(bank / "person 03" / "obama.jpg")
    assert face.name is not None


def test_doing_it_again_adds_only_what_is_new(recognizer, bank, portraits):
    recognizer.add_facebank(bank)
    before = recognizer.photos("person 00")
    cv2.imwrite(str(bank / "person 00" / "new.jpg"), portraits.obama3)
    report = recognizer.add_facebank(bank)
    assert report.added == {"person 00": 1} and report.seen == 3 * PEOPLE
    assert recognizer.photos("person 00")[:3] == before
    assert counts(recognizer) == everyone() | {"person 00": 4}
    assert recognizer.add_facebank(bank).added == {}


def test_two_copies_of_a_photo_count_once(recognizer, bank):
    photo = (bank / "person 00" / "obama.jpg").read_bytes()
    (bank / "person 00" / "copy.jpg").write_bytes(photo)
    recognizer.add_facebank(bank)
    assert counts(recognizer) == everyone()


def test_what_cannot_be_used_is_reported_and_the_rest_stored(recognizer, bank, portraits):
    cv2.imwrite(str(bank / "person 01" / "wall.jpg"), portraits.wall)
    (bank / "person 02" / "letter.jpg").write_text("Dear Sir or Madam")
    (bank / "nobody").mkdir()
    (bank / "line\nbreak").mkdir()
    report = recognizer.add_facebank(bank)
    assert report.added == everyone()
    reasons = {(refusal.name, Path(refusal.source).name): refusal.reason for refusal in report.refused}
    assert reasons["person 01", "wall.jpg"] == "no face found"
    assert "unreadable" in reasons["person 02", "letter.jpg"]
    assert "no pictures" in reasons["nobody", ""] and "control characters" in reasons["line\nbreak", ""]
    assert len(reasons) == 4


def test_a_folder_without_any_usable_photo_is_an_error(recognizer, tmp_path, portraits):
    (tmp_path / "bank" / "Ann").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "bank" / "Ann" / "wall.jpg"), portraits.wall)
    with pytest.raises(NothingEnrolled, match="no face found"):
        recognizer.add_facebank(tmp_path / "bank")
    with pytest.raises(BadArgument, match="No such folder"):
        recognizer.add_facebank(tmp_path / "none")
    assert recognizer.customs() == []


def test_what_another_process_was_faster_with_counts_as_enrolled_already(recognizer, bank, monkeypatch):
    recognizer.add_facebank(bank)
    monkeypatch.setattr(type(recognizer.gallery), "pictures", lambda gallery, names: {})
    told = []
    report = recognizer.add_facebank(bank, stored=told.append)
    assert report.added == {} and report.seen == 3 * PEOPLE and told == []
    assert counts(recognizer) == everyone()


def test_progress_counts_every_photo(recognizer, bank):
    seen = []

    def progress(items, total):
        for item in items:
            seen.append(total)
            yield item

    recognizer.add_facebank(bank, progress=progress)
    assert seen == [3 * PEOPLE] * 3 * PEOPLE


def test_a_database_that_fails_in_the_middle_ends_it_with_one_error_and_whole_batches(recognizer, bank, monkeypatch):
    stored, calls = type(recognizer.gallery).add_unseen, []

    def failing(gallery, faces):
        calls.append(faces)
        if len(calls) == 3:
            raise DatabaseError("gone")
        return stored(gallery, faces)

    monkeypatch.setattr(type(recognizer.gallery), "add_unseen", failing)
    told = {}
    with pytest.raises(DatabaseError, match="gone"):
        recognizer.add_facebank(bank, stored=told.update)
    assert set(counts(recognizer).values()) == {3} and len(counts(recognizer)) == 2
    assert told == counts(recognizer)
    monkeypatch.undo()
    recognizer.add_facebank(bank)
    assert counts(recognizer) == everyone()


def test_crops_are_kept_on_request_and_are_what_was_embedded(mobilefacenet_files, bank):
    with Recognizer(database="sqlite://", store_crops=True) as keeping:
        keeping.add_facebank(bank)
        keeping.add_customs("single", bank / "person 00" / "obama.jpg")
        for name in ("person 04", "single"):
            for face in keeping.gallery.faces(name):
                crop = cv2.imdecode(np.frombuffer(face.crop, np.uint8), cv2.IMREAD_COLOR)
                assert crop.shape == (112, 112, 3)
                assert np.dot(keeping.model.embed(crop[None])[0], face.embedding) > 0.9999
    with Recognizer(database="sqlite://") as forgetting:
        forgetting.add_facebank(bank)
        assert not any(photo.has_crop for photo in forgetting.photos("person 04"))


@pytest.fixture
def start(tmp_path):
    """Starts an enrolment of the bank in a process of its own."""
    started = []

    def run(url, bank):
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, SCRIPT, url, bank], stdout=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_killed_at_random_moments_and_resumed_nothing_is_doubled_or_halved(start, bank, shared_url):
    url, draw = shared_url, random.Random(5)
    for _ in range(3):
        process = start(url, bank)
        assert process.stdout.readline() == "ready\n"
        for _ in range(draw.randint(1, 3)):
            process.stdout.readline()
        time.sleep(draw.uniform(0, 0.03))
        process.kill()
        process.wait()
        with db.open(url) as database:
            persons = database.find("default").people()
        assert persons and all(person.count == 3 for person in persons)
        check_templates(url)
    with Recognizer(database=url) as recognizer:
        recognizer.add_facebank(bank)
        assert counts(recognizer) == everyone()
    check_templates(url)


def test_two_processes_at_the_same_folder_double_nothing(start, bank, shared_url):
    url = shared_url
    processes = [start(url, bank) for _ in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    with Recognizer(database=url) as recognizer:
        assert counts(recognizer) == everyone()
    check_templates(url)


def test_the_command_goes_on_and_says_what_was_there(command_line, bank, portraits, mtcnn_files, mobilefacenet_files):
    assert command_line("enroll-folder", bank).exit_code == 0
    cv2.imwrite(str(bank / "person 01" / "wall.jpg"), portraits.wall)
    again = command_line("enroll-folder", bank, "--json")
    report = json.loads(again.stdout)
    assert again.exit_code == 0 and report["added"] == {} and report["seen"] == 3 * PEOPLE
    assert "wall.jpg: not used: no face found" in again.stderr
    text = command_line("enroll-folder", bank)
    assert f"{3 * PEOPLE} photos were enrolled already" in text.stderr and "1 of 37 photos" in text.stderr
