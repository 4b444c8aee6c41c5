"""People over REST: what is written is found at once, and nothing is changed by who did not see what he changes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from db import Face
from recognizer.service import cursors
from tests.recognizer.service.serving import form


@pytest.fixture
def ann(service, pictures):
    """The service, with Ann."""
    assert service.enrol("Ann", ("ann1.png", pictures.obama), ("ann2.png", pictures.obama2)).status_code == 201
    return service


def etag(service, name="Ann"):
    return service.ask("GET", f"people/{name}").headers["ETag"]


def test_who_is_enrolled_is_found_at_once_and_told_with_what_was_stored(service, pictures):
    done = service.ask("POST", "people", data={"name": " Ann "}, files=form(("ann1.png", pictures.obama)))
    assert done.status_code == 201
    assert done.json()["added"] == {"Ann": 1} and done.json()["person"]["photos"] == 1
    assert service.search(pictures.obama2) == ["Ann"]
    assert [photo["source"] for photo in service.photos("Ann")] == ["ann1.png"]
    assert etag(service) == done.headers["ETag"]


def test_somebody_who_is_there_is_not_enrolled_as_new(ann, pictures):
    refused = ann.ask("POST", "people", data={"name": "Ann"}, files=form(pictures.biden))
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert len(ann.photos("Ann")) == 2


def test_a_form_without_a_name_is_refused(service, pictures):
    refused = service.ask("POST", "people", files=form(pictures.biden))
    assert (refused.status_code, refused.json()["code"]) == (422, "no_name")


def test_pages_follow_each_other_until_everybody_was_told_once(service):
    names = sorted(f"p{number}" for number in range(6))
    add_vectors(service, names)
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = service.ask("GET", "people", {"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        found += [person["name"] for person in page["people"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert found == names and pages == 2  # none that is empty


ELSEWHERE = cursors.encode("galleries", "a"), cursors.encode("people", 1)


@pytest.mark.parametrize("cursor", [*ELSEWHERE, "nonsense", "", "[" * 2000, "\u00e9"])
def test_a_cursor_of_elsewhere_is_refused(service, cursor):
    refused = service.ask("GET", "people", {"cursor": cursor})
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_argument")


def test_name_and_metadata_change_together_or_not_at_all(ann, pictures):
    ann.enrol("Bob", pictures.biden)
    refused = ann.ask("PATCH", "people/Ann", json={"name": "Bob", "metadata": {"team": "A"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    assert ann.ask("GET", "people/Ann").json()["metadata"] is None
    done = ann.ask("PATCH", "people/Ann", json={"name": "Ann Lee", "metadata": {"team": "A"}}).json()
    assert (done["name"], done["metadata"], done["photos"]) == ("Ann Lee", {"team": "A"}, 2)
    assert ann.search(pictures.obama3) == ["Ann Lee"]


def test_metadata_that_is_left_out_stays_and_null_clears_it(ann):
    ann.ask("PATCH", "people/Ann", json={"metadata": {"team": "A"}})
    assert ann.ask("PATCH", "people/Ann", json={"name": "Anna"}).json()["metadata"] == {"team": "A"}
    assert ann.ask("PATCH", "people/Anna", json={"metadata": None}).json()["metadata"] is None


@pytest.mark.parametrize("change", [{}, {"name": None}, {"nickname": "A"}, {"name": "a\nb"}, {"metadata": [1]}])
def test_a_change_that_says_nothing_or_cannot_be_is_refused(ann, change):
    assert ann.ask("PATCH", "people/Ann", json=change).status_code == 422
    assert ann.names() == ["Ann"]


WRITES = {
    "rename": ("PATCH", "people/Ann", {"json": {"name": "Anna"}}),
    "delete": ("DELETE", "people/Ann", {}),
    "delete photos": ("DELETE", "people/Ann/photos", {}),
    "merge": ("POST", "people/Ann/merge", {"json": {"names": ["Bob"]}}),
    "erase": ("POST", "people/Ann/erase", {}),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_expects_an_older_version_changes_nothing(ann, write):
    add_vectors(ann, ["Bob"])
    old = etag(ann)
    ann.ask("PATCH", "people/Ann", json={"metadata": {"changed": True}})
    before = ann.services.database.find(ann.gallery).revision()
    method, path, request = WRITES[write]
    refused = ann.ask(method, path, headers={"If-Match": old}, **request)
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert ann.services.database.find(ann.gallery).revision() == before and ann.names() == ["Ann", "Bob"]
    assert ann.ask(method, path, headers={"If-Match": f'"x", {etag(ann)}'}, **request).status_code == 200


def test_photos_that_expect_an_older_version_are_not_stored(ann, pictures):
    old = etag(ann)
    ann.ask("PATCH", "people/Ann", json={"metadata": {"changed": True}})
    for mode in ("add", "average", "replace"):
        assert ann.enrol("Ann", pictures.obama3, mode=mode, headers={"If-Match": old}).status_code == 412
    assert len(ann.photos("Ann")) == 2
    done = ann.enrol("Ann", pictures.obama3, headers={"If-Match": etag(ann)})
    assert done.status_code == 201 and done.headers["ETag"] == etag(ann) != old


def test_of_all_who_saw_the_same_version_one_changes_it(ann):
    seen = etag(ann)
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda number: (
                    ann.ask(
                        "PATCH", "people/Ann", headers={"If-Match": seen}, json={"metadata": {"by": number}}
                    ).status_code
                ),
                range(6),
            )
        )
    assert sorted(answers) == [200, 412, 412, 412, 412, 412]


@pytest.mark.parametrize("condition", ["Ann", '"1-2', "W/x"])
def test_a_condition_that_cannot_be_read_is_refused_and_a_weak_one_never_holds(ann, condition):
    assert ann.ask("DELETE", "people/Ann", headers={"If-Match": condition}).status_code == 422
    assert ann.ask("DELETE", "people/Ann", headers={"If-Match": f"W/{etag(ann)}"}).status_code == 412


def test_any_version_is_good_for_a_star_but_there_must_be_one(ann, pictures):
    assert ann.enrol("Eve", pictures.biden, headers={"If-Match": "*"}).status_code == 404
    assert ann.names() == ["Ann"]
    assert ann.ask("DELETE", "people/Ann", headers={"If-Match": "*"}).status_code == 200


def test_who_has_the_version_already_is_not_told_again(ann):
    seen = etag(ann)
    again = ann.ask("GET", "people/Ann", headers={"If-None-Match": f"W/{seen}"})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", seen)
    ann.ask("PATCH", "people/Ann", json={"metadata": {"changed": True}})
    assert ann.ask("GET", "people/Ann", headers={"If-None-Match": seen}).status_code == 200


def test_merged_people_are_one_and_moved_photos_another(ann, pictures):
    ann.enrol("Ann L.", ("ann3.png", pictures.obama3))
    assert ann.ask("POST", "people/Ann/merge", json={"names": ["Ann L."]}).json()["photos"] == 3
    assert ann.names() == ["Ann"] and ann.audited("person.merge")[0].person == "Ann L."
    moved = [photo["id"] for photo in ann.photos("Ann") if photo["source"] == "ann3.png"]
    unknown = ann.ask("POST", "people/Zoe/move", json={"photos": moved})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_person")
    done = ann.ask("POST", "people/Zoe/move", json={"photos": moved, "create": True}).json()
    assert (done["name"], done["photos"]) == ("Zoe", 1) and len(ann.photos("Ann")) == 2


def test_a_deletion_is_undone_with_everything_while_it_can_be(ann, pictures):
    ann.ask("PATCH", "people/Ann", json={"metadata": {"team": "A"}})
    before, photos = ann.ask("GET", "people/Ann").json(), ann.photos("Ann")
    undo = ann.ask("DELETE", "people/Ann").json()["undo"]
    assert ann.names() == [] and ann.search(pictures.obama) == [None]
    back = ann.ask("POST", f"undo/{undo['token']}").json()
    assert back["people"] == [before] == [ann.ask("GET", "people/Ann").json()]
    kept = [{key: value for key, value in photo.items() if key != "id"} for photo in photos]
    assert [{key: value for key, value in photo.items() if key != "id"} for photo in ann.photos("Ann")] == kept
    assert ann.search(pictures.obama3) == ["Ann"]
    again = ann.ask("POST", f"undo/{undo['token']}")
    assert (again.status_code, again.json()["code"]) == (404, "nothing_to_undo")


def test_a_deletion_whose_name_was_given_away_is_not_undone(ann, pictures):
    undo = ann.ask("DELETE", "people/Ann").json()["undo"]
    ann.enrol("Ann", pictures.biden)
    refused = ann.ask("POST", f"undo/{undo['token']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken")
    ann.ask("PATCH", "people/Ann", json={"name": "Another Ann"})
    assert ann.ask("POST", f"undo/{undo['token']}").status_code == 200 and ann.names() == ["Ann", "Another Ann"]


def test_a_deletion_for_good_keeps_nothing(ann):
    assert ann.ask("DELETE", "people/Ann", {"undo_seconds": 0}).json() == {"names": ["Ann"], "undo": None}
    assert ann.ask("GET", "people/Ann").status_code == 404


def test_a_slash_belongs_to_the_name_where_it_is_written_so(ann):
    add_vectors(ann, ["Ann/photos"])
    assert ann.ask("GET", "people/Ann%2Fphotos").json()["name"] == "Ann/photos"
    assert len(ann.ask("GET", "people/Ann%2fphotos/photos").json()["photos"]) == 1
    assert ann.ask("DELETE", "people/Ann%2Fphotos").json()["names"] == ["Ann/photos"]
    assert ann.names() == ["Ann"]


def test_an_erasure_gives_a_receipt_whose_digest_the_audit_log_has(service):
    add_vectors(service, ["To be erased"])
    token = service.ask("DELETE", "people/To be erased").json()["undo"]["token"]  # what is kept for undoing goes, too
    receipt = service.ask("POST", "people/To be erased/erase").json()
    assert receipt["people"] == ["To be erased"] and receipt["complete"] and receipt["rows"]["undo_faces"] == 1
    assert service.ask("POST", f"undo/{token}").status_code == 404
    [entry] = service.audited("person.erase")
    assert (entry.person, entry.details) == ("To be erased", {"receipt": receipt["digest"]})


def test_every_write_is_in_the_audit_log_with_who_did_it_and_to_whom(ann, pictures):
    ann.enrol("Ann", pictures.obama3, mode="average")
    ann.ask("PATCH", "people/Ann", json={"name": "Anna"})
    photo = ann.photos("Anna")[0]["id"]
    ann.ask("DELETE", f"people/Anna/photos/{photo}")
    ann.ask("POST", f"undo/{ann.ask('DELETE', 'people/Anna').json()['undo']['token']}")
    entries = ann.audited()
    told = [(entry.action, entry.person) for entry in reversed(entries)]
    assert told == [
        ("person.add", "Ann"), ("person.average", "Ann"), ("person.change", "Ann"), ("photo.delete", "Anna"),
        ("person.delete", "Anna"), ("person.undo", "Anna"),
    ]  # fmt: skip
    assert {entry.actor for entry in entries} == {"local"} and all(entry.request_id for entry in entries)


@pytest.mark.parametrize("path", ["people/Eve", "people/Eve/photos"])
def test_who_is_not_there_is_404_and_a_gallery_too(service, path):
    assert service.ask("GET", path).json()["code"] == "unknown_person"
    assert service.ask("GET", path, {"gallery": "nowhere"}).json()["code"] == "unknown_gallery"
    assert service.ask("GET", path, {"gallery": "nowhere"}).status_code == 404


def add_vectors(service, names):
    """People with one made-up photo each."""
    gallery = service.services.database.find(service.gallery)
    rows = np.random.default_rng(len(names)).normal(size=(len(names), gallery.dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    gallery.add_many({name: [Face(row)] for name, row in zip(names, rows)})
