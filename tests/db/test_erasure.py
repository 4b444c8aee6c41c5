"""Erasing: what is left in the tables and files, what the receipt says, and what it admits."""

import json
import sqlite3
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from galleries_process import contents
from gallery_process import check_exact, embedding, faces, gallery_of

import db
from common.errors import BadArgument, UnknownPerson
from db import look_for, scrub
from db.schema import tables

CROP = b"\x89PNG" + sha256(b"a face").digest() * 1000
METADATA = {"note": "walks with a cane"}


@pytest.fixture
def people(database):
    """A gallery of many, of whom Ann has all that a person can have."""
    gallery = gallery_of(database)
    gallery.add_many({f"p{i}": faces(1000 + i) for i in range(40)})
    gallery.add("Ann", [db.Face(embedding(seed), f"photos/{seed}.jpg", crop=CROP) for seed in (1, 2, 3)])
    gallery.set_metadata("Ann", METADATA)
    gallery.add_many({f"q{i}": faces(2000 + i) for i in range(40)})
    return gallery


def traces(paths, gallery_means=()):
    """What of Ann is in files, a piece out of the middle of each."""
    values = [embedding(seed).tobytes() for seed in (1, 2, 3)] + [CROP, *gallery_means]
    content = b"".join(path.read_bytes() for path in paths)
    found = [number for number, value in enumerate(values) if value[100:160] in content]
    return found + [text for text in (b"walks with a cane", b"photos/2.jpg") if text in content]


def mean():
    """The template of Ann."""
    return (sum(embedding(seed).astype("f8") for seed in (1, 2, 3)) / 3).astype("f4").tobytes()


def rows_with(database, value):
    """In which tables a row holds these bytes."""
    found = []
    for table in tables.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, sa.LargeBinary):
                count = sa.select(sa.func.count()).select_from(table).where(column == value)
                if database._connections.read(lambda connection, count=count: connection.scalar(count)):
                    found.append(table.name)
    return found


def test_nothing_of_an_erased_person_is_in_any_table(database, people):
    rest = {name: value for name, value in contents(people).items() if name != "Ann"}
    assert rows_with(database, CROP) == ["faces"] and rows_with(database, mean()) == ["templates"]
    receipt = people.erase("Ann")
    assert receipt.complete and receipt.people == ("Ann",) and receipt.gallery_uid == people.uid
    assert receipt.rows == {"faces": 3, "templates": 1, "persons": 1, "undo_persons": 0, "undo_faces": 0}
    assert not any(rows_with(database, value) for value in (CROP, mean(), embedding(2).tobytes()))
    assert contents(people) == rest
    check_exact(people)


def test_nothing_of_an_erased_person_is_in_sqlites_files(sqlite_url, tmp_path):
    """Also where the file was used by something that does not overwrite, such as another tool or an old release."""
    with db.open(sqlite_url) as database:
        gallery = gallery_of(database)
        gallery.add_many({f"p{i}": faces(1000 + i) for i in range(40)})
        gallery.add("Ann", [db.Face(embedding(seed), f"photos/{seed}.jpg", crop=CROP) for seed in (1, 2, 3)])
        gallery.set_metadata("Ann", METADATA)
        files = lambda: [path for path in tmp_path.glob("people.db*") if path.is_file()]  # noqa: E731
    with sqlite3.connect(tmp_path / "people.db") as other:  # its copies of rows are left in free pages
        other.execute("PRAGMA secure_delete=OFF")
        other.execute("CREATE TABLE copy AS SELECT * FROM faces")
        other.execute("DROP TABLE copy")
    other.close()
    with db.open(sqlite_url) as database:
        assert traces(files(), [mean()])
        receipt = gallery_of(database).erase("Ann")
        assert traces(files(), [mean()]) == []
        assert receipt.looked_for >= 5 and receipt.found == 0
        check_exact(gallery_of(database))


def test_what_was_kept_to_undo_a_deletion_is_erased_even_of_who_is_gone_already(database, people):
    token = people.discard("Ann").token
    people.add("Ann", faces(50))
    receipt = people.erase("Ann")
    assert receipt.rows == {"faces": 1, "templates": 1, "persons": 1, "undo_persons": 1, "undo_faces": 3}
    people.discard("p1")
    assert people.erase("p1").rows["undo_faces"] == 1
    assert not rows_with(database, CROP) and not rows_with(database, embedding(1001).tobytes())
    with pytest.raises(BaseException, match="cannot be undone"):
        people.undo(token)


def test_who_is_unknown_is_told_and_nobody_is_erased(people):
    before = contents(people)
    for names, error in ((["Ann", "Nobody"], UnknownPerson), ([], BadArgument)):
        with pytest.raises(error):
            people.erase(names)
    assert contents(people) == before


