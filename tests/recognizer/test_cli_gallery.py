"""``recognizer gallery`` and ``recognizer db``, as users call them."""

import json
import logging
import sqlite3

import numpy as np
import pytest

import db
import networks
from db import versions
from recognizer.cli import confirm, progress
from recognizer.cli import gallery as commands
from tests.recognizer import tiny_models
from tests.recognizer.tiny_models import face


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The paths of two recognisers, "old" and "new"."""
    folder = tmp_path_factory.mktemp("models")
    return tiny_models.model(folder, "old", 1, 5), tiny_models.model(folder, "new", 2, 7)


@pytest.fixture
def url(own_data_folder):
    return f"sqlite:///{own_data_folder}/people.db"


@pytest.fixture
def default(url, models):
    """The gallery "default" with 40 people, of two photos each."""
    model = networks.load(models[0])
    with db.open(url) as database:
        gallery = tiny_models.gallery_of(database, model)
        gallery.add_many({f"p{i}": [face(model, 2 * i), face(model, 2 * i + 1)] for i in range(40)})
        yield gallery


@pytest.fixture
def run(command_line):
    """Runs a command that succeeds; what it printed."""

    def call(*arguments):
        result = command_line(*arguments)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    return call


@pytest.fixture
def fail(command_line):
    """Runs a command that fails; its message."""

    def call(*arguments, code=2):
        result = command_line(*arguments)
        assert result.exit_code == code and result.stdout == ""
        assert result.stderr.startswith("error: ") and "Traceback" not in result.stderr
        return result.stderr

    return call


def audited(url):
    """What was logged, oldest first: action, gallery and particulars."""
    with db.open(url) as database:
        return [(entry.action, entry.gallery, entry.details) for entry in database.audit.entries()[::-1]]


def listed(run):
    return {found["name"]: found for found in json.loads(run("gallery", "list", "--json"))}


def test_no_gallery_is_listed_where_there_is_none(run):
    assert run("gallery", "list") == "The database holds no gallery.\n"
    assert run("gallery", "list", "--json") == "[]\n"


def test_a_gallery_is_made_listed_renamed_copied_and_deleted(run, models, default, url):
    assert run("gallery", "create", "Gäste", "--model", models[1]) == "Made 'Gäste' for new.\n"
    run("gallery", "rename", "Gäste", "visitors")
    assert run("gallery", "copy", "default", "trial") == "Made 'trial': 40 people, 80 photos.\n"
    found = listed(run)
    assert list(found) == ["default", "trial", "visitors"]
    assert (found["visitors"]["model"], found["visitors"]["dimension"], found["visitors"]["people"]) == ("new", 7, 0)
    assert (found["trial"]["people"], found["trial"]["photos"], found["trial"]["source"]) == (40, 80, None)
    assert found["visitors"]["digest"] == networks.load(models[1]).digest
    lines = run("gallery", "list").splitlines()
    assert lines[0].split() == ["Gallery", "Model", "People", "Photos", "Threshold", "Made", "from"]
    assert lines[2].split() == ["trial", "old", "40", "80", "-", "-"]
    assert run("gallery", "delete", "trial", "--yes") == "Deleted 'trial': 40 people, 80 photos.\n"
    assert list(listed(run)) == ["default", "visitors"]
    assert ("gallery.copy", "default", {"to": "trial"}) in audited(url)


def test_a_gallery_is_made_for_the_model_of_the_settings_as_enrolling_would(run, mobilefacenet_files):
    assert run("gallery", "create", "mine") == "Made 'mine' for mobilefacenet.\n"
    assert listed(run)["mine"]["digest"] == networks.load("mobilefacenet").digest


def test_names_that_are_taken_or_unknown_are_refused(fail, models, default):
    assert "'default' already" in fail("gallery", "create", "default", "--model", models[1])
    assert "'default' already" in fail("gallery", "copy", "default", "default")
    for command in (["delete", "nobody", "--yes"], ["rename", "nobody", "x"], ["copy", "nobody", "x"]):
        assert "Unknown gallery 'nobody'. Expected one of: 'default'" in fail("gallery", *command)
    assert "Unknown gallery 'nobody'" in fail("gallery", "switch", "default", "nobody")
    assert "cannot be switched with itself" in fail("gallery", "switch", "default", "default")
    assert "must not be empty" in fail("gallery", "rename", "default", " ")


def test_deleting_asks_and_no_changes_nothing(command_line, fail, default, monkeypatch):
    assert "add --yes" in fail("gallery", "delete", "default")
    terminal(monkeypatch)
    result = command_line("gallery", "delete", "default", input="n\n")
    assert result.exit_code == 1 and "40 people, 80 photos" in result.stdout
    assert "Nothing was deleted." in result.stdout
    assert default.count() == (40, 80)
    assert command_line("gallery", "delete", "default", input="y\n").exit_code == 0


def terminal(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    class System:
        stdin = stderr = Terminal()

    for module in (commands, confirm):
        monkeypatch.setattr(module, "sys", System)


def test_a_gallery_is_exported_and_imported(run, fail, default, tmp_path, url):
    file = tmp_path / "people.gallery"
    shown = run("gallery", "export", file)
    assert shown == f"Wrote 'default' to {file}: {file.stat().st_size / 1e6:.1f} MB.\n"
    assert "--force" in fail("gallery", "export", file)
    run("gallery", "export", file, "--force")
    assert "'default' holds 40 people" in fail("gallery", "import", file)
    assert "one of the two" in fail("gallery", "import", file, "--merge", "--replace")
    shown = run("gallery", "import", file, "--gallery", "other")
    assert shown == "Imported into 'other': 40 people, 80 photos added.\n"
    default.delete(["p1"])
    shown = run("gallery", "import", file, "--merge")
    assert shown == "Imported into 'default': 1 person, 2 photos added; 78 photos there already.\n"
    run("gallery", "import", file, "--replace")
    file.write_bytes(file.read_bytes()[:-100])
    assert "cut short or altered" in fail("gallery", "import", file, "--replace")
    assert "no such file" in fail("gallery", "import", tmp_path / "nothing")
    assert listed(run)["default"]["people"] == 40
    assert "Unknown gallery 'nobody'" in fail("gallery", "export", tmp_path / "x", "--gallery", "nobody")
    assert [entry for entry in audited(url) if entry[0] == "gallery.import"] == [
        ("gallery.import", name, {"mode": mode, "people": people, "photos": 2 * people})
        for name, mode, people in (("other", "new", 40), ("default", "merge", 1), ("default", "replace", 40))
    ]
    assert [entry[:2] for entry in audited(url) if entry[0] == "gallery.export"] == [("gallery.export", "default")] * 2


def test_people_are_moved_to_another_model_and_back(run, fail, command_line, models, default, url):
    default.add("Bare", [db.Face(default.faces("p1")[0].embedding)])
    result = command_line("gallery", "reembed", "--model", models[1])
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Re-embedding 'default' with new into 'default-new'.",
        "'default-new' has 40 people, 80 photos now.",
    ]
    assert "warning: Bare: 0 of 1 photos came along" in result.stderr
    made = {"model": "new", "into": "default-new", "people": 40, "photos": 80}
    assert audited(url) == [("gallery.reembed", "default", made)]
    assert "warning: 1 person did not come along with every photo" in result.stderr
    assert (listed(run)["default-new"]["source"], listed(run)["default-new"]["pending"]) == ("default", 0)
    default.add("New", [face(networks.load(models[0]), 7)])
    assert listed(run)["default-new"]["pending"] == 1
    assert "default, 1 person to come" in run("gallery", "list")
    assert "yet to take over 1 people" in fail("gallery", "switch", "default", "default-new")
    run("gallery", "reembed", "--model", models[1], "--gallery", "default", "--into", "default-new")
    assert "'default' holds embeddings of new now" in run("gallery", "switch", "default", "default-new")
    assert listed(run)["default"]["model"] == "new"
    assert "holds embeddings of new already" in fail("gallery", "reembed", "--model", models[1])
    run("gallery", "switch", "default", "default-new")
    assert listed(run)["default"]["model"] == "old"


def test_damaged_crops_are_warned_of(command_line, models, default):
    default.add("Odd", [db.Face(default.faces("p1")[0].embedding, "odd.jpg", crop=b"nothing")])
    result = command_line("gallery", "reembed", "--model", models[1])
    assert result.exit_code == 0
    assert "warning: Odd: odd.jpg: its crop cannot be used: " in result.stderr


def test_a_threshold_is_measured_shown_and_kept(run, command_line, default, tmp_path, url):
    result = command_line("gallery", "calibrate", "--far", "0.01", "--dry-run")
    assert result.exit_code == 0 and "Nothing was stored." in result.stdout
    assert "the most similar strangers: p" in result.stderr
    assert default.threshold is None and audited(url) == []
    measured = json.loads(run("gallery", "calibrate", "--far", "0.01", "--json", "--plot", tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert measured["stored"] and measured["impostor"] == 80 * 39 and measured["genuine"] == 80
    kept = default.threshold
    assert kept == (measured["threshold"], measured["far"], measured["low"], measured["high"])
    assert audited(url) == [("gallery.threshold", "default", {"similarity": measured["threshold"]})]
    assert measured["far"] <= 0.01 and measured["low"] <= measured["threshold"] <= measured["high"]
    assert f"{measured['threshold']:.4f} (FAR 0.0" in run("gallery", "list")
    assert f"{measured['threshold']:.4f}" in result.stdout and "Kept with gallery 'default'." in run(
        "gallery", "calibrate", "--far", "0.01"
    )


def test_a_rate_that_cannot_be_measured_names_one_that_can(fail, default):
    assert "--far 0.0033 can be measured" in fail("gallery", "calibrate")
    assert default.threshold is None


def test_only_making_and_reembedding_load_a_network(run, default, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "load", None)
    run("gallery", "list")
    run("gallery", "copy", "default", "copy")
    run("gallery", "calibrate", "--far", "0.1")
    run("gallery", "export", tmp_path / "a")
    run("gallery", "import", tmp_path / "a", "--gallery", "b")
    run("gallery", "switch", "copy", "b")
    run("gallery", "delete", "b", "--yes")


def test_the_database_tells_where_it_is_and_how_much_it_holds(run, default, own_data_folder):
    found = json.loads(run("db", "info", "--json"))
    assert found == {
        "place": str(own_data_folder / "people.db"),
        "engine": f"SQLite {sqlite3.sqlite_version}",
        "revision": versions.NEWEST,
        "galleries": 1,
        "people": 40,
        "photos": 80,
    }
    assert f"SQLite {sqlite3.sqlite_version}" in run("db", "info")


def test_no_password_is_taken_or_shown(fail, run, default, server_url, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    for command in (["db", "info"], ["db", "upgrade"], ["gallery", "list"], ["gallery", "copy", "a", "b"]):
        message = fail(*command, "--database", "mysql://user:hunter2@host/people")
        assert "RECOGNIZER_DATABASE_PASSWORD" in message and "hunter2" not in message
    monkeypatch.setenv("RECOGNIZER_DATABASE", server_url)
    shown = run("db", "info")
    assert "mysql://127.0.0.1" in shown and ("MariaDB" in shown or "MySQL" in shown)
    assert "tester" not in shown and "p%40ss" not in shown and "p@ss" not in shown


def test_a_database_is_upgraded_once(run, default):
    assert run("db", "upgrade") == f"The database has revision {versions.NEWEST} already.\n"


def test_an_empty_database_is_set_up_by_an_upgrade(run):
    assert run("db", "upgrade") == f"The database has revision {versions.NEWEST} now; it was empty.\n"


def test_a_command_line_that_goes_on_in_the_background_says_the_same(default, models):
    options = commands.ReembedOptions(
        database="sqlite:////x/people.db", gallery=None, model="-new", threads=2, accept_license=True
    )
    assert commands._arguments(options, "-g", "-g-new") == [
        "gallery", "reembed", "--database=sqlite:////x/people.db", "--gallery=-g", "--model=-new", "--threads=2",
        "--into=-g-new", "--accept-license",
    ]  # fmt: skip


def test_bars_are_only_shown_on_terminals_and_count_everything(monkeypatch, capsys):
    assert commands._rated(items := [1, 2], 2, "x") is items
    terminal(monkeypatch)
    assert list(commands._rated(iter(range(50)), 50, "re-embedding")) == list(range(50))
    assert np.array_equal(list(progress.counted(range(3), 3, "x")), range(3))
