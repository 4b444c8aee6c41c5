"""Idempotency keys: one of all who ask does the work, and everyone else gets its answer."""

import time

import pytest
from forks import and_killed, in_processes

from common.errors import BadArgument, IdempotencyConflict
from db import idempotency
from db.idempotency import Answer

ONE, TWO = "1" * 64, "2" * 64
ANSWER = Answer(201, {"ETag": '"7"'}, b'{"name": "Ann"}\x00\xff')

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def keys(database):
    return database.idempotency


def test_a_repeated_key_gets_the_first_answer_byte_for_byte(keys):
    claim = keys.claim("a", "k", ONE)
    assert claim.state == "new"
    again = keys.claim("a", "k", ONE)
    assert again.state == "in progress" and 0 < again.wait_seconds <= idempotency.LEASE_SECONDS
    assert keys.complete(claim, ANSWER)
    for _ in range(2):
        repeated = keys.claim("a", "k", ONE)
        assert (repeated.state, repeated.answer) == ("stored", ANSWER)


def test_the_same_key_for_another_request_is_refused_before_and_after_the_answer(keys):
    claim = keys.claim("a", "k", ONE)
    with pytest.raises(IdempotencyConflict):
        keys.claim("a", "k", TWO)
    keys.complete(claim, ANSWER)
    with pytest.raises(IdempotencyConflict):
        keys.claim("a", "k", TWO)
    assert keys.claim("a", "k", ONE).answer == ANSWER


def test_scopes_and_keys_are_told_apart(keys):
    pairs = [("a", "k"), ("b", "k"), ("a", "K"), ("a", "k "), ("a", "ä"), ("ak", "k"), ("a", "kk")]
    assert [keys.claim(scope, key, ONE).state for scope, key in pairs] == ["new"] * len(pairs)


def test_of_racing_processes_exactly_one_has_each_key(keys):
    def work():
        states = []
        for number in range(12):
            claim = keys.claim("a", str(number), ONE)
            if claim.state == "new":
                keys.complete(claim, ANSWER)
            states.append(claim.state)
        return states

    results = in_processes(work, work, work)
    assert all([states[number] for states in results].count("new") == 1 for number in range(12))
    assert all(keys.claim("a", str(number), ONE).answer == ANSWER for number in range(12))


def test_the_key_of_a_killed_owner_is_given_to_the_next_one_when_its_lease_is_over(keys):
    assert and_killed(lambda: keys.claim("a", "k", ONE, lease_seconds=1.0).state) == "new"
    waiting = keys.claim("a", "k", ONE)
    assert waiting.state == "in progress" and waiting.wait_seconds <= 1.0
    time.sleep(waiting.wait_seconds + 0.02)
    assert keys.claim("a", "k", ONE).state == "new"
    assert keys.claim("a", "k", ONE).state == "in progress"


def test_who_comes_back_after_his_lease_takes_nothing_from_the_next_one(keys):
    late = keys.claim("a", "k", ONE, lease_seconds=0.05)
    time.sleep(0.06)
    second = keys.claim("a", "k", TWO)  # the first request is over, so its fingerprint is, too
    assert second.state == "new"
    assert not keys.complete(late, Answer(200))
    keys.release(late)
    assert keys.complete(second, ANSWER)
    assert keys.claim("a", "k", TWO).answer == ANSWER


def test_a_released_key_is_free(keys):
    keys.release(keys.claim("a", "k", ONE))
    assert keys.claim("a", "k", TWO).state == "new"


def test_an_answer_is_kept_for_its_time_and_then_forgotten_whole(keys):
    keys.complete(keys.claim("a", "k", ONE), ANSWER, kept_seconds=0.05)
    keys.complete(keys.claim("a", "kept", ONE), ANSWER)
    time.sleep(0.06)
    claim = keys.claim("a", "k", TWO)
    assert claim.state == "new"
    assert keys.claim("a", "k", TWO).state == "in progress"  # nothing of the old answer is there
    keys.complete(claim, ANSWER, kept_seconds=0.05)
    time.sleep(0.06)
    assert keys.expire() == 1 and keys.expire() == 0
    assert keys.claim("a", "kept", ONE).answer == ANSWER


def test_what_is_out_of_range_is_refused(keys):
    claim = keys.claim("a", "k", ONE)
    big = Answer(200, {}, bytes(idempotency.MAX_BODY_BYTES + 1))
    for answer in (big, Answer(200, {"x": "y" * 9000}), Answer(0), Answer(200, {}, "text")):
        with pytest.raises(BadArgument):
            keys.complete(claim, answer)
    assert keys.complete(claim, Answer(200, {}, bytes(idempotency.MAX_BODY_BYTES)))
    assert len(keys.claim("a", "k", ONE).answer.body) == idempotency.MAX_BODY_BYTES
    for arguments in (("a", ""), ("a", "k" * 256), ("a", "k\n"), ("a", None), ("", "k")):
        with pytest.raises(BadArgument):
            keys.claim(*arguments, ONE)
    with pytest.raises(BadArgument):
        keys.claim("a", "k", "no digest")
    with pytest.raises(BadArgument):
        keys.complete(keys.claim("a", "k", ONE), ANSWER)
