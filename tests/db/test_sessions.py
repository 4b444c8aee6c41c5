"""Sessions: what is stored of them, who is let in, what ends them, and how soon that is noticed."""

import hmac
import secrets
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from gallery_process import gallery_of

from common.errors import BadArgument, DatabaseError, KeyRefused, UnknownKey
from db import clock, keys, remembered, schema, sessions

HOUR = 3600.0
HALF_DAY = 12 * HOUR


@pytest.fixture
def key(database):
    return database.keys.create("door", "read").key


@pytest.fixture
def pass_time(database, monkeypatch):
    """Lets seconds pass, for the database and for this process; rows are then read anew unless they are to be held."""
    read, passed = clock.read, 0.0

    def let_pass(seconds, held=False):
        nonlocal passed
        passed += seconds
        monkeypatch.setattr(clock, "read", lambda connection: read(connection) + timedelta(seconds=passed))
        monkeypatch.setattr(sessions, "time", SimpleNamespace(time=lambda: time.time() + passed))
        if not held:
            database.sessions._held._entries.clear()

    return let_pass


def rows(database, table=schema.sessions):
    return database._connections.read(lambda connection: connection.execute(sa.select(table)).all())


def refusal(database, token):
    """In which words a token is refused."""
    with pytest.raises(KeyRefused) as refused:
        database.sessions.check(token)
    return str(refused.value)


def test_only_a_digest_of_the_token_is_stored(database, key, tmp_path):
    token = database.sessions.create(key.id, HOUR)
    random = token.removeprefix("rs_")
    assert token == f"rs_{random}" and len(bytes.fromhex(random)) == 32
    [row] = rows(database)
    assert row.digest == sha256(bytes.fromhex(random)).hexdigest()
    assert row.ends - row.created == timedelta(hours=1) and row.last_seen == row.created
    stored = repr(row).encode() + b"".join(path.read_bytes() for path in tmp_path.glob("people.db*"))
    assert random.encode() not in stored and bytes.fromhex(random) not in stored
    assert token != database.sessions.create(key.id, HOUR)


def test_a_session_is_of_its_key_whose_gallery_it_follows(database, monkeypatch):
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.0)
    gallery_of(database, "staff")
    made = database.keys.create("door", "enrol", "staff")
    token = database.sessions.create(made.key.id, HOUR)
    assert database.sessions.check(token) == database.keys.check(made.secret)
    database.rename_gallery("staff", "people")
    assert database.sessions.check(token).gallery == "people"


def test_every_wrong_token_is_refused_in_the_same_words(database):
    made = database.keys.create("door", "admin")
    token = database.sessions.create(made.key.id, HOUR)
    wrong = [
        "", "rs_", "x", None, 7, token + "0", token[:-1], token.upper(), f" {token}", f"{token}\n", made.secret,
        token[:-1] + ("1" if token[-1] == "0" else "0"), "rs_" + "0" * 64, token.replace("rs_", "rk_"), "rs_" * 10**6,
        token[:-1] + "٣", made.key.id, rows(database)[0].digest, "rs_" + rows(database)[0].digest,
    ]  # fmt: skip
    assert {refusal(database, each) for each in wrong} == {sessions.REFUSED}
    with pytest.raises(KeyRefused):
        database.keys.check(token)
    assert database.sessions.check(token).role == "admin"


def test_digests_are_compared_in_constant_time_even_where_there_is_no_such_session(database, key, monkeypatch):
    compared = []
    monkeypatch.setattr(sessions.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    assert sessions.hmac is hmac
    database.sessions.check(database.sessions.create(key.id, HOUR))
    refusal(database, "rs_" + secrets.token_hex(32))
    assert len(compared) == 2 and all(len(a) == len(b) == 64 for a, b in compared)


def test_a_row_that_is_not_that_of_the_token_lets_nobody_in(database, key, monkeypatch):
    database.sessions.create(key.id, HOUR)
    [row] = rows(database)
    wrong = sessions._Held(key.id, row.digest, time.time(), time.time() + HOUR)
    monkeypatch.setattr(sessions, "_read", lambda _connection, _digest: wrong)
    assert refusal(database, "rs_" + "0" * 64) == sessions.REFUSED


def test_a_revoked_key_ends_its_sessions_here_at_once_and_elsewhere_when_its_row_is_read_again(
    database, other, key, monkeypatch
):
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.2)
    token = database.sessions.create(key.id, HOUR)
    database.sessions.check(token)
    other.sessions.check(token)
    database.keys.revoke(key.id)
    assert refusal(database, token).startswith(f"The API key {key.id} is revoked")
    time.sleep(0.2)
    assert refusal(other, token).startswith(f"The API key {key.id} is revoked")


