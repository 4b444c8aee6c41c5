"""Every search index, small enough to be tested."""

import pytest

from recognizer.search import INDEXES, hnsw, rows
from tests.recognizer.search.naive import options_of


@pytest.fixture
def small(monkeypatch):
    """Blocks, graphs and steps so small that a few hundred rows fill several."""
    monkeypatch.setattr(rows, "BLOCK", 256)
    monkeypatch.setattr(rows, "FIRST", 16)
    monkeypatch.setattr(rows, "_FEW", 8)
    monkeypatch.setattr(hnsw, "BLOCK", 256)
    monkeypatch.setattr(hnsw, "RECENT", 64)


@pytest.fixture
def make(tmp_path):
    """make(name, dimension=24, **options): an index; all are closed at the end."""
    made = []

    def make(name, dimension=24, **options):
        options = {**options_of(name, tmp_path, len(made)), **options}
        made.append(INDEXES[name](dimension, **options))
        return made[-1]

    yield make
    for index in made:
        index.close()


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", [*INDEXES])
