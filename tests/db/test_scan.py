"""Reading all vectors of a gallery in pieces, which is done in another way on servers than on SQLite."""

import time

import numpy as np
import pytest
from gallery_process import DIMENSION, check_exact, embedding, faces, gallery_of, rows

import db
import db.vectors
from common.errors import DatabaseError

RECORD = 8 + 8 + 4 * DIMENSION  # bytes of one packed vector: person, digest, values
COUNTS = [1, 1, 3, 40, 1, 7, 2, 2, 25, 1]  # photos of each person


@pytest.fixture
def filled(gallery):
    gallery.add_many({f"p{i}": faces(*range(100 * i, 100 * i + count)) for i, count in enumerate(COUNTS)})
    gallery.delete(["p4"])
    gallery.add("p0", faces(7777))
    return gallery


@pytest.mark.parametrize("fitting", [1, 2, 10, 26, 1000])
@pytest.mark.parametrize("matching", ["template", "photo"])
def test_every_vector_comes_once_and_in_order_however_many_fit_into_a_piece(filled, monkeypatch, matching, fitting):
    monkeypatch.setattr("db.packed.PACKED_BYTES", fitting * RECORD)
    monkeypatch.setattr("db.gallery.SCANNED", fitting)
    with filled.scan(matching) as (state, pieces):
        found = list(pieces)
    assert len(found) > 1 or fitting >= len(COUNTS) - 1
    for piece in found:
        assert piece.ids.dtype == piece.digests.dtype == np.int64 and piece.vectors.dtype == np.float32
        assert piece.vectors.shape == (len(piece.ids), DIMENSION)
        assert len(set(piece.ids.tolist())) <= fitting
    whole = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    assert (np.diff(whole[0]) >= 0).all()
    changes = filled.changes(0, matching)  # which reads row by row
    assert changes.state == state
    for read, expected in zip(whole, changes.rows, strict=True):
        assert np.array_equal(read, expected)
    check_exact(filled)


def test_photos_of_a_person_come_as_they_were_added(filled):
    _, found = rows(filled, "photo")
    person = filled.person("p3").id
    assert np.array_equal(found.vectors[found.ids == person], [embedding(300 + i) for i in range(40)])


def test_an_empty_gallery_is_no_piece(gallery):
    with gallery.scan() as (state, pieces):
        assert list(pieces) == [] and state.digest == 0


def test_a_scan_sees_one_state_while_others_write(url):
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add_many({f"p{i}": faces(i) for i in range(5)})
        with gallery.scan() as (state, pieces):
            began = time.monotonic()
            gallery.replace({f"p{i}": faces(i + 50) for i in range(5)})
            gallery.add("late", faces(9))
            gallery.delete("p1")
            assert time.monotonic() - began < 5  # nobody waits for the reader
            found = next(pieces)
        assert state.revision == 1
        assert np.array_equal(found.vectors, [embedding(i) for i in range(5)])
        assert db.vectors.total(found.digests.tolist()) == state.digest


VECTORS = [("templates", "mean", "template"), ("faces", "embedding", "photo")]
DAMAGES = {"empty": "", "short": "00", "long": "00" * (4 * DIMENSION + 4)}


@pytest.mark.parametrize(("table", "column", "matching"), VECTORS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_stored_vector_of_another_length_is_one_clear_error(url, elsewhere, table, column, matching, damage):
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add_many({f"p{i}": faces(i) for i in range(5)})
        key = {"templates": "person_id", "faces": "id"}[table]
        ((last,),) = elsewhere(f"SELECT MAX({key}) FROM {table}")
        elsewhere(f"UPDATE {table} SET {column} = x'{DAMAGES[damage]}' WHERE {key} = {last}")
        with pytest.raises(DatabaseError, match=f"{4 * DIMENSION} bytes"):
            rows(gallery, matching)