def test_the_end_of_a_key_is_the_end_of_its_sessions_though_all_rows_were_just_read(database, monkeypatch):
    expiring = database.keys.create("short", "read", expires=datetime.now(UTC) + timedelta(seconds=0.5)).key
    token = database.sessions.create(expiring.id, HOUR)
    database.sessions.check(token)
    time.sleep(0.5)
    assert "is expired" in refusal(database, token)
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.0)
    gallery_of(database, "staff")
    scoped = database.keys.create("door", "admin", "staff").key
    token = database.sessions.create(scoped.id, HOUR)
    database.sessions.check(token)
    database.delete_gallery("staff")
    gallery_of(database, "staff")
    assert "gallery that was deleted" in refusal(database, token)


def test_a_key_whose_row_is_deleted_takes_its_sessions_along(database, key, monkeypatch):
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.0)
    kept = database.keys.create("other", "read").key
    token, stays = database.sessions.create(key.id, HOUR), database.sessions.create(kept.id, HOUR)
    database.sessions.check(token)
    gone = sa.delete(schema.api_keys).where(schema.api_keys.c.public_id == key.id)
    database._connections.write(lambda connection: connection.execute(gone) and None)
    refusal(database, token)
    assert len(rows(database)) == 1 and database.sessions.check(stays) == kept


def test_a_session_is_ended_here_at_once_and_elsewhere_when_its_row_is_read_again(database, other, key, monkeypatch):
    monkeypatch.setattr(sessions, "KEPT_SECONDS", 0.2)
    token, stays = database.sessions.create(key.id, HOUR), database.sessions.create(key.id, HOUR)
    for each in (database, other):
        each.sessions.check(token)
    database.sessions.end(token)
    assert refusal(database, token) == sessions.OVER
    time.sleep(0.2)
    assert refusal(other, token) == sessions.OVER
    assert database.sessions.check(stays) == key
    ends = {row.ends for row in rows(database)}
    for nothing in (token, "rs_" + "0" * 64, "x", None):
        database.sessions.end(nothing)
    assert {row.ends for row in rows(database)} == ends


def test_an_end_while_the_row_is_being_read_is_not_forgotten(database, key, monkeypatch):
    token = database.sessions.create(key.id, HOUR)
    read = sessions._read

    def read_and_end(connection, digest):
        found = read(connection, digest)
        monkeypatch.setattr(sessions, "_read", read)
        database.sessions.end(token)
        return found

    monkeypatch.setattr(sessions, "_read", read_and_end)
    database.sessions.check(token)
    assert refusal(database, token) == sessions.OVER


def test_rows_are_read_once_for_many_checks_and_nothing_is_written(database, key):
    token = database.sessions.create(key.id, HOUR)
    statements = []
    assert not database.sessions.is_held(token)
    sa.event.listen(database._connections.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for _ in range(100):
        database.sessions.check(token)
        assert database.sessions.is_held(token)
    read = [each for each in statements if each != "BEGIN"]
    assert all(each.startswith("SELECT") for each in read)
    assert len([each for each in read if "FROM" in each]) == 2  # the session, and its key
    assert database.sessions.is_held("no token")  # that is refused without the database


def test_what_is_held_of_many_sessions_is_bounded(database, key, monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 3)
    tokens = [database.sessions.create(key.id, HOUR) for _ in range(8)]
    for _ in range(2):
        assert {database.sessions.check(token) for token in tokens} == {key}
        assert len(database.sessions._held._entries) <= 3


def test_a_session_is_not_held_where_its_key_has_to_be_read(database, key, monkeypatch):
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.0)
    token = database.sessions.create(key.id, HOUR)
    database.sessions.check(token)
    assert not database.sessions.is_held(token)


def test_a_session_ends_at_its_time_by_the_databases_clock_however_much_it_is_used(database, key, pass_time):
    token = database.sessions.create(key.id, HALF_DAY)
    for _ in range(11):
        pass_time(HOUR)
        database.sessions.check(token)
        database.sessions.write_uses()
    pass_time(HOUR - 30)
    database.sessions.check(token)
    pass_time(31)
    assert refusal(database, token) == sessions.OVER


