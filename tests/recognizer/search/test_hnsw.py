"""The graph: made in the background, left alone while searched, and made anew when it is worn."""

import threading

import numpy as np
import pytest

from recognizer.search import rows
from recognizer.search.exact import ExactIndex
from recognizer.search.snapshot import SnapshotRefused
from tests.recognizer.search.naive import Rows, assert_same, stamps, unit, vectors

pytest.importorskip("faiss")
from recognizer.search import hnsw  # noqa: E402
from recognizer.search.hnsw import HnswIndex  # noqa: E402


@pytest.fixture
def index(monkeypatch, tmp_path):
    monkeypatch.setattr(hnsw, "RECENT", 256)
    index = HnswIndex(32, folder=tmp_path / "maps")
    index.add(np.arange(4000), vectors(4000, 32), stamps(4000))
    index.settle()
    yield index
    index.close()


def planted(values, count, seed=9):
    """Queries with a cosine of about 0.7 to some of the vectors, as two photos of a person have."""
    chosen = np.random.default_rng(seed).integers(0, len(values), count)
    noise = unit(vectors(count, values.shape[1], seed=seed))
    return unit(0.7 * unit(values[chosen]) + 0.7 * noise), chosen


def graph(index):
    return index._rows.state.graph


def test_the_graph_holds_all_rows_and_finds_near_matches(index):
    assert graph(index).index.ntotal == 4000 and graph(index).parts == len(index._rows.state.parts)
    queries, chosen = planted(vectors(4000, 32), 300)
    exact = ExactIndex(32)
    exact.add(np.arange(4000), vectors(4000, 32), stamps(4000))
    keys, similarities = index.search(queries, 1)
    right = keys[:, 0] == exact.search(queries, 1)[0][:, 0]
    assert right.mean() >= 0.99
    assert np.array_equal(similarities[right], exact.search(queries, 1)[1][right])


def test_rows_outside_the_graph_are_found_at_once(index):
    before = graph(index)
    index.add(np.array([9000]), vectors(1, 32, seed=5), stamps(1))
    assert graph(index) is before
    assert index.search(unit(vectors(1, 32, seed=5)), 1)[0][0, 0] == 9000


def test_many_rows_outside_join_the_graph(index):
    before = graph(index)
    index.add(np.arange(5000, 5400), vectors(400, 32, seed=5), stamps(400))
    index.settle()
    assert graph(index) is not before and graph(index).index.ntotal == 4400 and before.index.ntotal == 4000
    found = index.search(unit(vectors(400, 32, seed=5)), 1)[0][:, 0]
    assert (found == np.arange(5000, 5400)).mean() > 0.98


def test_removed_and_replaced_rows_are_never_found_in_the_graph(index):
    index.remove(np.arange(0, 600))
    index.add(np.arange(600, 700), -vectors(100, 32, seed=6), stamps(100))
    assert graph(index).index.ntotal == 4000
    keys = index.search(unit(vectors(700, 32)), 3)[0]
    assert not np.isin(keys, np.arange(600)).any()
    assert (keys[600:, 0] != np.arange(600, 700)).all()


def test_dead_rows_around_a_query_are_passed_over_until_live_ones_come(index):
    query = unit(vectors(1, 32, seed=7))
    order = np.argsort(-(unit(vectors(4000, 32)) @ query[0]))
    index.remove(order[:900])
    assert graph(index).index.ntotal == 4000
    assert index.search(query, 2)[0][0].tolist() == order[900:902].tolist()


def test_rows_that_the_graph_does_not_lead_to_are_found_all_the_same(monkeypatch, tmp_path):
    """Among equal vectors, all links of a node lead to equal ones: there is no way from one half to the other."""
    monkeypatch.setattr(hnsw, "RECENT", 64)
    index = HnswIndex(24, folder=tmp_path)
    index.add(np.arange(400), np.tile(vectors(2, 24), (200, 1)), stamps(400))
    index.settle()
    assert graph(index).index.ntotal == 400
    nodes = graph(index).index.search(unit(vectors(1, 24)), 400)[1]
    assert (nodes < 0).any()
    assert np.sort(index.search(unit(vectors(1, 24)), 400)[0][0]).tolist() == list(range(400))
    index.close()


def test_a_worn_graph_is_made_anew_without_the_dead(index):
    index.remove(np.arange(0, 4000, 2))
    index.settle()
    assert graph(index).index.ntotal == 2000 and len(index) == 2000
    found = index.search(unit(vectors(4000, 32)[1::2]), 1)[0][:, 0]
    assert (found == np.arange(1, 4000, 2)).mean() > 0.98


