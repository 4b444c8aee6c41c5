"""What an enrolment stores, what it refuses and what it says about it."""

import os
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import BadArgument, BadName, NothingEnrolled
from mtcnn import read_picture
from mtcnn.cascade import Mtcnn
from recognizer import Recognizer
from recognizer.forms import NamedPicture, as_list, facebank, people_and_pictures, picture_and_source
from recognizer.results import Refusal


def write(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)
    return path


def count(recognizer):
    return {person.name: person.count for person in recognizer.customs()}


def test_refused_pictures_are_reported_and_the_rest_stored(recognizer, portraits, tmp_path):
    letter = tmp_path / "letter.jpg"
    letter.write_text("Dear Sir or Madam")
    good = write(tmp_path / "good.png", portraits.obama)
    report = recognizer.add_customs(
        "Obama", [good, letter, tmp_path / "none.jpg", portraits.wall, portraits.obama2]
    )
    assert report.added == {"Obama": 2} and count(recognizer) == {"Obama": 2}
    reasons = {refusal.source: refusal.reason for refusal in report.refused}
    assert set(reasons) == {str(letter), str(tmp_path / "none.jpg"), "picture 4"}
    assert "unreadable" in reasons[str(letter)] and "No such picture" in reasons[str(tmp_path / "none.jpg")]
    assert reasons["picture 4"] == "no face found"
    assert {refusal.name for refusal in report.refused} == {"Obama"} and report.notes == []


def test_nothing_usable_stores_nothing_and_says_why(recognizer, portraits, tmp_path):
    with pytest.raises(
        NothingEnrolled, match="nothing was stored.*picture 1: no face found.*No such picture"
    ):
        recognizer.add_customs("Obama", [portraits.wall, tmp_path / "none.jpg"])
    with pytest.raises(NothingEnrolled, match="and 2 more"):
        recognizer.add_customs("Obama", [portraits.wall] * 5)
    assert recognizer.customs() == []


@pytest.mark.parametrize("imgs", [[], (), iter([])])
def test_no_pictures_at_all(recognizer, imgs):
    with pytest.raises(NothingEnrolled, match="Obama: no pictures given"):
        recognizer.add_customs("Obama", imgs)
    with pytest.raises(NothingEnrolled):
        recognizer.add_customs({})
    assert recognizer.customs() == []


def test_a_person_without_a_usable_picture_does_not_hold_up_the_others(recognizer, portraits):
    report = recognizer.add_customs({"Obama": portraits.obama, "Wall": portraits.wall, "Nobody": []})
    assert count(recognizer) == {"Obama": 1}
    assert report.refused == [
        Refusal("Wall", "picture 1", "no face found"),
        Refusal("Nobody", "", "no pictures given"),
    ]


def test_of_several_faces_the_most_prominent_is_taken_and_noted(recognizer, portraits):
    def busy(large, small):
        picture = np.full((300, 420, 3), 90, np.uint8)
        picture[20:280, 20:280] = large
        picture[170:290, 290:410] = cv2.resize(small, (120, 120))
        return picture

    people = {"Obama": portraits.obama, "Biden": portraits.biden}
    report = recognizer.add_customs(
        {"Obama": busy(portraits.obama, portraits.biden), "Biden": busy(portraits.biden, portraits.obama)}
    )
    assert [note.name for note in report.notes] == ["Obama", "Biden"] and report.refused == []
    for note in report.notes:
        assert note.source == "picture 1" and "2 faces; took the most prominent" in note.reason
    for name, picture in people.items():
        (face,) = recognizer.recognize(picture)
        assert face.name == name and face.similarity > 0.9


def test_a_face_too_small_to_be_known_again_is_refused(portraits, mobilefacenet_files, mtcnn_files):
    tiny = np.full((120, 120, 3), 90, np.uint8)
    tiny[40:72, 40:72] = cv2.resize(portraits.obama, (32, 32), interpolation=cv2.INTER_AREA)
    with Recognizer(database="sqlite://", detector=Mtcnn(mtcnn_files, min_face_size=12)) as recognizer:
        assert len(recognizer.detect(tiny)) == 1
        with pytest.raises(NothingEnrolled, match="too small: the eyes must be at least 10 pixels apart"):
            recognizer.add_customs("Obama", tiny)


