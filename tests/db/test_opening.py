import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Timer

import pytest
from gallery_process import embedding, faces, gallery_of

import db
from common.errors import BadArgument, DatabaseError, MissingDependency

ROOT = Path(db.__file__).parents[1]


def test_importing_the_package_leaves_sqlalchemy_alone():
    code = "import sys, db; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_file_and_folder_are_made_for_their_owner_only(tmp_path):
    path = tmp_path / "new" / "folder" / "people.db"
    with db.open(f"sqlite:///{path}") as database:
        gallery_of(database).add("Ann", faces(1))
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_stored_is_there_after_opening_again(url):
    with db.open(url) as database:
        gallery_of(database).add("Ann", faces(1, 2))
        gallery_of(database).set_threshold(0.3, 1e-3)
    with db.open(url) as database:
        gallery = gallery_of(database)
        assert gallery.person("Ann").count == 2 and gallery.revision() == 2
        assert gallery.threshold == (0.3, 1e-3)


def test_memory_databases_are_separate_and_gone_when_closed():
    with db.open("sqlite://") as first, db.open("sqlite://") as second:
        gallery_of(first).add("Ann", faces(1))
        assert gallery_of(second).people() == []
    with pytest.raises(DatabaseError, match="closed"):
        first.galleries()


def test_a_closed_database_says_so(url):
    with db.open(url) as database:
        gallery = gallery_of(database)
    for call in (gallery.revision, gallery.people, gallery.templates, lambda: gallery.add("Ann", faces(1))):
        with pytest.raises(DatabaseError, match="closed"):
            call()


@pytest.mark.parametrize(
    "content", [b"these are my holiday notes\n" * 50, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, url, content):
    (tmp_path / "people.db").write_bytes(content)
    with pytest.raises(DatabaseError, match="people.db"):
        db.open(url)
    assert (tmp_path / "people.db").read_bytes() == content


def test_a_folder_and_a_path_below_a_file_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file" / "people.db", tmp_path / "a\0b"):
        with pytest.raises(DatabaseError):
            db.open(f"sqlite:///{path}")


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path, url):
    with sqlite3.connect(tmp_path / "people.db") as other:
        other.execute("CREATE TABLE invoices (id INTEGER)")
    other.close()
    with pytest.raises(DatabaseError, match="something else"):
        db.open(url)
    with sqlite3.connect(tmp_path / "people.db") as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("invoices",)]
    other.close()


@pytest.mark.parametrize(("version", "advice"), [(2, "newer"), (0, "cannot upgrade")])
def test_another_schema_version_is_refused(tmp_path, url, version, advice):
    db.open(url).close()
    with sqlite3.connect(tmp_path / "people.db") as other:
        other.execute("UPDATE schema_version SET version = ?", (version,))
    other.close()
    with pytest.raises(DatabaseError, match=f"schema version {version}.*{advice}"):
        db.open(url)


def test_a_damaged_database_is_one_clear_error(tmp_path, url):
    with db.open(url) as database:
        gallery_of(database).add_many({f"p{i}": faces(i) for i in range(200)})
    path = tmp_path / "people.db"
    content = bytearray(path.read_bytes())
    content[16384:] = os.urandom(len(content) - 16384)
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match="people.db"), db.open(url) as database:
        gallery_of(database).templates()


def test_a_stored_embedding_of_another_length_is_one_clear_error(tmp_path, url):
    with db.open(url) as database:
        gallery_of(database).add("Ann", faces(1))
        with sqlite3.connect(tmp_path / "people.db") as other:
            other.execute("UPDATE templates SET mean = x'00'")
        other.close()
        with pytest.raises(DatabaseError, match="256 bytes"):
            gallery_of(database).templates()