@pytest.mark.parametrize("worn", [False, True])
def test_changes_made_while_a_graph_is_made_are_in_it_or_beside_it(index, monkeypatch, worn):
    building, go = threading.Event(), threading.Event()
    add, expected = index._faiss.IndexHNSWSQ.add, Rows()
    expected.change([], np.arange(4000), vectors(4000, 32), stamps(4000))

    def slow(self, *arguments):
        building.set()
        assert go.wait(20)
        return add(self, *arguments)

    def change(*arguments):
        for each in (index, expected):
            each.change(*arguments)

    nothing = np.zeros(0, np.int64)
    monkeypatch.setattr(index._faiss.IndexHNSWSQ, "add", slow)
    removed = np.arange(0, 4000, 2) if worn else nothing
    change(removed, np.arange(5000, 5400), vectors(400, 32, seed=5), stamps(400, 5))
    assert building.wait(20)
    change(np.arange(5000, 5100), np.arange(6000, 6010), vectors(10, 32, seed=8), stamps(10, 8))
    change(np.array([1, 3, 6001]), np.array([5, 5200]), vectors(2, 32, seed=9), stamps(2, 9))
    go.set()
    index.settle()
    assert len(index) == len(expected.all) and index.checksum == expected.checksum
    queries = np.concatenate([unit(vectors(4, 32, seed=seed)) for seed in (0, 5, 8, 9)])
    assert_same(index, expected, queries, 3)


def test_closing_gives_up_a_graph_in_the_making(monkeypatch, tmp_path):
    monkeypatch.setattr(hnsw, "RECENT", 256)
    monkeypatch.setattr(hnsw, "_STEP", 64)
    index = HnswIndex(32, folder=tmp_path)
    add, added, closing = index._faiss.IndexHNSWSQ.add, [], threading.Event()

    def slow(self, rows):
        assert closing.wait(20)
        added.append(len(rows))
        return add(self, rows)

    monkeypatch.setattr(index._faiss.IndexHNSWSQ, "add", slow)
    index.add(np.arange(3000), vectors(3000, 32), stamps(3000))
    threading.Timer(0.2, closing.set).start()
    index.close()
    assert added in ([], [64]) and index._builder is None and graph(index) is None


def test_a_graph_that_cannot_be_made_leaves_the_index_right(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(hnsw, "RECENT", 16)
    index = HnswIndex(32, folder=tmp_path)

    def full(*_):
        raise MemoryError("no memory")

    monkeypatch.setattr(index, "_empty", full)
    index.add(np.arange(300), vectors(300, 32), stamps(300))
    index.settle()
    assert "No other graph was made" in caplog.text
    assert index.search(unit(vectors(300, 32)), 1)[0][:, 0].tolist() == list(range(300))
    index.close()


def test_the_graph_is_part_of_the_sections_with_what_changed_since(index, tmp_path, monkeypatch):
    expected = Rows()
    expected.change([], np.arange(4000), vectors(4000, 32), stamps(4000))
    for each in (index, expected):
        each.change(np.arange(100, 300), np.arange(3990, 4020), vectors(30, 32, seed=5), stamps(30, 5))
    sections = {name: np.asarray(value) for name, value in index.sections().items()}
    monkeypatch.setattr(HnswIndex, "_empty", lambda self, parts: pytest.fail("the graph was made again"))
    monkeypatch.setattr(rows, "BLOCK", 1000)
    monkeypatch.setattr(hnsw, "BLOCK", 1000)
    again = HnswIndex.from_sections(32, sections, folder=tmp_path)
    assert graph(again).index.ntotal == 4000 and graph(again).parts == 4
    assert len(again) == len(index) == 3820 and again.checksum == index.checksum == expected.checksum
    queries = np.concatenate([unit(vectors(20, 32)), unit(vectors(20, 32, seed=5)), unit(vectors(300, 32)[100:])])
    assert_same(again, expected, queries, 3)
    again.close()


@pytest.mark.parametrize("change", [
    lambda sections: sections.update(graph=sections["graph"][:100]),
    lambda sections: sections.update(graph=np.zeros(100, np.uint8)),
    lambda sections: sections.update(nodes=sections["nodes"][:-1]),
    lambda sections: sections["nodes"].__setitem__(0, 4000),
    lambda sections: sections["nodes"].__setitem__(0, -2),
])  # fmt: skip
def test_a_graph_that_does_not_fit_its_rows_is_refused(index, tmp_path, change):
    sections = {name: np.asarray(value).copy() for name, value in index.sections().items()}
    change(sections)
    with pytest.raises(SnapshotRefused, match="graph"):
        HnswIndex.from_sections(32, sections, folder=tmp_path)