def test_a_facebank_folder(recognizer, portraits, tmp_path):
    bank = tmp_path / "facebank"
    write(bank / "Barack Obama" / "1.png", portraits.obama)
    write(bank / "Barack Obama" / "2.JPG", portraits.obama2)
    write(bank / "Joe Biden" / "1.png", portraits.biden)
    write(bank / ".hidden" / "1.png", portraits.biden)
    write(bank / "lost.png", portraits.biden)
    (bank / "Barack Obama" / "notes.txt").write_text("not a picture")
    (bank / "Nobody").mkdir()
    report = recognizer.add_customs(bank)
    assert report.added == {"Barack Obama": 2, "Joe Biden": 1} == count(recognizer)
    assert report.refused == [Refusal("Nobody", "", "no pictures given")]
    assert recognizer.add_embds(str(bank)).added == {"Barack Obama": 2, "Joe Biden": 1}
    assert recognizer.update_customs(bank).added == {"Barack Obama": 2, "Joe Biden": 1}
    assert count(recognizer) == {"Barack Obama": 2, "Joe Biden": 1}


def test_a_facebank_without_people(tmp_path):
    with pytest.raises(NothingEnrolled, match="NAME/photo.jpg"):
        facebank(tmp_path)
    with pytest.raises(BadArgument, match="No such folder"):
        facebank(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
def test_a_facebank_without_permission(tmp_path):
    (tmp_path / "bank" / "Ann").mkdir(parents=True)
    (tmp_path / "bank" / "Ann").chmod(0)
    with pytest.raises(BadArgument, match="Ann cannot be read"):
        facebank(tmp_path / "bank")


def test_a_name_without_pictures_is_no_facebank(recognizer):
    for name in ("Obama", "x" * 5000, "a\0b", ""):
        with pytest.raises(BadArgument, match="is no facebank folder. Give a name and its pictures"):
            recognizer.add_customs(name)


def test_a_mapping_and_pictures_do_not_go_together(recognizer, portraits):
    with pytest.raises(BadArgument, match="one mapping"):
        recognizer.add_customs({"Obama": portraits.obama}, portraits.biden)


HOSTILE = [
    "Robert'); DROP TABLE persons;--", '"; DELETE FROM faces; --', "%", "_", "\\", "null", "None", "0",
    "\N{GREEK SMALL LETTER ALPHA}\N{CYRILLIC SMALL LETTER YA}", "\u5c0f\u660e", "\u0645\u0631\u064a\u0645",
    "\N{SMILING FACE WITH SUNGLASSES}", "e\u0301", "../../etc/passwd", "<script>alert(1)</script>", "n" * 255,
]  # fmt: skip


def test_names_of_every_kind_come_back_as_given(recognizer, portraits):
    aligned = recognizer.get_embd(portraits.obama)
    for name in HOSTILE:
        recognizer.add_customs(name, portraits.obama)
    names = {unicodedata.normalize("NFC", name) for name in HOSTILE}
    assert set(count(recognizer)) == names
    assert recognizer.recognize(portraits.obama)[0].name in names
    recognizer.add_embds(HOSTILE[0], aligned)
    assert count(recognizer)[HOSTILE[0]] == 2
    recognizer.del_customs(HOSTILE)
    assert recognizer.customs() == []


@pytest.mark.parametrize(
    "name", ["", "   ", "a\nb", "a\0b", "n" * 10_000, "\ud800", None, 5, b"Ann", ("Ann",)]
)
def test_a_name_that_is_none_stores_nothing_and_looks_at_no_picture(recognizer, portraits, name):
    def never(work, length):
        raise AssertionError("a picture was looked at")

    for given in ((name, portraits.obama), ({"Good": portraits.biden, name: portraits.obama}, None)):
        with pytest.raises(BadName) as caught:
            recognizer.add_customs(*given, progress=never)
        assert len(str(caught.value)) < 400
    assert recognizer.customs() == []
    for word in (recognizer.add_embds, recognizer.update_customs):
        with pytest.raises(BadName):
            word(name, portraits.obama)
    if name != ("Ann",):
        with pytest.raises(BadName):
            recognizer.del_customs(name)


def test_two_spellings_of_a_name_are_one_person(recognizer, portraits):
    recognizer.add_customs({"Jose\u0301": portraits.obama, " Jos\u00e9 ": portraits.obama2})
    assert count(recognizer) == {"Jos\u00e9": 2}


def test_sources_and_scores_are_kept_with_the_faces(recognizer, portraits, tmp_path):
    path = write(tmp_path / "good.png", portraits.obama)
    recognizer.add_customs("Obama", [path, portraits.obama2])
    faces = recognizer.gallery.faces("Obama")
    assert [face.source for face in faces] == [str(path), "picture 2"]
    assert all(0.7 < face.score <= 1 for face in faces)


def test_one_or_several_pictures_become_a_list():
    picture = np.zeros((4, 4, 3), np.uint8)
    for one in ("a.jpg", Path("a.jpg"), b"bytes", bytearray(b"x"), picture, None, 5):
        assert len(as_list(one)) == 1 and as_list(one)[0] is one
    for several in (
        ["a", "b"],
        ("a", "b"),
        (name for name in "ab"),
        np.zeros((2, 4, 4, 3), np.uint8),
        {"a", "b"},
    ):
        assert len(as_list(several)) == 2


def test_forms_become_names_and_pictures(tmp_path):
    assert people_and_pictures("Ann", "a.jpg") == [("Ann", ["a.jpg"])]
    assert people_and_pictures({"Ann": ["a.jpg"], "Bob": "b.jpg"}, None) == [
        ("Ann", ["a.jpg"]),
        ("Bob", ["b.jpg"]),
    ]
    assert people_and_pictures(str(tmp_path), ["a.jpg"]) == [
        (str(tmp_path), ["a.jpg"])
    ]  # a name may look like a path


def test_a_picture_without_a_path_is_called_by_its_place_and_one_with_a_name_by_that():
    assert picture_and_source(b"secret", 3) == (b"secret", "picture 3")
    assert picture_and_source(np.zeros((1, 1, 3)), 3)[1] == "picture 3"
    assert picture_and_source(Path("a") / "b.jpg", 3) == (Path("a") / "b.jpg", str(Path("a") / "b.jpg"))
    assert picture_and_source(NamedPicture(b"secret", "ann.jpg"), 3) == (b"secret", "ann.jpg")
    assert "secret" not in repr(NamedPicture(b"secret", "ann.jpg"))


@pytest.mark.parametrize("call", ["add_customs", "add_embds", "update_customs"])
def test_the_name_that_comes_with_a_picture_is_stored_and_reported_however_it_is_enrolled(recognizer, portraits, call):
    recognizer.add_customs("Obama", portraits.obama)
    named = [NamedPicture(portraits.obama2, "second.png"), NamedPicture(portraits.wall, "wall.png")]
    report = getattr(recognizer, call)("Obama", named)
    assert report.added == {"Obama": 1} and report.refused == [Refusal("Obama", "wall.png", "no face found")]
    assert recognizer.photos("Obama")[-1].source == "second.png"
    with pytest.raises(NothingEnrolled, match="wall.png: no face found") as caught:
        getattr(recognizer, call)("Obama", NamedPicture(portraits.wall, "wall.png"))
    assert caught.value.refused == report.refused


def test_a_report_tells_who_got_photos_as_they_are_since_then(recognizer, portraits):
    recognizer.add_customs({"Obama": portraits.obama, "Biden": portraits.biden})
    for report, counts in (
        (recognizer.add_customs("Obama", portraits.obama2), {"Obama": 2}),
        (recognizer.add_embds("Obama", recognizer.get_embd(portraits.obama3)), {"Obama": 3}),
        (recognizer.update_customs({"Obama": portraits.obama, "Biden": portraits.biden}), {"Biden": 1, "Obama": 1}),
    ):
        assert {person.name: person.count for person in report.people} == counts
        assert "people" not in report.to_mapping()


def test_messages_hold_no_embedding_and_no_pixels(recognizer, portraits):
    report = recognizer.add_customs("Obama", [portraits.obama, portraits.wall])
    (face,) = recognizer.recognize(read_picture(portraits.obama))
    for thing in (report, face, recognizer, recognizer.gallery.faces("Obama")):
        assert "array" not in repr(thing) and len(repr(thing)) < 400