def test_foreign_keys_are_enforced(url):
    with db.open(url) as database:
        gallery_of(database).add("Ann", faces(1))
        with (
            pytest.raises(DatabaseError, match="FOREIGN KEY"),
            database._connections.writing() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM persons")
        assert gallery_of(database).person("Ann").count == 1


def test_a_lock_held_too_long_is_one_clear_error(tmp_path, url, monkeypatch):
    monkeypatch.setattr("db.engine.BUSY_SECONDS", 0.2)
    with db.open(url) as database:
        gallery = gallery_of(database)
        other = sqlite3.connect(tmp_path / "people.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="people.db.*locked by another process"):
            gallery.add("Ann", faces(1))
        assert gallery.people() == []  # readers are not kept waiting
        other.execute("ROLLBACK")
        other.close()
        assert gallery.add("Ann", faces(1)).count == 1


def test_a_first_user_waits_for_another_first_user(tmp_path, url):
    other = sqlite3.connect(tmp_path / "people.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = Timer(0.3, other.rollback)
    ending.start()
    with db.open(url) as database:
        assert gallery_of(database).add("Ann", faces(1)).count == 1
    ending.join()
    other.close()


def test_a_full_disk_stores_each_call_wholly_or_not_at_all(url, start):
    db.open(url).close()
    process = start("fill_disk", url, 1_000_000)
    *stored, error = process.communicate(timeout=30)[0].splitlines()
    assert "nothing of this call was stored" in error and "disk" in error
    assert len(stored) > 3
    with db.open(url) as database:
        gallery = gallery_of(database)
        revision, _, names, templates = gallery.templates()
        assert sorted(names) == sorted(f"p{number}" for number in stored) and revision == len(stored)
        for name, template in zip(names, templates, strict=True):
            assert (template == embedding(int(name[1:]))).all()
        assert gallery.add("after", faces(1)).count == 1


@pytest.mark.parametrize("folder_mode", [0o777, 0o555])
def test_a_read_only_file_is_one_clear_error(start, folder_mode):
    folder = Path(tempfile.mkdtemp())  # pytest's own folders cannot be entered by another user
    try:
        url = f"sqlite:///{folder}/people.db"
        with db.open(url) as database:
            gallery_of(database)
        (folder / "people.db").chmod(0o444)
        folder.chmod(folder_mode)
        error = start("write_as_nobody", url).communicate(timeout=30)[0]
        assert error.startswith(f"{folder}/people.db: ") and len(error.splitlines()) == 1
        assert "read-only" in error or "may read and write the file" in error
        folder.chmod(0o777)
        with db.open(url) as database:
            assert gallery_of(database).people() == []
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "url",
    [
        "people.db",
        "",
        "postgresql://user:hunter2@host/people",
        "mysql://user:hunter2@host",
        "mysql://user:hunter2@host:port/people",
        "mysql://user@host/people?password=hunter2",
        "sqlite://user:hunter2@host/people.db",
        "sqlite:////tmp/d?ta/people.db",
        "sqlite:///file:people.db?mode=memory&uri=true&key=hunter2",
        7,
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url):
    with pytest.raises(BadArgument, match="sqlite:////path/people.db") as caught:
        db.open(url)
    assert "hunter2" not in str(caught.value)


def test_mysql_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mysql", None)
    monkeypatch.setitem(sys.modules, "mysql.connector", None)
    with pytest.raises(MissingDependency, match=r"insightface-tensorflow\[mysql\]") as caught:
        db.open("mysql://user:hunter2@127.0.0.1:1/people")
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_server_is_named_without_user_and_password():
    pytest.importorskip("mysql.connector", reason="needs mysql-connector-python")
    with pytest.raises(DatabaseError, match="mysql://127.0.0.1:1/people: no server") as caught:
        db.open("mysql://someone:hunter2@127.0.0.1:1/people")
    assert "hunter2" not in str(caught.value) and "someone" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_errors_and_reprs_hold_no_embedding_name_or_photo(url):
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add("Ann", [db.Face(embedding(1), crop=b"photo-bytes")])
        with (
            pytest.raises(DatabaseError) as caught,
            database._connections.writing() as connection,
        ):
            connection.exec_driver_sql("INSERT INTO persons VALUES (1, 1, ?, 0, 0, 0)", ("Ann",))
        assert "INSERT" not in str(caught.value)
        shown = [str(caught.value), str(caught.value.__context__)]
        shown += [
            *map(repr, (database, gallery, gallery.templates(), gallery.changes(0))),
            repr(gallery.faces("Ann")),
        ]
        assert not any(part in " ".join(shown) for part in ("'Ann'", "photo-bytes", "array", "0."))
