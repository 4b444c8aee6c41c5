"""Photos over REST: what each is called, what becomes of it, and that the old ones stay where new ones are no good."""

import numpy as np
import pytest

from db import Face
from mtcnn import read_picture


@pytest.fixture
def ann(service, pictures):
    """The service, with Ann."""
    assert service.enrol("Ann", ("ann1.png", pictures.obama), ("ann2.png", pictures.obama2)).status_code == 201
    return service


def gallery_of(service):
    return service.services.database.find(service.gallery)


def test_a_photo_that_cannot_be_used_is_named_with_the_reason_and_the_others_are_stored(service, pictures):
    damaged = pictures.biden[:2000]
    done = service.enrol("Ann", ("a.png", pictures.obama), ("wall.png", pictures.wall), ("cut.png", damaged)).json()
    assert done["added"] == {"Ann": 1}
    reasons = {refusal["source"]: refusal["reason"] for refusal in done["refused"]}
    assert reasons["wall.png"] == "no face found" and reasons["cut.png"].startswith("unreadable")
    assert [photo["source"] for photo in service.photos("Ann")] == ["a.png"]


def test_where_no_photo_can_be_used_nothing_is_stored_and_each_reason_is_told(service, pictures):
    refused = service.enrol("Ann", ("wall.png", pictures.wall))
    assert (refused.status_code, refused.json()["code"]) == (422, "nothing_enrolled")
    assert refused.json()["details"] == {"refused": [{"source": "wall.png", "reason": "no face found"}]}
    assert "wall.png: no face found" in refused.json()["message"] and service.names() == []


def test_averaging_and_replacing_want_somebody_who_is_there(service, pictures):
    for mode in ("average", "replace"):
        refused = service.enrol("Ann", pictures.obama, mode=mode)
        assert (refused.status_code, refused.json()["code"]) == (404, "unknown_person")
    assert service.names() == []


def test_averaging_adds_to_the_photos_that_are_there(ann, pictures):
    done = ann.enrol("Ann", ("ann3.png", pictures.obama3), mode="average").json()
    assert done["person"]["photos"] == 3
    assert [photo["source"] for photo in ann.photos("Ann")] == ["ann1.png", "ann2.png", "ann3.png"]


def test_replaced_photos_are_gone_and_stay_where_the_new_ones_are_no_good(ann, pictures):
    before = ann.photos("Ann")
    assert ann.enrol("Ann", pictures.wall, mode="replace").status_code == 422
    assert ann.photos("Ann") == before
    assert ann.enrol("Ann", ("new.png", pictures.biden), mode="replace").json()["person"]["photos"] == 1
    assert [photo["source"] for photo in ann.photos("Ann")] == ["new.png"]
    assert ann.search(pictures.biden) == ["Ann"] and ann.search(pictures.obama3) == [None]


def test_ready_embeddings_are_averaged_in_and_only_so(ann, pictures):
    embeddings = np.random.default_rng(1).normal(size=(2, gallery_of(ann).dimension))
    body = {"embeddings": embeddings.tolist()}
    assert ann.ask("POST", "people/Ann/photos", {"mode": "add"}, json=body).status_code == 422
    assert ann.ask("POST", "people/Eve/photos", {"mode": "average"}, json=body).json()["code"] == "unknown_person"
    done = ann.ask("POST", "people/Ann/photos", {"mode": "average"}, json=body).json()
    assert done["added"] == {"Ann": 2} and done["person"]["photos"] == 4
    stored = np.stack([face.embedding for face in gallery_of(ann).faces("Ann")[2:]])
    expected = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(stored, expected, atol=1e-6)


@pytest.mark.parametrize(
    "body", [{}, {"embeddings": []}, {"embeddings": [[1.0, 2.0]]}, {"embeddings": [[1.0], ["x"]]}, {"embedding": 1}]
)
def test_embeddings_that_cannot_be_used_are_refused_and_nothing_is_stored(ann, body):
    refused = ann.ask("POST", "people/Ann/photos", {"mode": "average"}, json=body)
    assert refused.status_code == 422 and len(ann.photos("Ann")) == 2


