import numpy as np
import pytest

from bench import search
from bench.peer_worker import _searcher, in_threads
from recognizer.search import INDEXES


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path))
    monkeypatch.setattr(search, "CHUNK", 300)
    return search.vectors_file(1000, 64)


def test_vectors_have_length_one_and_are_made_once(path):
    rows = np.load(path)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert len(np.unique(rows, axis=0)) == 1000
    before = path.stat().st_mtime_ns
    assert search.vectors_file(1000, 64) == path and path.stat().st_mtime_ns == before


def test_queries_lie_as_far_from_their_row_as_two_photos_of_a_person(path):
    rows = np.load(path)
    queries, chosen = search.planted(rows, 200)
    cosines = np.sum(queries * rows[chosen], axis=1)
    assert cosines.min() >= 0.599 and cosines.max() <= 0.801 and cosines.std() > 0.03
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-6)


def test_each_thread_asks_its_own_queries_one_at_a_time():
    asked = []
    in_threads(lambda query: asked.append(query.tolist()), np.arange(12).reshape(3, 2, 2))
    assert sorted(asked) == [[[number, number + 1]] for number in range(0, 12, 2)]


def test_a_peer_answers_with_ids_and_without_queries_with_its_facts():
    answer = _searcher(lambda queries: np.array([[len(queries), 5]] * len(queries)), [1.5, 30.0])
    assert answer(np.zeros((2, 4))).tolist() == [2, 2]
    assert answer(np.zeros((0, 4))) == [1.5, 30.0]
    assert answer(np.zeros((3, 2, 4))) == []


def test_figures_and_table_of_a_small_run(path, tmp_path):
    rows = np.load(path)
    contestant, index = search.ours("exact", path, 2, str(tmp_path))
    figures = search.measure({"ours": contestant}, rows, 1)
    assert figures["ours"]["recall"] == 1 and figures["ours"]["p50"] <= figures["ours"]["p99"]
    table = search.table(1000, 64, figures)
    assert len(table.rows) == 1 and len(table.rows[0]) == len(table.columns)
    index.close()


def test_a_wrong_index_is_seen_in_recall_and_equality(path, tmp_path):
    rows = np.load(path)
    _, right = search.ours("exact", path, 2, str(tmp_path))
    wrong = INDEXES["exact"](64)
    wrong.add(np.arange(900), rows[:900], np.arange(900))
    same, asked = search.equal_answers(right, right, rows)
    assert same == asked == 1024
    assert search.equal_answers(right, wrong, rows)[0] < asked

    def run(queries):
        return 0.1, wrong.search(queries.reshape(-1, 64), 1)[0][:, 0]

    recall = search.measure({"wrong": search.Contestant(run, 0, 0)}, rows, 1)
    assert 0.8 < recall["wrong"]["recall"] < 0.97
    right.close()
    wrong.close()


def test_a_graph_is_kept_for_the_next_run(path, tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    from recognizer.search import hnsw

    monkeypatch.setattr(hnsw, "RECENT", 100)
    first, index = search.ours("hnsw", path, 2, str(tmp_path))
    index.close()
    monkeypatch.setattr(hnsw.HnswIndex, "_make", lambda self: pytest.fail("the graph was made again"))
    again, index = search.ours("hnsw", path, 2, str(tmp_path))
    assert again.build == pytest.approx(first.build) and index._rows.state.graph is not None
    assert (again.run(np.load(path)[:50])[1] == np.arange(50)).all()
    index.close()
