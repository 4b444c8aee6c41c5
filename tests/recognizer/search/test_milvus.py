"""A real Milvus Lite file: what it holds is never trusted, and it can be dropped and filled again."""

import numpy as np
import pytest

from common.errors import DatabaseError
from tests.recognizer.search.naive import Rows, assert_same, stamps, unit, vectors

pymilvus = pytest.importorskip("pymilvus")
pytest.importorskip("milvus_lite")
from recognizer.search import milvus  # noqa: E402
from recognizer.search.milvus import MilvusIndex  # noqa: E402


@pytest.fixture
def uri(tmp_path):
    return str(tmp_path / "people.db")


@pytest.fixture
def index(uri):
    index = MilvusIndex(16, uri, index_type="FLAT")
    index.add(np.arange(60) // 2, vectors(60, 16), stamps(60))
    yield index
    index.close()


def test_another_process_sees_what_was_committed(index, uri):
    index.commit(12)
    other = MilvusIndex(16, uri)
    assert other.state() == (12, index.checksum) and len(other) == 60
    other.close()


def test_without_a_commit_there_is_no_state(index):
    assert index.state() is None


def test_a_change_after_the_commit_is_noticed(index, uri):
    index.commit(12)
    index.add(np.array([3]), vectors(1, 16, seed=2), stamps(1, seed=2))
    assert index.state() is None
    index.commit(13)
    assert index.state() == (13, index.checksum)


def test_rows_deleted_or_altered_by_others_are_noticed(index, uri):
    index.commit(12)
    client = pymilvus.MilvusClient(uri)
    (row,) = client.query("recognizer", "person == 4", output_fields=["*"], limit=1)
    client.upsert("recognizer", [dict(row, stamp=row["stamp"] + 1, vector=list(row["vector"]))])
    assert index.state() is None
    client.upsert("recognizer", [dict(row, vector=list(row["vector"]))])
    assert index.state() == (12, index.checksum)
    client.delete("recognizer", ids=[row["row"]])
    assert index.state() is None


def test_a_missing_collection_and_one_of_another_dimension_have_no_state(index, uri):
    index.commit(12)
    wide = MilvusIndex(32, uri)
    assert wide.state() is None
    with pytest.raises(DatabaseError, match="vectors of 32 numbers: drop it"):
        wide.add(np.arange(2), vectors(2, 32), stamps(2))
    wide.drop()
    assert wide.state() is None and len(wide) == 0
    wide.add(np.arange(2), vectors(2, 32), stamps(2))
    wide.commit(1)
    assert wide.state() == (1, wide.checksum)
    assert index.state() is None
    wide.close()


def test_a_dropped_collection_is_filled_again(index):
    expected = Rows()
    index.drop()
    assert len(index) == 0 and index.checksum == 0 and (index.search(unit(vectors(1, 16)), 2)[0] == -1).all()
    for each in (index, expected):
        each.change([], np.arange(20), vectors(20, 16, seed=3), stamps(20, seed=3))
    assert_same(index, expected, unit(vectors(3, 16)), 4)


def test_the_same_change_applied_twice_or_by_two_processes_leaves_the_same_rows(index, uri):
    other, expected = MilvusIndex(16, uri), Rows()
    expected.change([], np.arange(60) // 2, vectors(60, 16), stamps(60))
    assert other.checksum == index.checksum
    change = (np.array([1, 2]), np.array([5, 5, 70]), vectors(3, 16, seed=4), stamps(3, seed=4))
    for each in (index, other, index, expected):
        each.change(*change)
    assert len(other) == len(index) == len(expected.all)
    assert other.checksum == index.checksum == expected.checksum
    assert_same(other, expected, unit(vectors(5, 16)), 6)
    other.close()


def test_equal_photos_of_one_person_are_rows_of_their_own(index):
    twice = np.repeat(vectors(1, 16, seed=5), 2, axis=0)
    index.add(np.array([90, 90]), twice, np.array([7, 7]))
    assert len(index) == 62


def test_rows_are_counted_page_by_page(index, monkeypatch):
    monkeypatch.setattr(milvus, "_MOST", 7)
    monkeypatch.setattr(milvus, "_AT_ONCE", 7)
    checksum = index.checksum
    index._tally = None
    assert len(index) == 60 and index.checksum == checksum
    assert len(index.sections()["keys"]) == 60


def test_changes_larger_than_a_step_are_whole_for_each_key(index, monkeypatch):
    monkeypatch.setattr(milvus, "_AT_ONCE", 10)
    expected = Rows()
    expected.change([], np.arange(60) // 2, vectors(60, 16), stamps(60))
    keys = np.random.default_rng(0).integers(20, 60, 130)
    for each in (index, expected):
        each.change(np.arange(15), keys, vectors(130, 16, seed=6), stamps(130, seed=6))
    assert len(index) == len(expected.all) and index.checksum == expected.checksum
    assert_same(index, expected, unit(vectors(5, 16)), 6)


def test_slices_leave_the_rows_of_a_key_together(monkeypatch):
    monkeypatch.setattr(milvus, "_AT_ONCE", 4)
    keys = np.array([1, 1, 2, 3, 3, 3, 3, 3, 3, 4, 5])
    slices = [keys[part].tolist() for part in milvus._cut(keys)]
    assert sum(slices, []) == keys.tolist()
    assert all(set(one).isdisjoint(other) for number, one in enumerate(slices) for other in slices[number + 1 :])
    assert list(milvus._cut(keys[:0])) == []


@pytest.mark.parametrize("call, better", [("upsert", "new"), ("delete", "old")])
def test_a_search_between_two_calls_of_a_change_sees_old_or_new_rows_alone(index, monkeypatch, call, better):
    """Around the call that would show both, the better rows are those that must not be seen."""
    query, seen, real = unit(vectors(1, 16, seed=8)), [], getattr(index._client, call)
    rows = np.repeat(vectors(1, 16, seed=8), 2, axis=0) * (1 if better == "old" else -1)
    index.add(np.array([7, 7]), rows, np.array([1, 2]))

    def between(*arguments, **options):
        for when in ("before", "after"):
            keys, similarities = index._found(query, 40, -1.0, index._hidden)
            seen.append((when, float(similarities[0][keys[0] == 7][0])))
            if when == "before":
                answer = real(*arguments, **options)
        return answer

    monkeypatch.setattr(index._client, call, between)
    index.add(np.array([7, 7]), -rows, np.array([3, 4]))
    assert seen == [("before", pytest.approx(-1, abs=1e-5)), ("after", pytest.approx(-1, abs=1e-5))]


def test_a_failed_change_is_counted_anew_and_can_be_repeated(index, monkeypatch):
    expected, change = Rows(), (np.array([1]), np.array([2, 80]), vectors(2, 16, seed=7), stamps(2, seed=7))
    expected.change([], np.arange(60) // 2, vectors(60, 16), stamps(60))

    def fails(*_, **__):
        raise pymilvus.MilvusException(message="connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(index._client, "delete", fails)
        with pytest.raises(DatabaseError, match="connection lost"):
            index.change(*change)
    assert index.checksum != expected.checksum
    for each in (index, expected):
        each.change(*change)
    assert index.checksum == expected.checksum
    assert_same(index, expected, unit(vectors(4, 16)), 5)


def test_no_error_and_no_repr_shows_the_token(index, monkeypatch):
    index._token, index._uri = "root:s3cret", "http://root:s3cret@milvus.example:19530"

    def fails(*_, **__):
        raise pymilvus.MilvusException(message="bad token root:s3cret")

    monkeypatch.setattr(index._client, "search", fails)
    with pytest.raises(DatabaseError) as caught:
        index.search(unit(vectors(1, 16)), 1)
    assert "s3cret" not in str(caught.value) and "s3cret" not in repr(index)
    assert "http://milvus.example:19530" in str(caught.value) and caught.value.__suppress_context__


def test_a_server_that_is_not_there_is_one_clear_error():
    with pytest.raises(DatabaseError, match="Milvus at http://127.0.0.1:9"):
        MilvusIndex(16, "http://127.0.0.1:9", token="root:s3cret", timeout=1)
