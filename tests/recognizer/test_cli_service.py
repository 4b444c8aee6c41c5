"""``recognizer keys``, ``audit``, ``erase``, ``expire`` and ``db scrub``."""

import getpass
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import db

DIMENSION = 8


@pytest.fixture
def url(tmp_path, monkeypatch):
    """A database with Ann (two photos) and Bob (one), which commands use."""
    url = f"sqlite:///{tmp_path}/people.db"
    monkeypatch.setenv("RECOGNIZER_DATABASE", url)
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))
    with db.open(url) as database:
        gallery = database.gallery("default", "tiny", "0" * 64, DIMENSION)
        gallery.add_many({"Ann": [face(1), face(2)], "Bob": [face(3)]})
    return url


def face(seed):
    drawn = np.random.default_rng(seed).normal(size=DIMENSION)
    return db.Face((drawn / np.linalg.norm(drawn)).astype(np.float32))


def answered(command_line, *arguments):
    """The JSON document that a command prints."""
    result = command_line(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def people(url):
    with db.open(url) as database:
        return {person.name: person.count for person in database.find("default").people()}


def test_a_key_is_printed_once_alone_and_opens_what_it_is_for(command_line, url):
    made = command_line("keys", "create", "door", "--role", "enrol", "--gallery", "default", "--days", "2")
    secret = made.stdout.strip()
    assert made.exit_code == 0 and made.stdout.count("\n") == 1 and "only time" in made.stderr
    with db.open(url) as database:
        key = database.keys.check(secret)
    assert (key.name, key.role, key.gallery) == ("door", "enrol", "default")
    assert timedelta(days=1.9) < key.expires - datetime.now(UTC) < timedelta(days=2)
    for arguments in (("keys", "list"), ("audit",)):
        shown = command_line(*arguments).stdout + command_line(*arguments, "--json").stdout
        assert key.id in shown and secret[16:] not in shown


def test_a_key_as_json_has_its_secret_and_a_list_has_none(command_line, url):
    made = answered(command_line, "keys", "create", "camera")
    assert made["role"] == "read" and made["gallery"] is None and made["expires"] is None
    [listed] = answered(command_line, "keys", "list")
    assert listed == {name: value for name, value in made.items() if name != "secret"}


def test_a_revoked_key_is_listed_as_such_and_logged(command_line, url):
    key = answered(command_line, "keys", "create", "camera")
    assert command_line("keys", "revoke", key["id"]).exit_code == 0
    assert answered(command_line, "keys", "list")[0]["state"] == "revoked"
    entries = answered(command_line, "audit", "--actor", f"command line: {getpass.getuser()}")
    assert [(entry["action"], entry["details"]["key"]) for entry in entries] == [
        ("key.revoke", key["id"]),
        ("key.create", key["id"]),
    ]


def test_a_whole_key_given_for_its_id_is_not_echoed_and_nothing_is_revoked(command_line, url):
    keys = [answered(command_line, "keys", "create", "camera") for _ in range(2)]
    result = command_line("keys", "revoke", keys[0]["id"], keys[1]["secret"])
    assert result.exit_code == 2 and keys[1]["secret"] not in result.stderr + result.stdout
    assert {each["state"] for each in answered(command_line, "keys", "list")} == {"active"}


def test_a_wrong_role_or_gallery_is_refused_with_the_choices(command_line, url):
    assert "read, enrol, admin" in command_line("keys", "create", "x", "--role", "owner").stderr
    assert "gallery list" in command_line("keys", "create", "x", "--gallery", "nowhere").stderr
    assert "no API keys" in command_line("keys", "list").stdout


def test_erasing_needs_a_yes_and_gives_a_receipt_that_the_log_knows(command_line, url):
    refused = command_line("erase", "Ann")
    assert refused.exit_code == 2 and "--yes" in refused.stderr
    assert people(url) == {"Ann": 2, "Bob": 1}
    receipt = answered(command_line, "erase", "Ann", "--yes")
    assert receipt["complete"] and receipt["people"] == ["Ann"] and receipt["rows"]["faces"] == 2
    assert people(url) == {"Bob": 1}
    [entry] = answered(command_line, "audit", "--person", "Ann", "--action", "person.erase")
    assert entry["details"] == {"receipt": receipt["digest"]} and entry["gallery"] == "default"
    shown = command_line("erase", "Bob", "--yes").stdout
    assert "Bob" in shown and "VACUUM" in shown and "Beyond reach" in shown and "Receipt: " in shown


def test_erasing_what_is_in_use_is_an_error_that_says_what_to_do(command_line, url, monkeypatch):
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("db.scrub._rewrite", lambda connections: "Somebody reads.")
        result = command_line("erase", "Ann", "--yes")
        assert command_line("db", "scrub").exit_code == 2
    assert result.exit_code == 2 and "Somebody reads" in result.stderr and "db scrub" in result.stderr
    assert people(url) == {"Bob": 1}
    assert answered(command_line, "audit", "--person", "Ann")[0]["outcome"] == "incomplete"
    assert "VACUUM" in answered(command_line, "db", "scrub")["statements"]


def test_erasing_and_expiring_leave_no_snapshot_of_the_index(command_line, url, tmp_path):
    with db.open(url) as database:
        uid = database.find("default").uid
    file = tmp_path / "cache" / "indexes" / f"{uid}-template.index"
    for command in (("erase", "Ann", "--yes"), ("expire", "365", "--yes")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
        assert command_line(*command).exit_code == 0
        assert not file.exists()


def test_expiring_is_shown_asked_and_logged(command_line, url):
    with db.open(url) as database:
        from db.schema import faces

        earlier = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=30)
        chosen = faces.update().where(faces.c.id.in_([1, 3])).values(created=earlier)
        database._connections.write(lambda connection: connection.execute(chosen) and None)
    expected = {"photos": 2, "people": ["Bob"]}
    assert answered(command_line, "expire", "20", "--dry-run") == expected | {"dry_run": True}
    assert command_line("expire", "20").exit_code == 2 and people(url) == {"Ann": 2, "Bob": 1}
    assert answered(command_line, "expire", "20", "--yes") == expected | {"dry_run": False}
    assert people(url) == {"Ann": 1}
    assert [entry["action"] for entry in answered(command_line, "audit", "--person", "Bob")] == ["person.expire"]
    assert answered(command_line, "audit", "--action", "gallery.expire")[0]["details"]["photos"] == 2


def test_the_log_is_paged_and_filtered_by_time(command_line, url):
    for name in "abc":
        command_line("keys", "create", name)
    first = command_line("audit", "--limit", "2", "--json")
    page = json.loads(first.stdout)
    assert f"--before {page[-1]['id']}" in first.stderr
    assert len(answered(command_line, "audit", "--before", page[-1]["id"])) == 1
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert answered(command_line, "audit", "--since", tomorrow) == []
    assert len(answered(command_line, "audit", "--since", "2026-01-01", "--gallery", "other")) == 0
    assert command_line("audit", "--since", "yesterday").exit_code == 2
    assert "no such entry" in command_line("audit", "--person", "Nobody").stdout
