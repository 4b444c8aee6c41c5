"""What every index promises, one test a sentence of the interface, against naive search."""

import threading

import numpy as np
import pytest

from common.errors import BadArgument, BadEmbedding
from recognizer.search import INDEXES
from tests.recognizer.search.naive import Rows, assert_same, options_of, stamps, unit, vectors

NOTHING = np.zeros(0, np.int64)


def settle(index):
    if hasattr(index, "settle"):
        index.settle()


def filled(make, name, count, keys=None, dimension=24, **options):
    index, expected = make(name, dimension, **options), Rows()
    keys = np.arange(count) if keys is None else np.asarray(keys, np.int64)
    values = vectors(len(keys), dimension)
    index.add(keys, values, stamps(len(keys)))
    expected.change([], keys, values, stamps(len(keys)))
    settle(index)
    return index, expected


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 700])
def test_finds_what_naive_search_finds(name, make, size, small):
    index, expected = filled(make, name, size)
    queries = unit(vectors(9, seed=1))
    for count in (1, 2, 7):
        assert_same(index, expected, queries, count)
    assert len(index) == size and index.checksum == expected.checksum


def test_an_empty_index_finds_nobody(name, make):
    index = make(name)
    keys, similarities = index.search(unit(vectors(3)), 2)
    assert (keys == -1).all() and (similarities == -1).all() and keys.shape == (3, 2)
    assert len(index) == 0 and index.checksum == 0
    assert index.search(np.zeros((0, 24), np.float32), 2)[0].shape == (0, 2)


def test_no_query_finds_nothing(name, make):
    index, _ = filled(make, name, 5)
    keys, similarities = index.search(np.zeros((0, 24), np.float32), 3)
    assert keys.shape == similarities.shape == (0, 3)


def test_places_that_nobody_takes_hold_minus_one(name, make):
    index, expected = filled(make, name, 3)
    assert_same(index, expected, unit(vectors(2, seed=5)), 8)


def test_leaves_out_rows_below_the_threshold(name, make, small):
    index, expected = filled(make, name, 400)
    queries = unit(vectors(5, seed=2))
    for threshold in (-1.0, 0.0, 0.3, 0.999):
        assert_same(index, expected, queries, 6, threshold)
    exactly = index.search(queries[:1], 3)[1][0, 2]
    assert (index.search(queries[:1], 5, float(exactly))[0][0] >= 0).sum() == 3


def test_vectors_are_normalised_and_a_zero_vector_stays_zero(name, make):
    index, expected = make(name), Rows()
    values = vectors(6) * np.array([[1e-3], [1], [1e3], [1e18], [1e-20], [0]], np.float32)
    index.add(np.arange(6), values, stamps(6))
    expected.change([], np.arange(6), values, stamps(6))
    queries = unit(vectors(4, seed=3))
    assert_same(index, expected, queries, 6)
    keys, similarities = index.search(queries, 6)
    assert similarities[keys == 5].tolist() == [0] * 4


def test_each_key_comes_once_with_its_best_row(name, make, small):
    index, expected = filled(make, name, None, keys=np.arange(600) % 7)
    queries = unit(vectors(6, seed=4))
    for count in (1, 3, 7, 9):
        assert_same(index, expected, queries, count)


def test_the_nearest_rows_all_being_one_key_does_not_hide_the_next(name, make, small):
    index, expected = make(name), Rows()
    near = vectors(1, seed=8) + 0.01 * vectors(300, seed=9)
    values = np.concatenate([near, vectors(300, seed=10)]).astype(np.float32)
    keys = np.concatenate([np.zeros(300, np.int64), np.arange(1, 301)])
    index.add(keys, values, stamps(600))
    expected.change([], keys, values, stamps(600))
    settle(index)
    assert_same(index, expected, unit(vectors(1, seed=8)), 3)


