"""What clients do with people and photos, as the service does it."""

import json
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from common.errors import BadArgument, BadName
from recognizer.client import Client, ServiceRefused
from recognizer.client.results import Person, Threshold


def test_who_was_enrolled_is_found_with_box_similarity_and_threshold(client, photos):
    enrolment = client.add_person("Ann", [photos.obama2, photos.obama3, photos.wall])
    assert enrolment.added == {"Ann": 2} and enrolment.person.photos == 2
    assert [(each.source, each.name) for each in enrolment.refused] == [("wall.jpg", "Ann")]
    client.add_photos("Bob", photos.biden)
    found = client.search([photos.obama, photos.wall], top=2)
    assert (found.gallery, found.embeddings) == ("staff", None)
    seen, wall = found.photos
    [face] = seen.faces
    assert (seen.photo, seen.width, seen.height, wall.faces) == ("obama.jpg", 260, 260, ())
    assert face.name == "Ann" and face.similarity >= found.threshold and face.liveness is None
    assert [each.name for each in face.candidates] == ["Ann", "Bob"]
    assert face.runner_up.name == "Bob" and face.margin == pytest.approx(
        face.similarity - face.runner_up.similarity, abs=2e-4
    )
    x1, y1, x2, y2 = face.box
    assert 0 < x1 < x2 < 260 and 0 < y1 < y2 < 260 and len(face.landmarks) == 5
    with pytest.raises(FrozenInstanceError):
        face.name = "Bob"


def test_photos_are_paths_bytes_or_open_files(client, photos):
    with photos.obama.open("rb") as file:
        file.read(3)
        file.seek(0)
        given = [photos.obama, str(photos.obama), photos.obama.read_bytes(), file]
        found = client.detect(given).photos
    assert [each.photo for each in found] == ["obama.jpg", "obama.jpg", "3", "obama.jpg"]
    assert len({each.faces for each in found}) == 1 and found[0].faces
    assert client.detect(photos.biden).photos[0].faces != found[0].faces


def test_an_embedding_of_the_service_finds_and_enrols(client, photos):
    client.add_person("Ann", photos.obama2)
    [photo] = client.embed(photos.obama).photos
    [face] = photo.faces
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5) and "embedding" not in repr(face)
    [match] = client.search(embeddings=[face.embedding]).embeddings
    assert match.name == "Ann"
    assert client.search(embeddings=np.array([face.embedding])).embeddings == (match,)
    averaged = client.add_photos("Ann", embeddings=[face.embedding])
    assert averaged.person.photos == 2
    assert client.search(photos.obama).photos[0].faces[0].similarity > match.similarity


def test_two_photos_are_compared(client, photos):
    assert client.verify(photos.obama, photos.obama2).same
    other = client.verify(photos.obama, photos.biden)
    assert not other.same and other.similarity < other.threshold
    with pytest.raises(ServiceRefused) as refused:
        client.verify(photos.obama, photos.wall)
    assert (refused.value.status, refused.value.code) == (422, "no_face")


@pytest.mark.parametrize("name", ["Ann/photos", "Zoë Şahin", "李 明", "100%", "a?b#c", "Ann\\..", "..."])
def test_a_name_in_any_script_and_with_a_slash_is_one_name(client, photos, name):
    client.add_photos("Ann", photos.biden)
    client.add_photos(name, photos.obama)
    assert client.person(name).name == name
    assert [each.source for each in client.photos(name)] == ["obama.jpg"]
    assert client.delete_person(name).names == (name,)
    assert [each.name for each in client.people()] == ["Ann"]


@pytest.mark.parametrize("name", ["", " ", ".", "..", "\ud800", None])
def test_a_name_that_would_make_another_address_is_not_sent(client, photos, name):
    client.add_photos("photos", photos.obama)
    for write in (client.delete_person, client.delete_photos, client.erase_person, client.delete_gallery):
        with pytest.raises(BadName):
            write(name)
    assert client.person("photos").photos == 1