def test_the_photo_of_somebody_else_is_the_least_similar_to_the_others(ann, pictures):
    ann.enrol("Ann", ("ann3.png", pictures.obama3), ("stranger.png", pictures.biden))
    page = ann.ask("GET", "people/Ann/photos", {"similarities": True}).json()["photos"]
    rows = np.stack([face.embedding for face in gallery_of(ann).faces("Ann")]).astype(np.float64)
    for number, photo in enumerate(page):
        mean = np.delete(rows, number, axis=0).mean(axis=0)
        expected = rows[number] @ mean / np.linalg.norm(rows[number]) / np.linalg.norm(mean)
        assert photo["similarity"] == pytest.approx(expected, abs=1e-3)
    assert min(page, key=lambda photo: photo["similarity"])["source"] == "stranger.png"


def test_a_single_photo_has_no_others_to_be_similar_to(service, pictures):
    service.enrol("Ann", pictures.obama)
    [photo] = service.ask("GET", "people/Ann/photos", {"similarities": True}).json()["photos"]
    assert photo["similarity"] is None


def test_pages_of_photos_follow_each_other(service):
    faces = [
        Face(row / np.linalg.norm(row)) for row in np.eye(5, gallery_of(service).dimension, dtype=np.float32) + 0.1
    ]
    gallery_of(service).add("Ann", faces)
    first = service.ask("GET", "people/Ann/photos", {"limit": 3}).json()
    second = service.ask("GET", "people/Ann/photos", {"limit": 3, "cursor": first["next_cursor"]}).json()
    assert [photo["id"] for photo in first["photos"] + second["photos"]] == [
        photo.id for photo in gallery_of(service).photos("Ann")
    ]
    assert second["next_cursor"] is None


def test_the_crop_is_the_aligned_face_that_was_embedded(ann):
    [first, _] = ann.photos("Ann")
    answer = ann.ask("GET", f"people/Ann/photos/{first['id']}/crop")
    assert answer.headers["content-type"] == "image/png" and "no-store" in answer.headers["cache-control"]
    crop = read_picture(answer.content)
    assert crop.shape == (112, 112, 3)
    model = ann.services.recognizers.of(ann.gallery).model
    [stored, _] = gallery_of(ann).faces("Ann")
    assert model.embed(crop[None])[0] @ stored.embedding > 0.9999


def test_there_is_no_crop_where_none_was_kept_or_the_photo_is_somebody_elses(ann, pictures):
    dimension = gallery_of(ann).dimension
    gallery_of(ann).add("Bob", [Face(np.eye(1, dimension, dtype=np.float32)[0])])
    [bobs] = ann.photos("Bob")
    for path in (f"people/Bob/photos/{bobs['id']}/crop", f"people/Bob/photos/{ann.photos('Ann')[0]['id']}/crop"):
        answer = ann.ask("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_photo")


def test_one_photo_is_forgotten_but_never_the_last_or_one_of_somebody_else(ann, pictures):
    ann.enrol("Bob", pictures.biden)
    first, second = (photo["id"] for photo in ann.photos("Ann"))
    refused = ann.ask("DELETE", f"people/Bob/photos/{first}")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_photo")
    assert ann.ask("DELETE", f"people/Ann/photos/{first}").json()["photos"] == 1
    last = ann.ask("DELETE", f"people/Ann/photos/{second}")
    assert (last.status_code, last.json()["code"]) == (422, "bad_argument")
    assert [photo["id"] for photo in ann.photos("Ann")] == [second] and len(ann.photos("Bob")) == 1


def test_forgetting_all_photos_forgets_the_person_and_can_be_undone(ann):
    undo = ann.ask("DELETE", "people/Ann/photos").json()["undo"]
    assert ann.names() == []
    ann.ask("POST", f"undo/{undo['token']}")
    assert len(ann.photos("Ann")) == 2


def test_a_photo_that_is_near_to_somebody_else_is_noted(ann, pictures):
    done = ann.enrol("Bob", ("bob.png", pictures.obama3)).json()
    [note] = [note for note in done["notes"] if "Ann" in note["reason"]]
    assert note["source"] == "bob.png" and note["name"] == "Bob"