def test_thousands_of_rows_of_one_key_nearest_do_not_hide_the_next(name, make):
    if name == "milvus":
        pytest.skip("a Milvus server answers with 16,384 rows at most, and a file is slow at it")
    index, expected = make(name), Rows()
    near = vectors(1, seed=8) + 0.01 * vectors(6000, seed=9)
    values = np.concatenate([near, vectors(50, seed=10)]).astype(np.float32)
    keys = np.concatenate([np.zeros(6000, np.int64), np.arange(1, 51)])
    index.add(keys, values, stamps(6050))
    expected.change([], keys, values, stamps(6050))
    assert_same(index, expected, unit(vectors(1, seed=8)), 3)


def test_equal_cosines_come_by_lower_key(name, make, small):
    index, same = make(name), vectors(1, seed=6)
    keys = np.random.default_rng(0).permutation(200)
    index.add(keys, np.repeat(same, 200, axis=0), stamps(200))
    settle(index)
    found, similarities = index.search(unit(same), 5)
    if name in ("exact", "int8"):
        assert found[0].tolist() == [0, 1, 2, 3, 4]
    assert np.unique(similarities).size == 1
    index.remove(np.arange(5, 200))
    assert index.search(unit(same), 5)[0][0].tolist() == [0, 1, 2, 3, 4]


def test_similarity_stays_within_a_cosine_s_range(name, make):
    index, _ = make(name), None
    values = vectors(50)
    index.add(np.arange(50), values, stamps(50))
    for same in (values, -values):
        assert np.abs(index.search(unit(same), 50)[1]).max() <= 1


def test_an_updated_key_has_its_new_rows_only(name, make):
    index, expected = filled(make, name, None, keys=[3, 3, 4, 5])
    values = vectors(2, seed=20)
    for rows in (expected, index):
        rows.change(np.array([5]), np.array([3, 9]), values, stamps(2, seed=3))
    assert_same(index, expected, unit(vectors(5, seed=21)), 6)
    assert len(index) == 3 and index.checksum == expected.checksum


def test_removing_unknown_keys_changes_nothing(name, make):
    index, expected = filled(make, name, 4)
    index.remove(np.array([17, 18]))
    assert len(index) == 4 and index.checksum == expected.checksum


def test_rows_that_went_do_not_crowd_out_those_that_stay(name, make, small):
    index, expected = make(name), Rows()
    near = vectors(1, seed=8) + 0.05 * vectors(200, seed=9)
    values = np.concatenate([near, vectors(400, seed=10)]).astype(np.float32)
    for rows in (index, expected):
        rows.change(NOTHING, np.arange(600), values, stamps(600))
    settle(index)
    for rows in (index, expected):
        rows.change(np.arange(195), NOTHING, np.zeros((0, 24), np.float32), NOTHING)
    assert_same(index, expected, unit(vectors(1, seed=8)), 10)


def test_follows_a_random_history_of_changes_as_a_fresh_index_does(name, make, small):
    index, expected, random = make(name), Rows(), np.random.default_rng(3)
    steps = 120 if name != "milvus" else 40
    for step in range(steps):
        count = int(random.integers(1, 120)) if random.random() < 0.3 else int(random.integers(0, 4))
        keys = random.integers(0, 400, count)
        removed = random.integers(0, 400, int(random.integers(0, 30)) if random.random() < 0.3 else 0)
        for rows in (index, expected):
            rows.change(removed, keys, vectors(count, seed=step), stamps(count, seed=step))
        assert len(index) == len(expected.all) and index.checksum == expected.checksum
        if step % 10 == 0:
            settle(index)
            assert_same(index, expected, unit(vectors(3, seed=1000 + step)), 5)
    fresh = make(name)
    fresh.add(*(np.array(each) for each in zip(*[(key, np.float32(v), s) for key, v, s in expected.all])))
    assert fresh.checksum == index.checksum
    assert_same(fresh, expected, unit(vectors(3, seed=7)), 5)


