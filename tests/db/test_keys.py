"""API keys: what is stored of them, who is let in, and how soon a revocation is noticed."""

import hmac
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
import sqlalchemy as sa
from gallery_process import faces, gallery_of

from common.errors import BadArgument, KeyRefused, UnknownChoice, UnknownGallery, UnknownKey
from db import keys
from db.schema import api_keys


def rows(database):
    return database._connections.read(lambda connection: connection.execute(sa.select(api_keys)).all())


def test_only_a_digest_of_the_secret_is_stored(database, tmp_path):
    key, secret = database.keys.create("camera", "read")
    random = secret.rpartition("_")[2]
    assert secret == f"rk_{key.id}_{random}" and len(bytes.fromhex(random)) == 32
    [row] = rows(database)
    assert row.digest == sha256(bytes.fromhex(random)).hexdigest()
    stored = repr(row).encode() + b"".join(path.read_bytes() for path in tmp_path.glob("people.db*"))
    assert random.encode() not in stored and bytes.fromhex(random) not in stored
    assert random not in repr(database.keys.create("camera", "read")) + repr(database.keys.list())


def test_a_key_is_what_it_was_made_as(database):
    gallery_of(database, "staff")
    soon = datetime.now(UTC) + timedelta(days=1)
    key, secret = database.keys.create("door", "enrol", "staff", soon)
    assert (key.name, key.role, key.gallery, key.expires, key.revoked) == ("door", "enrol", "staff", soon, None)
    assert database.keys.check(secret) == key
    assert [each.id for each in database.keys.list()] == [key.id]


def test_keys_are_listed_as_they_were_made_all_of_them_or_some_after_one(database):
    made = [database.keys.create(f"key {number}", "read").key.id for number in range(4)]
    listed = [each.id for each in database.keys.list()]
    assert listed == made
    assert [each.id for each in database.keys.list(after=made[0], limit=2)] == made[1:3]
    assert database.keys.list(after=made[-1]) == [] == database.keys.list(after="0" * 12)


@pytest.mark.parametrize("role, may", [("read", 1), ("enrol", 2), ("admin", 3)])
def test_a_role_may_what_those_before_it_may_and_a_scope_is_kept_to(role, may):
    key = keys.Key("0" * 12, "", role, None, datetime.now(UTC))
    assert [key.allows(each) for each in ("read", "enrol", "admin")] == [number < may for number in range(3)]
    scoped = keys.Key("0" * 12, "", role, "staff", datetime.now(UTC))
    assert scoped.allows("read", "staff")
    assert not scoped.allows("read", "visitors") and not scoped.allows("read")
    with pytest.raises(UnknownChoice, match="read, enrol, admin"):
        key.allows("owner")


def test_every_wrong_key_is_refused_in_the_same_words(database):
    _, secret = database.keys.create("camera", "admin")
    start, random = secret[:16], secret[16:]
    other_digit = "1" if random[-1] == "0" else "0"
    wrong = [
        "", "rk_", "x", None, 7, secret + "0", secret[:-1], secret[:-1] + other_digit, secret.upper(), f" {secret}",
        f"{secret}\n", "rk_000000000000_" + random, start + "0" * 64, random, secret.replace("_", "-"), "rk_" * 10**6,
        secret[:-1] + "٣",
    ]  # fmt: skip
    for presented in wrong:
        with pytest.raises(KeyRefused) as refused:
            database.keys.check(presented)
        assert str(refused.value) == keys.REFUSED
    assert database.keys.check(secret).role == "admin"


def test_secrets_are_compared_in_constant_time_even_where_there_is_no_such_key(database, monkeypatch):
    compared = []
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    assert keys.hmac is hmac
    _, secret = database.keys.create("camera", "read")
    database.keys.check(secret)
    with pytest.raises(KeyRefused):
        database.keys.check("rk_000000000000_" + secret[16:])
    assert len(compared) == 2 and all(len(a) == len(b) == 64 for a, b in compared)


def test_a_revoked_key_is_refused_here_at_once_and_elsewhere_when_its_row_is_read_again(database, other, monkeypatch):
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.5)
    key, secret = database.keys.create("camera", "read")
    database.keys.check(secret)
    other.keys.check(secret)
    assert database.keys.revoke(key.id).revoked is not None
    with pytest.raises(KeyRefused, match=f"{key.id} is revoked"):
        database.keys.check(secret)
    time.sleep(0.5)
    with pytest.raises(KeyRefused, match="is revoked"):
        other.keys.check(secret)
    revoked = database.keys.list()[0].revoked
    assert other.keys.revoke(key.id).revoked == revoked  # the first time counts
    with pytest.raises(KeyRefused) as refused:
        database.keys.check(secret[:16] + "0" * 64)
    assert str(refused.value) == keys.REFUSED  # who has not the secret is not told


