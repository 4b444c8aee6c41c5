"""The index of a gallery against brute force, while it and others change the gallery, and from its snapshot."""

import logging
import threading
from contextlib import closing

import numpy as np
import pytest

import db
from db import Face
from recognizer.index import GalleryIndex

DIMENSION = 16


def unit(rows):
    rows = np.float64(rows)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def vectors(count, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(count, DIMENSION)))


def faces(*seeds):
    return [Face(vectors(1, seed=seed)[0]) for seed in seeds]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/people.db"


@pytest.fixture
def database(url):
    with db.open(url) as database:
        yield database


@pytest.fixture
def gallery(database):
    return database.gallery("default", "tiny", "0" * 64, DIMENSION)


@pytest.fixture
def index_of(database):
    """Makes indexes of a gallery that are let go of at the end."""
    made = []

    def make(gallery, kind="exact", keep="never", **options):
        made.append(GalleryIndex(database, gallery, kind, keep=keep, **options))
        return made[-1]

    yield make
    for index in made:
        index.close()


def brute_force(gallery, query, matching="template"):
    """(name, cosine) of everyone, nearest first, from what the gallery gives out person by person."""
    found = []
    for person in gallery.people():
        photos = np.stack([face.embedding for face in gallery.faces(person.name)]).astype(np.float64)
        cosines = unit(photos.mean(axis=0)) @ query if matching == "template" else (photos @ query).max()
        found.append((person.name, float(cosines)))
    return sorted(found, key=lambda pair: -pair[1])


def assert_finds(index, gallery, queries, matching="template"):
    for query, found in zip(queries, index.search(queries, 1000)):
        expected = brute_force(gallery, query, matching)
        assert [each.name for each in found] == [name for name, _ in expected]
        np.testing.assert_allclose([each.similarity for each in found], [value for _, value in expected], atol=1e-5)


def test_an_index_tells_how_many_rows_it_has_and_how_many_writes_it_has_not_read(gallery, index_of):
    gallery.add_many({f"p{number}": faces(number) for number in range(3)})
    index = index_of(gallery)
    assert (index.size, index.lag()) == (0, 0)
    index.search(vectors(1), 1)
    assert (index.size, index.lag()) == (3, 0)
    gallery.add("p3", faces(3))
    gallery.delete("p0")
    gallery.delete("p1")
    assert (index.size, index.lag()) == (3, 3)
    index.search(vectors(1), 1)
    assert (index.size, index.lag()) == (2, 0)


@pytest.mark.parametrize("matching", ["template", "photo"])
@pytest.mark.parametrize("kind", ["exact", "int8", "hnsw"])
def test_equals_brute_force_after_any_history(database, gallery, index_of, kind, matching):
    index, random, queries = index_of(gallery, kind, matching=matching), np.random.default_rng(4), vectors(3, seed=5)
    for step in range(50):
        names = [person.name for person in gallery.people()]
        action = random.choice(["add", "add", "replace", "delete", "rename", "merge", "move"])
        if action == "add" or len(names) < 3:
            gallery.add(f"p{random.integers(12)}", faces(*range(100 * step, 100 * step + random.integers(1, 4))))
        elif action == "replace":
            gallery.replace({names[0]: faces(100 * step)})
        elif action == "delete":
            gallery.delete(random.choice(names))
        elif action == "rename":
            gallery.rename(names[1], f"renamed {step}")
        elif action == "merge":
            gallery.merge(names[0], names[2])
        else:
            gallery.move(gallery.photos(names[1])[0].id, names[0])
        if random.random() < 0.6:
            assert_finds(index, gallery, queries, matching)


def test_an_empty_gallery_and_no_query_find_nobody(gallery, index_of):
    index = index_of(gallery)
    assert index.search(vectors(2), 2) == [[], []]
    gallery.add("Ann", faces(1))
    assert index.search(np.zeros((0, DIMENSION), np.float32), 2) == []


def test_a_change_by_another_process_is_known_at_the_next_search(url, gallery, index_of):
    index, query = index_of(gallery), vectors(1, seed=1)
    assert index.search(query, 1) == [[]]
    with db.open(url) as other:
        theirs = other.find("default")
        theirs.add("Ann", faces(1))
        assert index.search(query, 1)[0][0].name == "Ann"
        theirs.rename("Ann", "Ann Lee")
        assert index.search(query, 1)[0][0].name == "Ann Lee"
        theirs.replace({"Ann Lee": faces(2)})
        assert index.search(query, 1)[0][0].similarity < 0.9
        theirs.set_threshold(0.25, 1e-3)
        index.search(query, 1)
        assert index.threshold == (0.25, 1e-3, None, None)
        theirs.delete("Ann Lee")
        assert index.search(query, 1) == [[]]


