"""Addresses that show wrong keys have to wait; nobody else does."""

import pytest

import db
from recognizer.service.middleware import rate
from recognizer.service.middleware.rate import Failures
from tests.recognizer.service.guarding import OUTSIDE, bearer, client, guarded

WRONG = bearer("rk_" + "0" * 12 + "_" + "0" * 64)


@pytest.fixture(scope="module")
def database():
    with db.open("sqlite://") as opened:
        yield opened


def ask(app, headers, address=OUTSIDE):
    return client(app, address).get("/v1/people/Ann", headers=headers)


def test_after_too_many_wrong_keys_an_address_is_told_to_wait_and_the_database_is_not_asked(database, monkeypatch):
    app = guarded(database, keys="required", failures_per_minute=3)
    assert [ask(app, WRONG).status_code for _ in range(3)] == [401] * 3
    monkeypatch.setattr(database.keys, "check", None)
    answer = ask(app, WRONG)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    right = bearer(database.keys.create("door", "read").secret)
    assert ask(app, right).status_code == 429


def test_other_addresses_do_not_wait(database):
    app = guarded(database, keys="required", failures_per_minute=3)
    for _ in range(5):
        ask(app, WRONG)
    right = bearer(database.keys.create("door", "read").secret)
    assert ask(app, right, "203.0.113.8").status_code == 200


def test_who_has_shown_a_right_key_is_not_kept_waiting_by_a_neighbour(database):
    app = guarded(database, keys="required", failures_per_minute=3)
    secret = database.keys.create("door", "read").secret
    assert ask(app, bearer(secret)).status_code == 200
    for _ in range(5):
        ask(app, WRONG)
    assert ask(app, bearer(secret)).status_code == 200
    assert ask(app, bearer(database.keys.create("other", "read").secret)).status_code == 429


def test_what_is_no_guess_is_not_counted(database):
    app = guarded(database, keys="required", failures_per_minute=3)
    key, secret = database.keys.create("old", "read")
    database.keys.revoke(key.id)
    for _ in range(5):
        assert ask(app, {}).status_code == 401
        assert ask(app, bearer(secret)).status_code == 401
    assert client(app, OUTSIDE).get("/v1/health").status_code == 200
    assert ask(app, bearer(database.keys.create("door", "read").secret)).status_code == 200


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_attempts_come_back_one_by_one():
    clock = Clock()
    failures = Failures(6, clock)
    for _ in range(6):
        assert failures.wait(OUTSIDE) == 0
        failures.note(OUTSIDE)
    assert failures.wait(OUTSIDE) == pytest.approx(10)
    clock.now += 9.9
    assert failures.wait(OUTSIDE) > 0
    clock.now += 0.2
    assert failures.wait(OUTSIDE) == 0
    failures.note(OUTSIDE)
    assert failures.wait(OUTSIDE) == pytest.approx(9.9)
    clock.now += 60
    for _ in range(6):
        assert failures.wait(OUTSIDE) == 0
        failures.note(OUTSIDE)
    assert failures.wait(OUTSIDE) > 0


def test_in_any_minute_no_more_than_twice_the_limit_is_tried():
    clock, tried = Clock(), 0
    failures = Failures(10, clock)
    for _ in range(6000):
        if failures.wait(OUTSIDE) == 0:
            failures.note(OUTSIDE)
            tried += 1
        clock.now += 0.01
    assert 10 < tried <= 20


def test_a_whole_network_of_ipv6_counts_as_one_address():
    failures = Failures(1)
    failures.note("2001:db8:1:2::1")
    assert failures.wait("2001:db8:1:2:ffff:ffff:ffff:ffff") > 0
    assert failures.wait("2001:db8:1:3::1") == 0
    failures.note("192.0.2.1")
    assert failures.wait("192.0.2.2") == 0


def test_a_right_key_is_remembered_for_an_hour_and_for_its_address_alone():
    clock = Clock()
    failures = Failures(1, clock)
    failures.note_right(OUTSIDE, "rk_1")
    assert failures.has_passed(OUTSIDE, "rk_1")
    assert not failures.has_passed(OUTSIDE, "rk_2") and not failures.has_passed("203.0.113.8", "rk_1")
    clock.now += 3601
    assert not failures.has_passed(OUTSIDE, "rk_1")


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(rate, "MOST", 100)
    failures = Failures(1)
    for at in range(1000):
        failures.note(f"host {at}")
        failures.note_right(f"host {at}", "rk_1")
    assert len(failures._free_at) == len(failures._passed) == 100
    assert failures.wait("host 999") > 0 and failures.has_passed("host 999", "rk_1")
