"""A write that is sent again gets the first answer and changes nothing, whoever sends it at the same time."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from recognizer.service import enrolling
from tests.recognizer.service.serving import form

KEY = {"Idempotency-Key": "enrol-ann"}


@pytest.fixture
def key(request):
    """A header with a key that no other test has."""
    return {"Idempotency-Key": request.node.name[:200]}


def test_the_same_request_is_done_once_and_answered_the_same(service, pictures, key):
    first = service.enrol("Ann", pictures.obama, headers=key)
    second = service.enrol("Ann", pictures.obama, headers=key)
    assert (first.status_code, first.content) == (second.status_code, second.content) == (201, first.content)
    assert first.headers["etag"] == second.headers["etag"]
    assert "idempotency-replayed" not in first.headers and second.headers["idempotency-replayed"] == "true"
    assert len(service.photos("Ann")) == 1 and len(service.audited("person.add")) == 1


def test_a_form_is_the_same_though_its_boundary_is_new(service, pictures, key):
    bodies = [service.client.build_request("POST", "http://x/", files=form(pictures.obama)).read() for _ in range(2)]
    assert bodies[0] != bodies[1]  # the client draws a new boundary each time
    for _ in range(2):
        answer = service.ask("POST", "people", data={"name": "Ann"}, files=form(pictures.obama), headers=key)
        assert answer.status_code == 201
    assert len(service.photos("Ann")) == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda service, pictures: service.enrol("Ann", pictures.obama2, headers=KEY),
        lambda service, pictures: service.enrol("Ann", ("other.png", pictures.obama), headers=KEY),
        lambda service, pictures: service.enrol("Bob", pictures.obama, headers=KEY),
        lambda service, pictures: service.enrol("Ann", pictures.obama, mode="replace", headers=KEY),
        lambda service, pictures: service.enrol("Ann", pictures.obama, headers=KEY | {"If-Match": "*"}),
        lambda service, pictures: service.ask("DELETE", "people/Ann", headers=KEY),
    ],
    ids=["photo", "file name", "person", "query", "condition", "method"],
)
def test_the_same_key_with_another_request_is_refused(service, pictures, key, other, monkeypatch):
    monkeypatch.setitem(KEY, "Idempotency-Key", key["Idempotency-Key"])
    service.enrol("Ann", pictures.obama, headers=key)
    refused = other(service, pictures)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_conflict")
    assert service.names() == ["Ann"] and len(service.photos("Ann")) == 1


def test_another_name_in_the_form_is_another_request(service, pictures, key):
    service.ask("POST", "people", data={"name": "Ann"}, files=form(pictures.obama), headers=key)
    refused = service.ask("POST", "people", data={"name": "Bob"}, files=form(pictures.obama), headers=key)
    assert refused.json()["code"] == "idempotency_conflict" and service.names() == ["Ann"]


def test_a_request_that_failed_changed_nothing_and_may_be_sent_again_with_its_key(service, pictures, key):
    assert service.enrol("Ann", pictures.obama, mode="average", headers=key).status_code == 404
    service.enrol("Ann", pictures.obama2)
    assert service.enrol("Ann", pictures.obama, mode="average", headers=key).status_code == 201
    assert len(service.photos("Ann")) == 2


def test_a_body_that_is_refused_gives_the_key_back(service, pictures, key):
    service.enrol("Ann", pictures.obama)
    assert service.ask("PATCH", "people/Ann", json={"nickname": "A"}, headers=key).status_code == 422
    assert service.ask("PATCH", "people/Ann", json={"name": "Anna"}, headers=key).status_code == 200


def test_of_many_at_the_same_time_one_is_done_and_the_others_are_told(service, pictures, key, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    enrol = enrolling.enrol

    def slow(*arguments):
        begun.set()
        assert go_on.wait(10)
        return enrol(*arguments)

    monkeypatch.setattr(enrolling, "enrol", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(service.enrol, "Ann", pictures.obama, headers=key)
        assert begun.wait(10)
        second = service.enrol("Ann", pictures.obama, headers=key)
        go_on.set()
        assert first.result().status_code == 201
    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    assert 1 <= int(second.headers["retry-after"]) <= 5
    assert service.enrol("Ann", pictures.obama, headers=key).headers["idempotency-replayed"] == "true"
    assert len(service.photos("Ann")) == 1


def test_a_deletion_that_is_sent_again_gives_the_same_token(service, pictures, key):
    service.enrol("Ann", pictures.obama)
    tokens = {service.ask("DELETE", "people/Ann", headers=key).json()["undo"]["token"] for _ in range(2)}
    assert len(tokens) == 1
    assert service.ask("POST", f"undo/{tokens.pop()}").status_code == 200


@pytest.mark.parametrize("value", ["", "x" * 256])
def test_a_key_that_cannot_be_one_is_refused(service, pictures, value):
    assert service.enrol("Ann", pictures.obama, headers={"Idempotency-Key": value}).status_code == 422
    assert service.names() == []


def test_answers_larger_than_what_is_kept_are_told_to_have_been(service, pictures, key, monkeypatch):
    from recognizer.service import idempotency

    monkeypatch.setattr(idempotency, "MAX_BODY_BYTES", 10)
    assert service.enrol("Ann", pictures.obama, headers=key).status_code == 201
    again = service.enrol("Ann", pictures.obama, headers=key)
    assert (again.status_code, again.json()["code"]) == (201, "answer_not_kept") and len(service.photos("Ann")) == 1