def test_photo_matching_answers_with_the_best_photo_and_each_person_once(gallery, index_of):
    gallery.add("Ann", faces(1, 2, 3))
    gallery.add("Bob", faces(4))
    [found] = index_of(gallery, matching="photo").search(vectors(1, seed=2), 2)
    assert [each.name for each in found] == ["Ann", "Bob"]
    assert found[0].similarity == pytest.approx(1, abs=1e-5)
    [found] = index_of(gallery, matching="template").search(vectors(1, seed=2), 2)
    assert found[0].similarity < 0.95


def test_noticing_that_nothing_changed_is_one_statement(gallery, index_of, monkeypatch):
    gallery.add("Ann", faces(1))
    index = index_of(gallery)
    index.search(vectors(1), 2)
    for word in ("read", "write", "reading"):
        monkeypatch.setattr(gallery._connections, word, None)
    assert index.search(vectors(1), 2)[0][0].name == "Ann"


def test_who_is_deleted_between_search_and_naming_gives_the_place_to_the_next(gallery, index_of, monkeypatch):
    gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
    index, names = index_of(gallery), gallery.names

    def late(ids):
        monkeypatch.setattr(gallery, "names", names)
        gallery.delete("Ann")
        return names(ids)

    monkeypatch.setattr(gallery, "names", late)
    assert [each.name for each in index.search(vectors(1, seed=1), 1)[0]] == ["Bob"]


def test_threads_search_while_another_changes_and_nobody_goes_missing(gallery, index_of):
    gallery.add_many({f"p{i}": faces(i) for i in range(20)})
    index, done, failures = index_of(gallery), threading.Event(), []
    queries = np.concatenate([vectors(1, seed=i) for i in range(20)])

    def search():
        while not done.is_set():
            found = index.search(queries, 1)
            wrong = [i for i, row in enumerate(found) if row[0].name != f"p{i}" or row[0].similarity < 0.999]
            failures.extend(wrong)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for step in range(60):  # an equal face more: the person changes, the template does not
        gallery.add(f"p{step % 20}", faces(step % 20))
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_gallery_set_back_to_a_backup_is_read_anew(gallery, index_of):
    index, rows = index_of(gallery), vectors(2)
    gallery.add("Ann", [Face(rows[0])])
    before = gallery._connections.row("SELECT revision, templates_digest, faces_digest FROM galleries")
    gallery.add("Bob", [Face(rows[1])])
    assert len(index.search(rows[:1], 9)[0]) == 2

    def restore(connection):
        for table in ("templates", "faces"):
            connection.exec_driver_sql(
                f"DELETE FROM {table} WHERE person_id = (SELECT id FROM persons WHERE name = 'Bob')"
            )
        connection.exec_driver_sql("DELETE FROM persons WHERE name = 'Bob'")
        connection.exec_driver_sql("UPDATE galleries SET revision = ?, templates_digest = ?, faces_digest = ?", before)

    gallery._connections.write(restore)
    assert [each.name for each in index.search(rows[:1], 9)[0]] == ["Ann"]


def test_a_backup_that_went_on_past_the_index_is_noticed_by_its_digest(gallery, index_of, caplog):
    gallery.add("Ann", faces(1))
    index = index_of(gallery)
    index.search(vectors(1), 1)

    def other_history(connection):  # Ann was changed at a revision that the index believes to know
        template = connection.exec_driver_sql("SELECT person_id, mean FROM templates").one()
        digest = db.vectors.digest(template[0], vectors(1, seed=2)[0].tobytes())
        connection.exec_driver_sql(
            "UPDATE templates SET mean = ?, digest = ?", (vectors(1, seed=2)[0].tobytes(), digest)
        )
        connection.exec_driver_sql("UPDATE galleries SET templates_digest = ?", (digest,))

    gallery._connections.write(other_history)
    gallery.add("Bob", faces(3))
    assert index.search(vectors(1, seed=2), 1)[0][0].similarity == pytest.approx(1, abs=1e-5)
    assert "read anew" in caplog.text


def test_rows_changed_by_hand_are_reported_and_do_not_make_every_search_slow(gallery, index_of, monkeypatch, caplog):
    gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
    gallery._connections.write(
        lambda connection: connection.exec_driver_sql("UPDATE templates SET digest = digest + 1 WHERE person_id = 1")
    )
    index = index_of(gallery)
    index.search(vectors(1), 1)
    assert "not those that were stored" in caplog.text
    monkeypatch.setattr(gallery, "scan", None)
    gallery.add("Carl", faces(3))
    assert index.search(vectors(1, seed=3), 1)[0][0].name == "Carl"