def test_the_receipt_is_json_and_its_digest_tells_of_any_change(people):
    receipt = people.erase(["p3", "p4"])
    document = receipt.as_dict()
    assert json.loads(json.dumps(document)) == document
    digest, complete = document.pop("digest"), document.pop("complete")
    assert complete and document["people"] == ["p3", "p4"] and document["limits"]
    assert digest == sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    for name, value in vars(receipt).items():
        changed = receipt.erased.replace(year=2000) if name == "erased" else (("x",) if value == () else ())
        assert replace(receipt, **{name: changed}).digest != digest, name


def test_a_reader_in_the_way_is_told_and_erasing_is_finished_later(sqlite_url, tmp_path):
    with db.open(sqlite_url, timeout=0.3) as database:
        gallery = gallery_of(database)
        gallery.add("Ann", [db.Face(embedding(1), crop=CROP)])
        reader = sqlite3.connect(tmp_path / "people.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM persons").fetchall()
        receipt = gallery.erase("Ann")
        assert not receipt.complete and receipt.problem and receipt.digest
        assert gallery.people() == [] and receipt.rows["persons"] == 1
        files = sorted(tmp_path.glob("people.db*"))
        assert traces(files) and receipt.found > 0
        reader.execute("ROLLBACK")
        reader.close()
        assert database.scrub().problem is None
        assert traces(files) == []


def test_what_somebody_else_has_as_well_is_told_apart_from_what_is_left(database, people):
    people.add("Twin", [db.Face(embedding(2), crop=CROP)])
    database.copy_gallery("default", "copy")
    receipt = people.erase("Ann")
    assert receipt.complete and receipt.other_galleries == ("copy",)
    if database._connections.is_sqlite:
        assert receipt.still_held == receipt.looked_for  # the copy has all of it
    assert "copy" not in gallery_of(database, "copy").erase("Ann").other_galleries


def test_memory_has_no_file():
    with db.open("sqlite://") as database:
        gallery = gallery_of(database)
        gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
        receipt = gallery.erase("Ann")
        assert receipt.complete and receipt.looked_for is None and receipt.limits == ()
        assert [person.name for person in gallery.people()] == ["Bob"]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="locks are listed by /proc, which is not here")
def test_erasing_keeps_the_locks_of_this_processs_connections(sqlite_url, tmp_path):
    with db.open(sqlite_url) as database:
        gallery = gallery_of(database)
        gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
        gallery.erase("Ann")
        held = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        inode = str((tmp_path / "people.db").stat().st_ino)
        assert any(line[-3].endswith(f":{inode}") for line in held)  # closing the file here would have dropped them


def test_pieces_are_found_wherever_they_lie(tmp_path, monkeypatch):
    monkeypatch.setattr(look_for, "CHUNK", 64)
    content = bytes(range(256)) * 4
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "b").write_bytes(b"x" * 100 + b"needle")
    pieces = [content[start : start + 48] for start in (0, 40, 63, 100, 208)] + [b"needle", b"nothing of that"]
    paths = [str(tmp_path / name) for name in ("missing", "a", "b")]
    assert look_for.found(paths, pieces) == [0, 1, 2, 3, 4, 5]


def test_on_a_server_the_rebuilt_tables_hold_nothing_of_who_was_erased(private_server, server_database, server_url):
    with db.open(server_url) as database:
        gallery = gallery_of(database)
        gallery.add_many({f"p{i}": faces(1000 + i) for i in range(40)})
        gallery.add("Ann", [db.Face(embedding(seed), f"photos/{seed}.jpg", crop=CROP) for seed in (1, 2, 3)])
        gallery.set_metadata("Ann", METADATA)
        private_server.stop()  # as it stops, it writes what it held in memory
        private_server.start()
        files = list((private_server.folder / "data" / server_database).glob("*.ibd"))
        assert len(files) >= len(tables.tables) and len(traces(files, [mean()])) == 7
        receipt = gallery.erase("Ann")
        assert receipt.complete and receipt.looked_for is None
        assert receipt.statements == (f"OPTIMIZE TABLE {', '.join(scrub.TABLES)}",)
        assert any("Binary logs" in limit for limit in receipt.limits)
        assert traces(files, [mean()]) == []
        check_exact(gallery)


def test_a_table_in_use_on_a_server_is_told_in_time(database_server, server_database, server_url):
    with db.open(server_url, timeout=3) as database:
        gallery = gallery_of(database)
        gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
        with database._connections.reading() as connection:
            connection.execute(sa.text("SELECT * FROM faces")).all()
            receipt = gallery.erase("Ann")
        assert not receipt.complete and "could not be rebuilt" in receipt.problem
        assert [person.name for person in gallery.people()] == ["Bob"]
        assert database.scrub().problem is None
