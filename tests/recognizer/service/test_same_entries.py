"""The audit log tells of a command what it tells of the request that does the same."""

import json

import pytest

from recognizer.cli.auditing import actor
from tests.recognizer.service.serving import Service


@pytest.fixture
def command(service, command_line):
    """Gives a command about the service's database, and perhaps a gallery; it has to succeed."""

    def run(*arguments, gallery=None):
        place = ["--database", f"sqlite:///{service.folder}/people.db"]
        done = command_line(*arguments, *place, *(["--gallery", gallery] if gallery else []))
        assert done.exit_code == 0, done.stderr
        return done.stderr

    return run


@pytest.fixture
def galleries(service):
    """The names of two empty galleries: one for requests, one for commands; and the service that is asked for one."""
    model, database = service.services.recognizers.of(service.gallery).model, service.services.database
    names = ("asked", "given")
    for name in names:
        database.create_gallery(name, model.name, model.digest, model.dim)
    asking = Service.__new__(Service)
    asking.__dict__ = service.__dict__ | {"gallery": "asked"}
    yield asking
    for name in {each.name for each in database.summaries()} & set(names):
        database.delete_gallery(name)


def entries(service, name, by):
    """What one of them did in galleries of a name, or of one with that name in it, which is told as "X"."""
    found = [each for each in service.services.database.audit.entries(limit=100) if each.id > service.since]
    mine = [each for each in found if name in str(each.gallery)]
    assert {each.actor for each in mine} == {by}
    told = [(each.action, each.gallery, each.person, each.outcome, each.details) for each in mine[::-1]]
    return json.loads(json.dumps(told).replace(name, "X"))


def test_about_people(galleries, command, pictures, tmp_path):
    asked = galleries
    for name, photo in vars(pictures).items():
        (tmp_path / f"{name}.png").write_bytes(photo)
    for name, *photos in (("Ann", "obama", "obama2", "wall"), ("Bob", "biden"), ("Cleo", "obama3")):
        asked.enrol(name, *(getattr(pictures, photo) for photo in photos))
        command("enroll", name, *(tmp_path / f"{photo}.png" for photo in photos), gallery="given")
    asked.ask("PATCH", "people/Ann", json={"name": "Anna"})
    command("rename", "Ann", "Anna", gallery="given")
    asked.ask("PATCH", "people/Anna", json={"metadata": {"team": "A"}})
    command("metadata", "Anna", "--set", '{"team": "A"}', gallery="given")
    command("metadata", "Anna", gallery="given")
    asked.ask("POST", "people/Dora/move", json={"photos": [asked.photos("Anna")[1]["id"]], "create": True})
    photo = asked.services.database.find("given").photos("Anna")[1].id
    command("move", photo, "--to", "Dora", "--create", gallery="given")
    asked.ask("POST", "people/Anna/merge", json={"names": ["Cleo", "Dora"]})
    command("merge", "Cleo", "Dora", "--into", "Anna", gallery="given")
    for name in ("Anna", "Bob"):
        asked.ask("DELETE", f"people/{name}", {"undo_seconds": 0})
    command("forget", "Anna", "Bob", "--yes", gallery="given")
    commanded = entries(asked, "given", actor())
    assert commanded == entries(asked, "asked", "local")
    assert [(action, person) for action, _, person, _, _ in commanded] == [
        ("person.add", "Ann"), ("person.add", "Bob"), ("person.add", "Cleo"), ("person.change", "Ann"),
        ("person.change", "Anna"), ("photo.move", "Dora"), ("person.merge", "Cleo"), ("person.merge", "Dora"),
        ("person.delete", "Anna"), ("person.delete", "Bob"),
    ]  # fmt: skip


def test_about_galleries(galleries, command):
    asked = galleries
    asked.ask("POST", "galleries", json={"name": "asked 2", "model": "mobilefacenet"})
    command("gallery", "create", "given 2", "--model", "mobilefacenet")
    asked.ask("POST", "galleries/asked/switch", json={"other": "asked 2"})
    command("gallery", "switch", "given", "given 2")
    asked.ask("PATCH", "galleries/asked 2", json={"name": "asked 3"})
    command("gallery", "rename", "given 2", "given 3")
    asked.ask("DELETE", "galleries/asked 3")
    command("gallery", "delete", "given 3", "--yes")
    commanded = entries(asked, "given", actor())
    assert commanded == entries(asked, "asked", "local")
    assert [action for action, *_ in commanded] == [
        f"gallery.{each}" for each in ("create", "switch", "rename", "delete")
    ]


def test_what_cannot_be_logged_is_done_and_warned_of(service, command):
    secret = service.services.database.keys.create("any", "read").secret
    told = command("gallery", "create", secret, "--model", "mobilefacenet")
    assert "audit log has no entry" in told and secret not in told
    service.services.database.delete_gallery(secret)