def test_auto_takes_another_index_when_the_gallery_has_grown(gallery, index_of, monkeypatch):
    monkeypatch.setattr("recognizer.search.choose", lambda rows: "int8" if rows >= 20 else "exact")
    gallery.add("Ann", faces(1))
    index = index_of(gallery, "auto")
    index.search(vectors(1), 1)
    assert index._held.kind == "exact"
    gallery.add_many({f"p{i}": faces(i) for i in range(40)})
    assert_finds(index, gallery, vectors(3))
    assert index._held.kind == "int8"


class TestSnapshot:
    @pytest.fixture(params=["exact", "int8", "hnsw"])
    def kept(self, request, gallery, index_of):
        """A gallery of 30 people whose index was let go of, and what makes the next one."""
        gallery.add_many({f"p{i}": faces(i) for i in range(30)})
        with closing(index_of(gallery, request.param, "always")) as index:
            index.search(vectors(1), 1)
        assert index.path.is_file()
        return lambda **options: index_of(gallery, request.param, "always", **options)

    def test_a_process_starts_without_reading_every_row(self, kept, gallery, monkeypatch):
        monkeypatch.setattr(gallery, "scan", None)
        assert_finds(kept(), gallery, vectors(3))

    def test_what_happened_since_is_read(self, kept, gallery, monkeypatch):
        gallery.delete("p1")
        gallery.replace({"p2": faces(77)})
        gallery.add("new", faces(78))
        monkeypatch.setattr(gallery, "scan", None)
        assert_finds(kept(), gallery, vectors(3))

    def test_it_is_for_its_owner_only(self, kept):
        path = kept().path
        assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700

    def test_a_file_with_somebody_who_was_deleted_goes_away_at_once(self, kept, gallery):
        index = kept()
        index.search(vectors(1), 1)
        gallery.delete("p1")
        index.search(vectors(1), 1)
        assert not index.path.exists()
        index.close()
        assert index.path.is_file()
        assert_finds(kept(), gallery, vectors(3))

    def test_who_was_forgotten_since_the_last_search_is_not_in_the_file_that_is_written(self, gallery, index_of):
        gallery.add_many({f"p{i}": faces(i) for i in range(30)})
        index = index_of(gallery, "exact", "always")
        index.search(vectors(1), 1)
        gallery.delete("p7")
        index.close()
        assert vectors(1, seed=8)[0].tobytes() in index.path.read_bytes()
        assert vectors(1, seed=7)[0].tobytes() not in index.path.read_bytes()

    def test_a_database_that_is_gone_leaves_no_file_and_closing_succeeds(self, database, gallery, index_of):
        gallery.add_many({f"p{i}": faces(i) for i in range(30)})
        index = index_of(gallery, "exact", "always")
        index.search(vectors(1), 1)
        database.close()
        index.close()
        assert not index.path.exists()

    @pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
    def test_a_damaged_file_is_made_anew(self, kept, gallery, damage, caplog):
        index = kept()
        content = bytearray(index.path.read_bytes())
        if damage == "flipped":
            content[-100] ^= 1
        changed = {"cut": content[:-4096], "flipped": content, "empty": b"", "text": b"holiday notes" * 999}[damage]
        index.path.write_bytes(changed)
        assert_finds(index, gallery, vectors(3))
        assert "not used" in caplog.text
        index.close()
        assert index.path.read_bytes() != changed

    def test_a_file_of_another_history_is_made_anew(self, kept, gallery, caplog):
        """As when the database was restored from a backup and went on: its revision fits, its content does not."""

        def other_history(connection):
            connection.exec_driver_sql("UPDATE galleries SET templates_digest = templates_digest + 1")
            connection.exec_driver_sql("UPDATE templates SET digest = digest + 1 WHERE person_id = 3")

        gallery._connections.write(other_history)
        caplog.set_level(logging.WARNING)
        assert_finds(kept(), gallery, vectors(3))
        assert "read anew" in caplog.text

    def test_a_file_from_the_future_is_not_used(self, kept, gallery):
        gallery._connections.write(
            lambda connection: connection.exec_driver_sql("UPDATE galleries SET revision = revision - 1")
        )
        assert_finds(kept(), gallery, vectors(3))

    def test_never_leaves_no_file(self, gallery, index_of):
        gallery.add("Ann", faces(1))
        with closing(index_of(gallery, "exact", "never")) as index:
            index.search(vectors(1), 1)
        assert not index.path.exists()

    def test_auto_keeps_only_large_ones(self, gallery, index_of, monkeypatch):
        gallery.add("Ann", faces(1))
        with closing(index_of(gallery, "exact", "auto")) as index:
            index.search(vectors(1), 1)
        assert not index.path.exists()
        monkeypatch.setattr("recognizer.index.SNAPSHOT_FROM", 1)
        with closing(index_of(gallery, "exact", "auto")) as index:
            index.search(vectors(1), 1)
        assert index.path.exists()
