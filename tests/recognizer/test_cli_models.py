import json
import shutil

import pytest

from networks import zoo


@pytest.fixture
def own_cache(mobilefacenet_files, tmp_path, monkeypatch):
    """A cache of this test's own that holds mobilefacenet; returns where its file lies."""
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECOGNIZER_WEIGHTS", raising=False)
    place = zoo.entry("mobilefacenet").files["model"].cached
    place.parent.mkdir(parents=True)
    shutil.copy(mobilefacenet_files["model"], place)
    return place


def _states(command_line):
    return {
        model["name"]: model["state"] for model in json.loads(command_line("models", "list", "--json").stdout)
    }


def test_all_models_are_listed_with_their_state(command_line, own_cache):
    states = _states(command_line)
    assert list(states) == zoo.names()
    assert states.pop("mobilefacenet") == "ok"
    assert set(states.values()) == {"missing"}


def test_the_table_shows_task_licence_and_threshold(command_line, own_cache):
    [row] = [line for line in command_line("models", "list").stdout.splitlines() if "mobilefacenet" in line]
    entry = zoo.entry("mobilefacenet")
    for expected in ("embedding", "MIT", "5.2", "ok", f"{entry.card.threshold.similarity:g}", "FAR"):
        assert expected in row
    listed = json.loads(command_line("models", "list", "--json").stdout)
    [threshold] = [model["threshold"] for model in listed if model["name"] == "mobilefacenet"]
    assert threshold == {
        "similarity": entry.card.threshold.similarity,
        "far": entry.card.threshold.far,
        "measured_on": entry.card.threshold.measured_on,
    }


def test_verify_finds_all_well(command_line, own_cache):
    assert command_line("models", "verify").exit_code == 0
    assert command_line("models", "verify", "mobilefacenet").exit_code == 0


def test_verify_exits_1_when_a_file_is_altered(command_line, own_cache):
    with own_cache.open("r+b") as file:
        file.write(b"altered")
    for result in (command_line("models", "verify"), command_line("models", "verify", "mobilefacenet")):
        assert result.exit_code == 1
        assert "altered" in result.stdout
    assert _states(command_line)["mobilefacenet"] == "altered"


def test_verify_exits_1_when_a_file_is_missing(command_line, own_cache):
    result = command_line("models", "verify", "mobilefacenet", "mtcnn")
    assert result.exit_code == 1
    assert result.stdout.count("missing") == len(zoo.entry("mtcnn").files)
    own_cache.unlink()
    assert command_line("models", "verify").exit_code == 1


def test_pull_needs_no_network_for_what_is_here(command_line, own_cache):
    result = command_line("models", "pull", "mobilefacenet")
    assert result.exit_code == 0
    assert result.stdout == "mobilefacenet: here, 5.2 MB\n"


def test_pull_goes_on_after_one_that_fails_and_exits_2(command_line, own_cache, monkeypatch):
    monkeypatch.delenv("RECOGNIZER_ACCEPT_LICENSE", raising=False)
    result = command_line("models", "pull", "nonsense", "buffalo_l", "mobilefacenet")
    assert result.exit_code == 2
    assert result.stdout == "mobilefacenet: here, 5.2 MB\n"
    assert "Unknown model 'nonsense'" in result.stderr
    assert "--accept-license" in result.stderr


def test_all_leaves_out_what_asks_for_a_licence(command_line, own_cache, monkeypatch):
    pulled = []
    monkeypatch.setattr(zoo, "pull", lambda name, **options: pulled.append(name) or {})
    assert command_line("models", "pull", "--all").exit_code == 0
    assert set(pulled) == {name for name in zoo.names() if zoo.entry(name).license.permissive}
    pulled.clear()
    command_line("models", "pull", "--all", "--accept-license")
    assert pulled == zoo.names()
