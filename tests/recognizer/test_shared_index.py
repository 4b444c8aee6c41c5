"""A Milvus collection as the index of a gallery: it follows, is shared, and is never trusted over the database."""

import numpy as np
import pytest

import db
from common.errors import DatabaseError
from db import Face
from recognizer.index import GalleryIndex

pymilvus = pytest.importorskip("pymilvus", reason="needs the extra milvus")
pytest.importorskip("milvus_lite", reason="needs the extra milvus")

DIMENSION = 16
NOBODY = {"uri": "http://127.0.0.1:9", "token": "hunter2", "timeout": 2}


def vector(seed):
    drawn = np.random.default_rng(seed).normal(size=DIMENSION)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def faces(*seeds):
    return [Face(vector(seed)) for seed in seeds]


@pytest.fixture
def database(tmp_path):
    with db.open(f"sqlite:///{tmp_path}/people.db") as database:
        yield database


@pytest.fixture
def gallery(database):
    return database.gallery("default", "tiny", "0" * 64, DIMENSION)


@pytest.fixture
def options(tmp_path):
    return {"uri": str(tmp_path / "milvus.db"), "index_type": "FLAT"}


@pytest.fixture
def index_of(database, gallery, options):
    """Makes indexes that share one collection, as those of several processes do."""
    made = []

    def make(matching="template"):
        made.append(GalleryIndex(database, gallery, "milvus", matching, "never", options))
        return made[-1]

    yield make
    for index in made:
        index.close()


def names(index, *seeds):
    return [[each.name for each in found] for found in index.search(np.stack([vector(seed) for seed in seeds]), 1)]


def test_follows_the_gallery(gallery, index_of):
    index = index_of()
    assert names(index, 1) == [[]]
    gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
    assert names(index, 1, 2) == [["Ann"], ["Bob"]]
    gallery.replace({"Ann": faces(3)})
    gallery.delete("Bob")
    assert names(index, 3, 2) == [["Ann"], ["Ann"]]
    assert index.search(vector(2)[None], 1)[0][0].similarity < 0.9


def test_matches_by_the_best_photo(gallery, index_of):
    gallery.add_many({"Ann": faces(1, 2, 3), "Bob": faces(4)})
    [found] = index_of("photo").search(vector(2)[None], 2)
    assert [each.name for each in found] == ["Ann", "Bob"] and found[0].similarity == pytest.approx(1, abs=1e-5)


def test_what_another_one_has_taken_over_is_not_read_again(gallery, index_of, monkeypatch):
    first, second = index_of(), index_of()
    gallery.add("Ann", faces(1))
    assert names(first, 1) == names(second, 1) == [["Ann"]]
    gallery.add("Bob", faces(2))
    assert names(first, 2) == [["Bob"]]
    monkeypatch.setattr(gallery, "changes", None)
    assert names(second, 2) == [["Bob"]]


def test_a_new_process_goes_on_with_the_collection_that_is_there(gallery, index_of, monkeypatch):
    gallery.add("Ann", faces(1))
    names(index_of(), 1)
    gallery.add("Bob", faces(2))
    monkeypatch.setattr(gallery, "scan", None)
    assert names(index_of(), 1, 2) == [["Ann"], ["Bob"]]


def collection_of(options):
    client = pymilvus.MilvusClient(uri=options["uri"])
    [name] = client.list_collections()
    return client, name


def test_a_collection_that_was_dropped_is_made_anew_even_while_it_is_in_use(gallery, index_of, options, caplog):
    gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
    index = index_of()
    names(index, 1)
    client, name = collection_of(options)
    client.drop_collection(name)
    assert names(index, 1, 2) == [["Ann"], ["Bob"]]
    assert "made anew" in caplog.text


def test_a_collection_that_somebody_altered_is_made_anew(gallery, index_of, options):
    gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
    names(index_of(), 1)
    client, name = collection_of(options)
    rows = client.query(name, "", output_fields=["row"], limit=10)
    client.delete(name, ids=[rows[0]["row"]])
    assert names(index_of(), 1, 2) == [["Ann"], ["Bob"]]


def test_a_database_set_back_to_a_backup_makes_it_anew(gallery, index_of):
    gallery.add("Ann", faces(1))
    before = gallery._connections.row("SELECT revision, templates_digest, faces_digest FROM galleries")
    gallery.replace({"Ann": faces(2)})
    names(index_of(), 1)

    def restore(connection):
        template = vector(1).tobytes()
        connection.exec_driver_sql(
            "UPDATE templates SET mean = ?, digest = ?", (template, db.vectors.digest(1, template))
        )
        connection.exec_driver_sql("UPDATE galleries SET revision = ?, templates_digest = ?, faces_digest = ?", before)

    gallery._connections.write(restore)
    assert index_of().search(vector(1)[None], 1)[0][0].similarity == pytest.approx(1, abs=1e-5)


def test_the_token_is_in_no_error(database, gallery):
    index = GalleryIndex(database, gallery, "milvus", options=NOBODY)
    gallery.add("Ann", faces(1))
    with pytest.raises(DatabaseError) as caught:
        index.search(vector(1)[None], 1)
    assert "hunter2" not in str(caught.value) + repr(index)
