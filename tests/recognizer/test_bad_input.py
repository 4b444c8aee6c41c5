"""Whatever is handed to the recognizer in place of a picture: one clear error, nothing by halves."""

import cv2
import numpy as np
import pytest

import db
from common.errors import BadName, BadPicture, FaceError, NoFace, NothingEnrolled
from recognizer import Recognizer

TEXT = b"Dear Sir or Madam,\n" * 50


@pytest.fixture
def bad(tmp_path, portraits):
    """By name, things that are no picture."""
    whole = cv2.imencode(".jpg", portraits.obama)[1].tobytes()
    files = {"empty.jpg": b"", "letter.jpg": TEXT, "cut.jpg": whole[: len(whole) // 2]}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return {
        "missing": tmp_path / "none.jpg",
        "folder": tmp_path,
        "empty file": tmp_path / "empty.jpg",
        "text renamed": tmp_path / "letter.jpg",
        "truncated": tmp_path / "cut.jpg",
        "truncated bytes": whole[: len(whole) // 2],
        "no bytes": b"",
        "float array": portraits.obama.astype(np.float32),
        "empty array": np.zeros((0, 0, 3), np.uint8),
        "six channels": np.zeros((8, 8, 6), np.uint8),
        "too large": np.zeros((1, 40_000, 3), np.uint8),
        "number": 5,
        "nothing": None,
    }


KINDS = [
    "missing", "folder", "empty file", "text renamed", "truncated", "truncated bytes", "no bytes",
    "float array", "empty array", "six channels", "too large", "number", "nothing",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_looking_at_it_is_one_clear_error(recognizer, portraits, bad, kind):
    words = [recognizer.recognize, recognizer.detect, recognizer.align_face, recognizer.get_embd]
    words.append(lambda img: recognizer.verify(portraits.obama, img))
    words.append(lambda img: recognizer.verify(img, portraits.obama))
    words.append(lambda img: recognizer.recognize([portraits.obama, img]))
    for word in words:
        with pytest.raises(BadPicture) as caught:
            word(bad[kind])
        assert 10 < len(str(caught.value)) < 500


@pytest.mark.parametrize("kind", KINDS)
def test_enrolling_it_stores_nothing(recognizer, portraits, bad, kind):
    recognizer.add_customs("Obama", portraits.obama)
    if bad[kind] is not None:
        for word in (recognizer.add_customs, recognizer.update_customs):
            with pytest.raises(NothingEnrolled):
                word("Obama", bad[kind])
        with pytest.raises(FaceError):
            recognizer.add_embds("Obama", bad[kind])
    report = recognizer.add_customs({"Biden": [bad[kind], portraits.biden]})
    assert report.added == {"Biden": 1} and len(report.refused) == 1
    assert [(person.name, person.count) for person in recognizer.customs()] == [("Biden", 1), ("Obama", 1)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (5, 5), (111, 112)])
def test_a_picture_too_small_for_a_face_has_none(recognizer, shape):
    picture = np.full((*shape, 3), 128, np.uint8)
    assert recognizer.recognize(picture) == []
    assert recognizer.get_embd(picture).shape == (0, 192)
    with pytest.raises(NoFace):
        recognizer.verify(picture, picture)
    with pytest.raises(NothingEnrolled):
        recognizer.add_customs("Pixel", picture)


def test_every_kind_of_pixel_gives_the_same_person(recognizer, portraits):
    recognizer.add_customs("Obama", [portraits.obama, portraits.obama3])
    bgr = portraits.obama2
    opaque = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    kinds = {
        "16 bit": bgr.astype(np.uint16) * 257,
        "alpha": opaque,
        "grey": cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY),
        "png 16 bit": cv2.imencode(".png", bgr.astype(np.uint16) * 257)[1].tobytes(),
        "png alpha": cv2.imencode(".png", opaque)[1].tobytes(),
        "view": np.ascontiguousarray(bgr[:, ::-1])[:, ::-1],
    }
    for kind, picture in kinds.items():
        assert [face.name for face in recognizer.recognize(picture)] == ["Obama"], kind


@pytest.mark.parametrize("names", [None, 5, 1.5, [None], [5], [["Obama"]], {"Obama": 1}.values()])
def test_deleting_what_is_no_name_deletes_nobody(recognizer, portraits, names):
    recognizer.add_customs("Obama", portraits.obama)
    with pytest.raises(BadName):
        recognizer.del_customs(names)
    assert len(recognizer.customs()) == 1


def test_a_failed_write_stores_nothing(recognizer, portraits, monkeypatch):
    """The network breaks half-way: an embedding of one person is not a number."""
    embed = recognizer.model.embed

    def broken(aligned):
        rows = embed(aligned).copy()
        rows[-1] = np.nan
        return rows

    monkeypatch.setattr(recognizer.model, "embed", broken)
    with pytest.raises(FaceError, match="NaN"):
        recognizer.add_customs({"Obama": portraits.obama, "Biden": portraits.biden})
    assert recognizer.customs() == []


def test_a_gallery_of_another_model_leaves_no_connection_open(mobilefacenet_files, mtcnn_files, tmp_path):
    url = f"sqlite:///{tmp_path / 'people.db'}"
    with db.open(url) as database:
        database.gallery("default", "other", "0" * 64, 7)
    for _ in range(30):
        with pytest.raises(FaceError, match="other"):
            Recognizer(database=url)
