"""Snapshots: what is written is read again, and whatever does not fit is refused with the reason."""

import json
import os
import stat
from hashlib import sha256

import numpy as np
import pytest

from recognizer.search import rows, snapshot
from recognizer.search.exact import ExactIndex
from recognizer.search.snapshot import MAGIC, SnapshotRefused
from tests.recognizer.search.naive import Rows, assert_same, stamps, unit, vectors

ABOUT = {"gallery": "a1", "revision": 7, "dimension": 24, "matching": "template"}


@pytest.fixture
def index(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 256)
    monkeypatch.setattr(rows, "_PIECE", 100)
    monkeypatch.setattr(snapshot, "_PIECE", 4096)
    index = ExactIndex(24)
    index.add(np.random.default_rng(0).permutation(900), vectors(900), stamps(900))
    index.remove(np.arange(0, 900, 3))
    return index


@pytest.fixture
def path(index, tmp_path):
    path = tmp_path / "index" / "people.snapshot"
    snapshot.write(path, ABOUT, index.sections())
    return path


def edit(path, change):
    """Change the header of a snapshot and give it the SHA-256 it then must have."""
    content = path.read_bytes()
    length = int.from_bytes(content[8:16], "little")
    header = json.loads(content[48 : 48 + length])
    start = header["sections"][0]["offset"]
    change(header)
    encoded = json.dumps(header).encode()
    top = MAGIC + len(encoded).to_bytes(8, "little") + sha256(encoded).digest() + encoded
    path.write_bytes(top + bytes(start - len(top)) + content[start:])


def test_an_index_is_the_same_after_writing_and_reading(path, index):
    about, sections = snapshot.read(path, {"gallery": "a1", "revision": 7})
    assert about == ABOUT
    assert all(not section.flags.writeable for section in sections.values())
    again, expected = ExactIndex.from_sections(24, sections), Rows()
    keys, values = np.asarray(index.sections()["keys"]), np.asarray(index.sections()["vectors"])
    expected.change([], keys, values, np.asarray(index.sections()["stamps"]))
    assert len(again) == 600 and again.checksum == index.checksum == expected.checksum
    for each in (again, expected):
        each.change(np.array([1, 2]), np.array([4, 1000]), vectors(2, seed=3), stamps(2))
    assert_same(again, expected, unit(vectors(5, seed=1)), 6)
    again.close()


def test_vectors_are_used_where_the_file_lies(path):
    sections = snapshot.read(path, {})[1]
    again = ExactIndex.from_sections(24, sections)
    held = again._rows.state.parts[0].block.columns["vectors"]
    assert np.shares_memory(held, sections["vectors"])


def test_only_the_owner_may_read_it_and_nothing_else_is_left(path):
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_an_empty_index_can_be_written(tmp_path):
    snapshot.write(tmp_path / "empty", ABOUT, ExactIndex(24).sections())
    sections = snapshot.read(tmp_path / "empty", ABOUT)[1]
    assert len(sections["keys"]) == 0


def test_a_failed_write_leaves_the_earlier_file(path, index, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        snapshot.write(path, ABOUT, index.sections())
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "expected", [{"gallery": "b2"}, {"revision": 8}, {"revision": 7.0}, {"model": "x"}, {"dimension": True}]
)
def test_a_snapshot_of_something_else_is_refused_by_name(path, expected):
    with pytest.raises(SnapshotRefused, match=f"expected {next(iter(expected))}"):
        snapshot.read(path, expected)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SnapshotRefused, match="cannot be read"):
        snapshot.read(tmp_path / "none", {})


@pytest.mark.parametrize("content", [b"", b"x", MAGIC, MAGIC + b"\xff" * 8 + bytes(32), b"\x00" * 5000])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SnapshotRefused):
        snapshot.read(path, {})


def test_a_file_cut_off_anywhere_is_refused(path):
    content = path.read_bytes()
    for length in [10, 47, 60, 4096, len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(SnapshotRefused):
            snapshot.read(path, {})
    path.write_bytes(content + b"\x00")
    with pytest.raises(SnapshotRefused, match="end"):
        snapshot.read(path, {})


def test_an_altered_byte_anywhere_that_counts_is_noticed(path):
    content = path.read_bytes()
    length = int.from_bytes(content[8:16], "little")
    sections = json.loads(content[48 : 48 + length])["sections"]
    places = [0, 9, 20, 50, 48 + length - 1]
    for section in sections:
        size = int(np.prod(section["shape"])) * np.dtype(section["dtype"]).itemsize
        places += [section["offset"], section["offset"] + size // 2, section["offset"] + size - 1]
    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(SnapshotRefused):
            snapshot.read(path, {})


def lie(name, value, section=0):
    return lambda header: header["sections"][section].__setitem__(name, value)


@pytest.mark.parametrize("change", [
    lie("offset", 0), lie("offset", -4096), lie("offset", 2**60), lie("offset", 4096.0), lie("offset", None),
    lie("shape", [2**40]), lie("shape", [-600]), lie("shape", [600, 1, 1]), lie("shape", []), lie("shape", "600"),
    lie("shape", [True]), lie("dtype", "|O"), lie("dtype", "<f8"), lie("dtype", ["<i8"]), lie("name", "stamps"),
    lie("name", 5), lie("sha256", []), lie("sha256", "x" * 64), lie("offset", 4096, section=1),
    lambda header: header["sections"].append(5), lambda header: header["sections"].pop(),
    lambda header: header.update(version=2), lambda header: header.update(sections={}),
    lambda header: header.update(about=[]), lambda header: header["sections"][0].pop("dtype"),
])  # fmt: skip
def test_a_header_that_lies_is_refused(path, change):
    edit(path, lambda header: None)
    snapshot.read(path, ABOUT)  # the editing itself does no harm
    edit(path, change)
    with pytest.raises(SnapshotRefused):
        snapshot.read(path, {})


def test_sections_that_overlap_are_refused(path):
    def overlap(header):
        keys, stamps = header["sections"][:2]
        stamps.update(offset=keys["offset"], sha256=keys["sha256"])

    edit(path, overlap)
    with pytest.raises(SnapshotRefused, match="lie"):
        snapshot.read(path, {})


@pytest.mark.parametrize("keys", [[3, 2], [-1, 2], [1.5, 2.5]])
def test_keys_that_do_not_ascend_are_refused(tmp_path, keys):
    dtype = np.float32 if isinstance(keys[0], float) else np.int64
    snapshot.write(tmp_path / "file", ABOUT, {"keys": np.array(keys, dtype), "stamps": np.zeros(2, np.int64)})
    with pytest.raises(SnapshotRefused, match="keys"):
        snapshot.read(tmp_path / "file", {})


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no owners and modes of files")
def test_a_file_that_others_may_write_is_refused(path):
    path.chmod(0o620)
    with pytest.raises(SnapshotRefused, match="written by others"):
        snapshot.read(path, {})
