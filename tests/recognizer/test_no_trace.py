"""Whoever is forgotten is in no snapshot of the index any more, without waiting for the next search."""

import numpy as np
import pytest

from recognizer import Recognizer


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch, mobilefacenet_files, mtcnn_files):
    """A cache of the test's own for snapshots; weights still come from the user's."""
    (tmp_path / "weights").mkdir()
    for path in [*mobilefacenet_files.values(), *mtcnn_files.values()]:
        (tmp_path / "weights" / path.name).symlink_to(path)
    monkeypatch.setenv("RECOGNIZER_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("recognizer.index.SNAPSHOT_FROM", 1)
    return tmp_path / "cache"


@pytest.fixture
def snapshots(own_cache):
    return lambda: list((own_cache / "indexes").glob("*.index"))


@pytest.fixture
def url(tmp_path, portraits, snapshots):
    """A gallery of two people with two photos each, whose snapshot was written."""
    url = f"sqlite:///{tmp_path}/people.db"
    with Recognizer(database=url) as recognizer:
        recognizer.add_customs({"Obama": [portraits.obama, portraits.obama2], "Biden": [portraits.biden] * 2})
        recognizer.recognize(portraits.obama3)
    assert len(snapshots()) == 1
    return url


WORDS = {
    "del_customs": lambda it, photos: it.del_customs("Obama"),
    "update_customs": lambda it, photos: it.update_customs("Obama", photos.obama3),
    "merge_customs": lambda it, photos: it.merge_customs("Biden", "Obama"),
    "move_photos": lambda it, photos: it.move_photos(it.photos("Biden")[0].id, "Obama"),
    "del_photos": lambda it, photos: it.del_photos(it.photos("Obama")[0].id),
}


@pytest.mark.parametrize("word", WORDS)
def test_by_every_word_that_takes_something_away(url, portraits, snapshots, word):
    with Recognizer(database=url) as recognizer:
        WORDS[word](recognizer, portraits)
        assert snapshots() == []
    assert snapshots() == []


def test_adding_keeps_the_file(url, portraits, snapshots):
    with Recognizer(database=url) as recognizer:
        recognizer.add_customs("Wall", recognizer.align_face(portraits.obama3)[0].repeat(3, 0).repeat(3, 1))
        assert len(snapshots()) == 1


COMMANDS = {
    "forget": ["forget", "Obama", "--yes"],
    "merge": ["merge", "Biden", "--into", "Obama"],
    "move": ["move", "1", "--to", "Biden"],
    "delete": ["gallery", "delete", "default", "--yes"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_by_every_command_that_takes_something_away(url, command_line, snapshots, name):
    assert command_line(*COMMANDS[name], "--database", url).exit_code == 0
    assert snapshots() == []


def test_by_an_import_that_replaces(url, command_line, snapshots, tmp_path):
    file = tmp_path / "people.gallery"
    assert command_line("gallery", "export", file, "--database", url).exit_code == 0
    assert len(snapshots()) == 1
    assert command_line("gallery", "import", file, "--merge", "--database", url).exit_code == 0
    assert len(snapshots()) == 1
    assert command_line("gallery", "import", file, "--replace", "--database", url).exit_code == 0
    assert snapshots() == []
    with Recognizer(database=url) as recognizer:
        assert recognizer.recognize(np.zeros((50, 50, 3), np.uint8)) == []
