"""Which index "auto" is, and what is said where a package is missing."""

import subprocess
import sys

import pytest

from common.errors import MissingDependency, UnknownChoice
from recognizer import search


def test_the_index_follows_the_number_of_rows():
    assert [search.choose(rows) for rows in (0, 99_999)] == ["exact", "exact"]
    pytest.importorskip("numkong")
    pytest.importorskip("faiss")
    assert [search.choose(rows) for rows in (100_000, 9_999_999, 10_000_000)] == ["int8", "int8", "hnsw"]


def test_what_is_not_installed_is_not_chosen(monkeypatch):
    monkeypatch.setattr(search, "find_spec", lambda name: None)
    assert search.choose(10_000_000) == "exact"


@pytest.mark.parametrize("index, package, extra", [
    ("int8", "numkong", "search"), ("hnsw", "faiss", "search"), ("milvus", "pymilvus", "milvus"),
])  # fmt: skip
def test_a_missing_package_names_the_extra_that_brings_it(index, package, extra, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    options = {"uri": str(tmp_path / "x.db")} if index == "milvus" else {"folder": tmp_path}
    with pytest.raises(MissingDependency, match=rf"insightface-tensorflow\[{extra}\]"):
        search.INDEXES[index](8, **options)


def test_an_unknown_index_lists_the_choices():
    with pytest.raises(UnknownChoice, match="exact, int8, hnsw, milvus"):
        search.INDEXES["annoy"]


def test_importing_the_indexes_imports_none_of_their_packages():
    code = (
        "import sys, recognizer.search as search; search.choose(5); "
        "print([name for name in ('faiss', 'numkong', 'pymilvus') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