def test_a_revocation_while_the_row_is_being_read_is_not_forgotten(database, monkeypatch):
    key, secret = database.keys.create("camera", "read")
    read = keys._read

    def read_and_revoke(connection, public):
        found = read(connection, public)
        monkeypatch.setattr(keys, "_read", read)
        database.keys.revoke(key.id)
        return found

    monkeypatch.setattr(keys, "_read", read_and_revoke)
    database.keys.check(secret)
    with pytest.raises(KeyRefused, match="is revoked"):
        database.keys.check(secret)


def test_a_row_is_read_once_for_many_checks_and_nothing_is_written(database):
    _, secret = database.keys.create("camera", "read")
    statements = []
    sa.event.listen(
        database._connections.engine, "before_cursor_execute", lambda *given: statements.append(given[2].split()[0])
    )
    for _ in range(100):
        database.keys.check(secret)
    assert [each for each in statements if each != "BEGIN"] == ["SELECT"]


def test_a_new_key_is_good_at_once_where_it_was_asked_for_before(database, other, monkeypatch):
    monkeypatch.setattr(keys.secrets, "token_hex", lambda count: "5a" * count)
    secret = "rk_" + "5a" * 6 + "_" + "5a" * 32
    with pytest.raises(KeyRefused):
        other.keys.check(secret)
    database.keys.create("camera", "read")
    assert other.keys.check(secret).name == "camera"


def test_an_expired_key_is_refused_to_the_moment_though_its_row_was_just_read(database):
    _, secret = database.keys.create("camera", "read", expires=datetime.now(UTC) + timedelta(seconds=0.6))
    database.keys.check(secret)
    time.sleep(0.6)
    with pytest.raises(KeyRefused, match="is expired"):
        database.keys.check(secret)


def test_a_scope_follows_the_name_of_its_gallery(database, other, monkeypatch):
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.0)
    gallery_of(database, "staff").add("Ann", faces(1))
    gallery_of(database, "staff 2")
    _, secret = database.keys.create("camera", "read", "staff")
    database.switch_galleries("staff", "staff 2")
    assert other.keys.check(secret).gallery == "staff"
    database.rename_gallery("staff", "people")
    assert other.keys.check(secret).gallery == "people"


def test_a_key_of_a_deleted_gallery_opens_nothing_not_even_another_gallery_of_that_name(database, monkeypatch):
    monkeypatch.setattr(keys, "KEPT_SECONDS", 0.0)
    gallery_of(database, "staff")
    key, secret = database.keys.create("camera", "admin", "staff")
    database.delete_gallery("staff")
    for _ in range(2):
        with pytest.raises(KeyRefused, match="gallery that was deleted"):
            database.keys.check(secret)
        assert database.keys.list()[0].state() == "orphaned"
        gallery_of(database, "staff")


def test_the_last_use_is_told_to_the_minute_and_never_goes_back(database):
    key, secret = database.keys.create("camera", "read")
    database.keys.check(secret)
    assert database.keys.list()[0].last_used is None
    database.keys.write_uses()
    used = database.keys.list()[0].last_used
    assert used.second == used.microsecond == 0 and abs(used - datetime.now(UTC)) < timedelta(minutes=2)
    database.keys._used[key.id] = datetime(2020, 1, 1)
    database.keys.write_uses()
    assert database.keys.list()[0].last_used == used


def test_what_cannot_be_a_key_is_refused_and_nothing_stored(database):
    past = datetime.now()  # noqa: DTZ005 - without a time zone
    for arguments, error in (
        (("x", "owner"), UnknownChoice), (("", "read"), BadArgument), (("x\n", "read"), BadArgument),
        (("x", "read", "nowhere"), UnknownGallery), (("x", "read", None, past), BadArgument),
    ):  # fmt: skip
        with pytest.raises(error):
            database.keys.create(*arguments)
    for unknown in ("0" * 12, "", "' OR 1=1", None):
        with pytest.raises(UnknownKey):
            database.keys.revoke(unknown)
    assert rows(database) == []