def test_lists_follow_their_pages_to_the_end(client, photos, server):
    names = [f"Ann {number:02}" for number in range(7)]
    client.add_photos(names[0], photos.obama)
    gallery = server.database.find("staff")
    faces = gallery.faces(names[0])
    for name in names[1:]:
        gallery.add(name, faces)
    gallery.add("Bob", faces * 5)
    assert [each.name for each in client.people("Ann", page_size=3)] == names
    assert [each.name for each in client.people(page_size=8)] == [*names, "Bob"]
    assert len({photo.id for photo in client.photos("Bob", page_size=2)}) == 5
    assert all(each.similarity == pytest.approx(1, abs=1e-3) for each in client.photos("Bob", similarities=True))
    everyone = client.people(page_size=1)
    assert next(everyone).name == names[0]  # and no more is asked for than is wanted


def test_photos_are_moved_merged_and_forgotten(client, photos):
    client.add_person("Ann", [photos.obama, photos.obama2])
    client.add_person("Bob", photos.biden)
    wrong, right = client.photos("Ann")
    assert (wrong.source, wrong.has_crop, len(wrong.picture)) == ("obama.jpg", True, 64)
    moved = client.move_photos("Cid", wrong.id, create=True)
    assert (moved.name, moved.photos) == ("Cid", 1)
    assert client.merge_people("Bob", ["Ann", "Cid"]).photos == 3
    assert client.delete_photo("Bob", right.id).photos == 2
    picture = cv2.imdecode(np.frombuffer(client.crop("Bob", wrong.id), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (112, 112, 3)
    assert client.add_photos("Bob", photos.obama3, mode="replace").person.photos == 1


def test_a_person_is_changed_deleted_and_brought_back(client, photos):
    client.add_person("Ann", photos.obama)
    changed = client.change_person("Ann", new_name="Ann Lee", metadata={"team": "A"})
    assert (changed.name, changed.metadata) == ("Ann Lee", {"team": "A"})
    assert client.change_person("Ann Lee", new_name="Ann").metadata == {"team": "A"}  # what is not named stays
    assert client.change_person("Ann", metadata=None).metadata is None
    gone = client.delete_person("Ann", undo_seconds=60)
    assert gone.names == ("Ann",) and gone.undo.until > datetime.now(UTC)
    [back] = client.undo(gone.undo.token).people
    assert (back.name, back.photos) == ("Ann", 1)
    assert client.delete_photos("Ann", undo_seconds=0).undo is None
    client.add_person("Ann", photos.obama)
    receipt = client.erase_person("Ann")
    assert receipt.people == ("Ann",) and receipt.complete and receipt.rows["faces"] == 1


def test_of_two_who_saw_the_same_version_one_writes(client, photos):
    seen = client.add_person("Ann", photos.obama).person
    assert seen.etag and client.person("Ann", etag=seen.etag) is None
    written = client.change_person("Ann", metadata={"by": "first"}, etag=seen.etag)
    assert written.etag != seen.etag and client.person("Ann") == written
    with pytest.raises(ServiceRefused) as refused:
        client.delete_person("Ann", etag=seen.etag)
    assert (refused.value.status, refused.value.code) == (412, "precondition_failed")
    assert client.person("Ann", etag=seen.etag) == written
    with pytest.raises(ServiceRefused):
        client.move_photos("Ann", next(client.photos("Ann")).id, etag=seen.etag)


def test_a_refusal_says_what_and_why_and_changes_nothing(client, photos):
    client.add_person("Ann", photos.obama)
    with pytest.raises(ServiceRefused) as taken:
        client.add_person("Ann", photos.obama2)
    assert (taken.value.status, taken.value.code, taken.value.details) == (409, "name_taken", {})
    assert str(taken.value) == taken.value.message and len(taken.value.request_id) == 32
    with pytest.raises(ServiceRefused) as nobody:
        client.add_person("Bob", [photos.wall, b"nonsense"])
    assert nobody.value.code == "nothing_enrolled"
    assert [each["source"] for each in nobody.value.details["refused"]] == ["wall.jpg", "2"]
    assert [(each.name, each.photos) for each in client.people()] == [("Ann", 1)]


def test_the_gallery_of_the_client_is_meant_where_a_call_names_none(client, photos, server):
    with Client(server.url, server.keys["admin"], gallery="guests") as guests:
        guests.add_person("Ann", photos.obama)
        assert list(client.people()) == [] and client.person("Ann", gallery="guests").photos == 1
        assert list(guests.people(gallery="staff")) == []
        assert guests.search(photos.obama2).gallery == "guests"
        guests.delete_person("Ann", undo_seconds=0)


@pytest.mark.parametrize("wrong", [{}, {"embeddings": []}, {"photos": []}, {"embeddings": [["x"]]}, {"photos": [7]}])
def test_what_is_no_photo_is_not_sent(client, wrong, tmp_path):
    for call in (client.search, lambda **given: client.add_photos("Ann", **given)):
        with pytest.raises(BadArgument):
            call(**wrong)
    for missing in (tmp_path, tmp_path / "none.jpg", "nul\0"):
        with pytest.raises(BadArgument):
            client.detect(missing)
    with (tmp_path / "text").open("w+") as text, pytest.raises(BadArgument):
        client.detect(text)


@pytest.mark.parametrize("wrong", [float("nan"), object(), {1, 2}, b"x"])
def test_what_is_no_json_is_not_sent(client, photos, wrong):
    client.add_person("Ann", photos.obama)
    with pytest.raises(BadArgument):
        client.change_person("Ann", metadata={"a": wrong})
    assert client.person("Ann").metadata is None


def test_galleries_keys_and_the_audit_log(client, photos, server):
    made = client.create_gallery("visitors")
    assert made in client.galleries() and made.people == 0
    assert client.change_gallery("visitors", threshold=0.6).threshold == Threshold(0.6)
    assert client.change_gallery("visitors", threshold=Threshold(0.5, 1e-4, 0.4, 0.6)).threshold.high == 0.6
    assert client.change_gallery("visitors", threshold=None).threshold is None
    assert client.change_gallery("visitors", new_name="others").name == "others"
    assert {each.name for each in client.switch_galleries("others", "guests").galleries} == {"others", "guests"}
    client.switch_galleries("others", "guests")
    later = datetime.now(UTC) + timedelta(days=1)
    key = client.create_key("door", "enrol", gallery="others", expires=later)
    assert key.secret.startswith(f"rk_{key.id}_") and key.secret not in repr(key)
    assert replace(key).expires.timestamp() == pytest.approx(later.timestamp(), abs=1)
    with Client(server.url, key.secret) as door:
        door.add_person("Ann", photos.obama)
        with pytest.raises(ServiceRefused) as refused:
            door.create_key("mine", "admin")
        assert refused.value.status == 403
    assert client.revoke_key(key.id).state == "revoked"
    assert key.id in [each.id for each in client.keys()]  # noqa: SIM118
    entry = next(client.audit(person="Ann", gallery="others", page_size=1))
    assert (entry.action, entry.actor) == ("person.add", f"key {key.id}")
    assert list(client.audit(request_id=entry.request_id, until=entry.moment)) == []
    gone = client.delete_gallery("others")
    assert (gone.name, gone.people, gone.photos) == ("others", 1, 1)


def test_the_state_of_the_service(client, server):
    assert client.ready().status == "ready" and client.health().status == "ok"
    assert "recognizer_queue" in client.metrics()
    with Client(server.url) as nobody:
        assert nobody.health().version


def test_an_answer_of_a_newer_service_is_read_and_of_another_program_refused():
    from recognizer.client.errors import BadAnswer
    from recognizer.client.reading import read

    person = {"name": "Ann", "photos": 1, "since": "2026-11-25T08:30:00Z", "metadata": {"a": 1}}
    assert read(Person, person | {"new": 1}).since == datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
    for wrong in ({}, [], None, "x", person | {"since": "yesterday"}, {"name": "Ann"}):
        with pytest.raises(BadAnswer) as refused:
            read(Person, json.loads(json.dumps(wrong)))
        assert "Person" in str(refused.value)
