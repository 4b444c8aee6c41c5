"""What only a file can do: be damaged, locked, read-only, on a full disk, or no database at all."""

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from pathlib import Path
from threading import Timer

import pytest
from gallery_process import check_exact, embedding, faces, gallery_of, means

import db
from common.errors import DatabaseError


def test_file_and_folder_are_made_for_their_owner_only(tmp_path):
    path = tmp_path / "new" / "folder" / "people.db"
    with db.open(f"sqlite:///{path}") as database:
        gallery_of(database).add("Ann", faces(1))
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_memory_databases_are_separate_and_gone_when_closed():
    with db.open("sqlite://") as first, db.open("sqlite://") as second:
        gallery_of(first).add("Ann", faces(1))
        assert gallery_of(second).people() == []
    with pytest.raises(DatabaseError, match="closed"):
        first.summaries()


@pytest.mark.parametrize("content", [b"these are my holiday notes\n" * 50, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, sqlite_url, content):
    (tmp_path / "people.db").write_bytes(content)
    with pytest.raises(DatabaseError, match="people.db"):
        db.open(sqlite_url)
    assert (tmp_path / "people.db").read_bytes() == content


def test_a_folder_and_a_path_below_a_file_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file" / "people.db", tmp_path / "a\0b"):
        with pytest.raises(DatabaseError):
            db.open(f"sqlite:///{path}")


def test_a_damaged_database_is_one_clear_error(tmp_path, sqlite_url):
    with db.open(sqlite_url) as database:
        gallery_of(database).add_many({f"p{i}": faces(i) for i in range(200)})
    path = tmp_path / "people.db"
    content = bytearray(path.read_bytes())
    content[16384:] = os.urandom(len(content) - 16384)
    path.write_bytes(content)
    with pytest.raises(DatabaseError, match="people.db"), db.open(sqlite_url) as database:
        means(gallery_of(database))


def test_a_lock_held_too_long_is_one_clear_error(tmp_path, sqlite_url):
    with db.open(sqlite_url, timeout=0.5) as database:
        gallery = gallery_of(database)
        other = sqlite3.connect(tmp_path / "people.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="people.db.*locked by another process"):
            gallery.add("Ann", faces(1))
        assert 0.4 < time.monotonic() - began < 5
        assert gallery.people() == []  # readers are not kept waiting
        other.execute("ROLLBACK")
        other.close()
        assert gallery.add("Ann", faces(1)).count == 1


def test_a_first_user_waits_for_another_first_user(tmp_path, sqlite_url):
    other = sqlite3.connect(tmp_path / "people.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = Timer(0.3, other.rollback)
    ending.start()
    with db.open(sqlite_url) as database:
        assert gallery_of(database).add("Ann", faces(1)).count == 1
    ending.join()
    other.close()


def test_a_full_disk_stores_each_call_wholly_or_not_at_all(sqlite_url, start):
    db.open(sqlite_url).close()
    process = start("fill_disk", sqlite_url, 1_000_000)
    *stored, error = process.communicate(timeout=30)[0].splitlines()
    assert "nothing of this call was stored" in error and "disk" in error
    assert len(stored) > 3
    with db.open(sqlite_url) as database:
        gallery = gallery_of(database)
        found = means(gallery)
        assert found.keys() == {f"p{number}" for number in stored} and gallery.revision() == len(stored)
        assert all((template == embedding(int(name[1:]))).all() for name, template in found.items())
        check_exact(gallery)
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