def test_searches_in_threads_never_miss_an_updated_key_nor_see_half_a_change(name, make, small):
    """Keys come in pairs that always change together, to one of two vectors; a search must find equal ones."""
    pairs = 40 if name != "milvus" else 8
    index, query = make(name), unit(vectors(1, seed=31))
    either = unit(vectors(2 * pairs, seed=30)).reshape(2, pairs, 24)
    first, second = np.arange(pairs), np.arange(pairs) + 1000
    right = np.float64(either) @ np.float64(query[0])

    def write(numbers, turn):
        keys = np.concatenate([first[numbers], second[numbers]])
        index.add(keys, np.concatenate([either[turn, numbers]] * 2), stamps(len(keys), seed=turn))

    write(np.arange(pairs), 0)
    stop, wrong = threading.Event(), []

    def search():
        while not stop.is_set():
            try:
                keys, similarities = index.search(query, 2 * pairs)
                found = dict(zip(keys[0].tolist(), similarities[0].tolist()))
                for one, other in zip(first.tolist(), second.tolist()):
                    if one not in found or other not in found or found[one] != found[other]:
                        wrong.append((one, found.get(one), found.get(other)))
                    elif np.abs(right[:, one] - found[one]).min() > 1e-5:
                        wrong.append((one, found[one], "torn"))
            except Exception as error:
                wrong.append(error)

    searching = [threading.Thread(target=search) for _ in range(4)]
    for thread in searching:
        thread.start()
    random = np.random.default_rng(0)
    for step in range(300 if name != "milvus" else 25):
        write(random.choice(pairs, 5, replace=False), step % 2)
    stop.set()
    for thread in searching:
        thread.join()
    assert wrong == []


def test_sections_make_the_same_index_again(name, make, tmp_path, small):
    index, expected = filled(make, name, None, keys=np.random.default_rng(1).integers(0, 150, 500))
    for rows in (index, expected):
        rows.change(np.arange(20), np.arange(100, 130), vectors(30, seed=40), stamps(30, seed=40))
    sections = {part: np.asarray(value) for part, value in index.sections().items()}
    assert (np.diff(sections["keys"]) >= 0).all() and len(sections["keys"]) == len(index)
    for value in sections.values():
        value.flags.writeable = False
    again = INDEXES[name].from_sections(24, sections, **options_of(name, tmp_path, 99))
    try:
        queries = unit(vectors(5, seed=41))
        assert len(again) == len(index) and again.checksum == index.checksum
        assert_same(again, expected, queries, 5)
        for rows in (again, expected):
            rows.change(np.arange(50, 60), np.arange(105, 160), vectors(55, seed=42), stamps(55, seed=42))
        assert again.checksum == expected.checksum
        assert_same(again, expected, queries, 5)
    finally:
        again.close()


def test_an_empty_index_has_sections_too(name, make, tmp_path):
    sections = make(name).sections()
    again = INDEXES[name].from_sections(24, sections, **options_of(name, tmp_path, 98))
    assert len(again) == 0 and again.checksum == 0
    again.close()


@pytest.mark.parametrize("shape", [(2, 23), (3, 24), (2,), (2, 24, 1)])
def test_vectors_of_another_shape_are_refused_and_nothing_changes(name, make, shape):
    index, expected = filled(make, name, 4)
    with pytest.raises(BadEmbedding, match="one row a key"):
        index.change(np.array([0]), np.array([7, 8]), np.ones(shape, np.float32), stamps(2))
    assert len(index) == 4 and index.checksum == expected.checksum


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(name, make, value):
    index, expected = filled(make, name, 4)
    broken = vectors(2)
    broken[1, 5] = value
    with pytest.raises(BadEmbedding, match="finite"):
        index.add(np.array([0, 9]), broken, stamps(2))
    with pytest.raises(BadEmbedding, match="finite"):
        index.search(broken, 1)
    assert len(index) == 4 and index.checksum == expected.checksum


def test_bad_arguments_are_refused(name, make):
    index = make(name)
    with pytest.raises(BadArgument, match="count of at least 1"):
        index.search(unit(vectors(1)), 0)
    with pytest.raises(BadArgument, match="keys of at least 0"):
        index.add(np.array([-1]), vectors(1), stamps(1))
    with pytest.raises(BadArgument, match="stamps"):
        index.add(np.array([1]), vectors(1), stamps(2))
    with pytest.raises(BadEmbedding, match=r"\[q, 24\]"):
        index.search(np.ones(24, np.float32), 1)