def test_a_session_ends_to_the_moment_though_its_row_was_just_read_by_a_clock_that_differs(database, key, monkeypatch):
    read, tokens = clock.read, []
    for days in (-1, 1):
        monkeypatch.setattr(clock, "read", lambda connection, days=days: read(connection) + timedelta(days=days))
        tokens.append(database.sessions.create(key.id, 0.5))
        assert database.sessions.check(tokens[-1]).id == key.id
    time.sleep(0.5)
    assert {refusal(database, token) for token in tokens} == {sessions.OVER}


@pytest.mark.parametrize("held", [False, True])
def test_a_session_that_is_not_used_for_two_hours_is_over(database, key, pass_time, held):
    token, unused = (database.sessions.create(key.id, HALF_DAY) for _ in range(2))
    for each in (token, unused):
        database.sessions.check(each)
    pass_time(2 * HOUR - 10, held)
    database.sessions.check(token)
    pass_time(20, held)
    database.sessions.check(token)  # used ten seconds before that, which is not stored yet
    assert refusal(database, unused) == sessions.OVER
    pass_time(2 * HOUR, held)
    assert refusal(database, token) == sessions.OVER


def test_uses_are_stored_once_a_minute_at_most_and_never_go_back(database, other, key, pass_time):
    token = database.sessions.create(key.id, HALF_DAY)
    begun = rows(database)[0].last_seen
    pass_time(50)
    database.sessions.check(token)
    database.tidy()
    assert rows(database)[0].last_seen == begun
    pass_time(20)
    database.sessions.check(token)
    assert rows(database)[0].last_seen == begun  # a check never writes
    pass_time(30)
    database.tidy()
    used = rows(database)[0].last_seen
    assert timedelta(seconds=70) <= used - begun < timedelta(seconds=90)
    assert database.sessions._seen == {}
    other.sessions._seen[rows(database)[0].digest] = time.time()  # of a process that stores it late
    other.sessions.write_uses()
    assert rows(database)[0].last_seen == used


def test_a_use_in_one_process_keeps_a_session_from_being_over_in_another(database, other, key, pass_time):
    token = database.sessions.create(key.id, HALF_DAY)
    for _ in range(3):
        pass_time(HOUR)
        database.sessions.check(token)
        database.tidy()
    assert other.sessions.check(token).id == key.id


def test_uses_that_cannot_be_stored_are_not_forgotten(database, key, pass_time, monkeypatch):
    token = database.sessions.create(key.id, HALF_DAY)
    pass_time(HOUR)
    database.sessions.check(token)

    def away(_work):
        raise DatabaseError("away")

    with monkeypatch.context() as patched:
        patched.setattr(database._connections, "write", away)
        with pytest.raises(DatabaseError):
            database.sessions.write_uses()
    database.sessions.write_uses()
    assert rows(database)[0].last_seen - rows(database)[0].created >= timedelta(hours=1)


def test_the_use_of_a_session_is_a_use_of_its_key(database, key):
    database.sessions.check(database.sessions.create(key.id, HOUR))
    database.tidy()
    used = database.keys.list()[0].last_used
    assert used is not None and abs(used - datetime.now(UTC)) < timedelta(minutes=2)


def test_sessions_that_are_over_are_told_from_guesses_for_half_a_day_and_then_removed(
    database, key, pass_time, monkeypatch
):
    monkeypatch.setattr(sessions, "PORTION", 2)
    short = [database.sessions.create(key.id, HOUR) for _ in range(5)]
    long = database.sessions.create(key.id, HALF_DAY + HOUR)
    pass_time(HALF_DAY)
    assert database.tidy().sessions == 0
    assert {refusal(database, token) for token in (*short, long)} == {sessions.OVER}
    pass_time(HOUR + 1)
    assert database.tidy().sessions == 5 and database.tidy().sessions == 0
    assert {refusal(database, token) for token in short} == {sessions.REFUSED}
    assert len(rows(database)) == 1


def test_what_cannot_be_a_session_is_refused_and_nothing_stored(database, key):
    for seconds in (0, -1, None, "1", 604_801, float("nan")):
        with pytest.raises(BadArgument):
            database.sessions.create(key.id, seconds)
    for unknown in ("0" * 12, "", None, "' OR 1=1", "%"):
        with pytest.raises(UnknownKey):
            database.sessions.create(unknown, HOUR)
    assert rows(database) == []
