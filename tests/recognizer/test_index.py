"""The search index against brute force, while it changes and while others change the gallery."""

import threading

import numpy as np
import pytest

import db
from db import Face
from recognizer.index import ExactIndex, GalleryIndex


def unit(rows):
    rows = np.float64(rows)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def vectors(count, dimension=16, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def brute_force(query, named, count):
    ranked = sorted(
        ((name, float(unit(vector) @ query)) for name, vector in named.items()), key=lambda pair: -pair[1]
    )
    return ranked[:count]


def assert_nearest(index, named, queries, count):
    for query, found in zip(queries, index.search(queries, count)):
        expected = brute_force(query, named, count)
        assert [name for name, _ in found] == [name for name, _ in expected]
        np.testing.assert_allclose([s for _, s in found], [s for _, s in expected], atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 500])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_finds_what_brute_force_finds(size, count):
    index, rows = ExactIndex(16), vectors(size) * 9  # templates are not of length 1
    index.put(np.arange(size), [f"p{i}" for i in range(size)], rows)
    queries = unit(vectors(20, seed=1)).astype(np.float32)
    assert len(index) == size
    assert_nearest(index, {f"p{i}": row for i, row in enumerate(rows)}, queries, count)


def test_an_empty_index_finds_nobody():
    assert ExactIndex(16).search(vectors(3), 2) == [[], [], []]
    assert ExactIndex(16).search(vectors(0), 2) == []


def test_no_query_finds_nothing():
    index = ExactIndex(16)
    index.put(np.arange(4), list("abcd"), vectors(4))
    assert index.search(vectors(0), 2) == []


def test_follows_a_random_history_of_changes():
    random, index, named = np.random.default_rng(3), ExactIndex(16), {}
    queries = unit(vectors(5, seed=2)).astype(np.float32)
    for step in range(200):
        ids = random.choice(40, random.integers(1, 6), replace=False)
        if random.random() < 0.4:
            index.remove(ids)
            for i in ids:
                named.pop(f"p{i}", None)
        else:
            rows = vectors(len(ids), seed=1000 + step)
            index.put(ids, [f"p{i}" for i in ids], rows)
            named.update({f"p{i}": row for i, row in zip(ids, rows)})
        assert len(index) == len(named)
        assert_nearest(index, named, queries, 3)


def test_a_new_name_for_an_id_takes_the_old_one_s_place():
    index, row = ExactIndex(16), vectors(1)
    index.put(np.array([7]), ["Ann"], row)
    index.put(np.array([7]), ["Anne"], row)
    assert [name for name, _ in index.search(unit(row).astype(np.float32), 5)[0]] == ["Anne"]


def test_similarity_stays_within_a_cosine_s_range():
    index, rows = ExactIndex(512), vectors(100, 512)
    index.put(np.arange(100), [str(i) for i in range(100)], rows)
    for same in (rows, -rows):
        queries = (same / np.linalg.norm(same, axis=1, keepdims=True)).astype(np.float32)
        assert all(-1 <= s <= 1 for found in index.search(queries, 100) for _, s in found)


def test_a_template_that_averaged_to_zero_is_near_nobody():
    index = ExactIndex(16)
    index.put(np.arange(2), ["zero", "Ann"], np.stack([np.zeros(16, np.float32), vectors(1)[0]]))
    ((first, second),) = index.search(unit(vectors(1)).astype(np.float32), 2)
    assert first[0] == "Ann" and second == ("zero", 0.0)


def test_searches_during_changes_see_a_whole_index():
    """Names and vectors change together: whoever is found must be found with the similarity of that name."""
    index, rows, stop, wrong = ExactIndex(16), vectors(64), threading.Event(), []
    query = unit(vectors(1, seed=9)).astype(np.float32)
    right = {str(i): float(unit(row) @ query[0]) for i, row in enumerate(rows)}

    def search():
        while not stop.is_set():
            for name, similarity in index.search(query, 64)[0]:
                if abs(similarity - right[name]) > 1e-5:
                    wrong.append(name)

    searching = [threading.Thread(target=search) for _ in range(4)]
    for thread in searching:
        thread.start()
    random = np.random.default_rng(0)
    for _ in range(500):
        ids = random.choice(64, 8, replace=False)
        index.put(ids, [str(i) for i in ids], rows[ids])
        index.remove(random.choice(64, 8, replace=False))
    stop.set()
    for thread in searching:
        thread.join()
    assert wrong == []


# With a database behind it


@pytest.fixture
def gallery(tmp_path):
    with db.open(f"sqlite:///{tmp_path / 'people.db'}") as database:
        yield database.gallery("default", "model", "d" * 64, 16)


def test_a_gallery_s_changes_show_at_the_next_search(gallery):
    index, rows = GalleryIndex(gallery), unit(vectors(3)).astype(np.float32)

    def names():
        return {name for name, _ in index.search(rows[:1], 9)[0]}

    assert names() == set()
    gallery.add("Ann", [Face(rows[0])])
    gallery.add("Bob", [Face(rows[1])])
    assert names() == {"Ann", "Bob"}
    gallery.delete("Bob")
    assert names() == {"Ann"}
    assert index.search(rows[:1], 1)[0][0][1] == pytest.approx(1, abs=1e-5)
    gallery.replace({"Ann": [Face(rows[2])]})
    assert index.search(rows[:1], 1)[0][0][1] == pytest.approx(float(rows[0] @ rows[2]), abs=1e-5)
    gallery.delete("Ann")
    gallery.add("Ann", [Face(rows[0])])
    assert index.search(rows[:1], 9)[0] == [("Ann", pytest.approx(1, abs=1e-5))]


def test_equals_a_fresh_index_after_any_history(gallery):
    index, random = GalleryIndex(gallery), np.random.default_rng(4)
    queries = unit(vectors(4, seed=5)).astype(np.float32)
    for step in range(60):
        name = f"p{random.integers(12)}"
        if random.random() < 0.35 and name in {person.name for person in gallery.people()}:
            gallery.delete(name)
        else:
            gallery.add(name, [Face(unit(vectors(1, seed=step))[0].astype(np.float32))])
        if random.random() < 0.5:
            found, expected = index.search(queries, 20), GalleryIndex(gallery).search(queries, 20)
            for one, other in zip(found, expected):
                assert [name for name, _ in one] == [name for name, _ in other]


def test_a_gallery_set_back_to_a_backup_is_read_anew(gallery):
    index, rows = GalleryIndex(gallery), unit(vectors(2)).astype(np.float32)
    gallery.add("Ann", [Face(rows[0])])
    gallery.add("Bob", [Face(rows[1])])
    assert len(index.search(rows[:1], 9)[0]) == 2
    with gallery._connections.writing() as connection:  # what restoring a backup does
        for table in ("templates", "faces"):
            connection.exec_driver_sql(
                f"DELETE FROM {table} WHERE person_id = (SELECT id FROM persons WHERE name = 'Bob')"
            )
        connection.exec_driver_sql("DELETE FROM persons WHERE name = 'Bob'")
        connection.exec_driver_sql("UPDATE galleries SET revision = 1")
    assert [name for name, _ in index.search(rows[:1], 9)[0]] == ["Ann"]
