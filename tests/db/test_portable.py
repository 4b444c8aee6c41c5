"""A gallery's file: whole or not there, the same in every database, and refused when anything of it is not in order."""

import io
import json
import os
import random
import resource
import stat
import struct
import tracemalloc
import zipfile
from hashlib import sha256

import numpy as np
import pytest
from galleries_process import contents
from gallery_process import DIGEST, DIMENSION, check_exact, embedding, faces, gallery_of
from killing import forks, kill  # noqa: F401

import db
from common.errors import BadArgument, BadName, ModelMismatch
from db import portable
from db.connections import Connections
from db.portable_file import GalleryFile

PARTS = ("people.jsonl", "embeddings.f32", "crops.bin")
STAGED = "staff (import, not finished)"


@pytest.fixture(params=["sqlite", "memory", "server"])
def database(request):
    fixture = {"sqlite": "sqlite_url", "server": "emptied_url"}.get(request.param)
    with db.open(request.getfixturevalue(fixture) if fixture else "sqlite://") as opened:
        yield opened


@pytest.fixture
def memory():
    with db.open("sqlite://") as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "people.gallery"


def filled(database, name="staff"):
    gallery = gallery_of(database, name)
    gallery.add_many({f"p{i}": faces(*range(i, i + 1 + i % 3)) for i in range(12)})
    gallery.add("Ann", [db.Face(embedding(99), "a/é.jpg", 0.1 + 0.2, b"crop one", "a" * 64), *faces(3)])
    gallery.add("Ann", [db.Face(embedding(98), None, 1.0, b"\0second"), db.Face(-embedding(97))])
    gallery.add("'; DROP TABLE persons; --", faces(5, 5))
    gallery.add_many({"ann": faces(6), "Änn": faces(7), "😀" * 255: faces(8), "محمد": faces(9)})
    gallery.set_metadata("Ann", {"team": "A", "é": [1.5, None, {"deep": True}], "n": 2**53})
    gallery.set_threshold(0.4375, 1e-4, 0.25, 0.5)
    return gallery


def exported(gallery, path):
    gallery.export(path)
    return path


def load(database, path, name="staff", **how):
    with GalleryFile(path) as file:
        return database.import_gallery(file, name, **how)


def templates(gallery):
    with gallery.scan() as (_, pieces):
        found = {key: row for piece in pieces for key, row in zip(piece.ids.tolist(), piece.vectors)}
    return {name: found[key] for key, name in gallery.names(found).items()}


# What goes out comes in.


def test_what_was_exported_comes_back_the_same(database, path):
    gallery = filled(database)
    before, means = contents(gallery), templates(gallery)
    exported(gallery, path)
    database.delete_gallery("staff")
    done = load(database, path)
    again = database.find("staff")
    assert contents(again) == before and again.threshold == (0.4375, 1e-4, 0.25, 0.5)
    assert (again.model_name, again.model_digest, again.dimension) == ("tiny", DIGEST, DIMENSION)
    assert (done.people, done.photos, done.known) == (*again.count(), 0)
    for name, mean in templates(again).items():
        assert np.abs(mean - means[name]).max() < 1e-6
    check_exact(again)
    assert [found.name for found in database.summaries()] == ["staff"]


def test_from_engine_to_engine_and_back_the_file_is_the_same_byte_for_byte(database, memory, tmp_path):
    first = exported(filled(memory), tmp_path / "first")
    load(database, first)
    second = exported(database.find("staff"), tmp_path / "second")
    load(memory, second, "again")
    assert contents(memory.find("again")) == contents(memory.find("staff"))
    if "MySQL" not in database.engine:  # which sorts the keys of JSON
        assert first.read_bytes() == second.read_bytes()


def test_an_empty_gallery_can_be_exported_and_imported(database, path):
    exported(gallery_of(database, "empty"), path)
    assert load(database, path).people == 0
    assert database.find("staff").count() == (0, 0) and database.find("staff").threshold is None


def test_a_gallery_is_written_and_read_in_pieces_that_stay_small(memory, path, monkeypatch):
    monkeypatch.setattr(portable, "BATCH_PEOPLE", 3)
    monkeypatch.setattr(portable, "BATCH_PHOTOS", 2)
    gallery = filled(memory)
    steps = []
    gallery.export(path, progress=lambda items, total: steps.append(total) or items)
    assert steps == [3 * gallery.count()[0], 1]
    load(memory, path, "again")
    assert contents(memory.find("again")) == contents(gallery)


def test_memory_does_not_grow_with_the_gallery(tmp_path, monkeypatch):
    """30 MB of crops pass through a process that may take 12 MB more than it has."""
    monkeypatch.setattr(portable, "BATCH_PHOTOS", 40)
    with db.open(f"sqlite:///{tmp_path}/a.db") as database:
        gallery = gallery_of(database)
        for start in range(0, 1200, 200):
            gallery.add_many(
                {f"p{i}": [db.Face(embedding(i), crop=os.urandom(25_000))] for i in range(start, start + 200)}
            )
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with db.open(f"sqlite:///{tmp_path}/a.db") as database, db.open(f"sqlite:///{tmp_path}/b.db") as other:
                filled(other, "small").export(tmp_path / "b")  # what is imported late counts as there already
                load(other, tmp_path / "b", "smaller")
                most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                gallery_of(database).export(tmp_path / "a")
                load(other, tmp_path / "a")
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most
                code = 0 if grown < 12_000 and other.find("staff").count() == (1200, 1200) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_an_export_is_of_one_moment_whatever_is_written_meanwhile(url, path, monkeypatch):
    monkeypatch.setattr(portable, "BATCH_PEOPLE", 2)
    with db.open(url) as database, db.open(url, timeout=1) as other:  # deleting waits so long for readers of the log
        gallery = filled(database)
        before, writer = contents(gallery), gallery_of(other, "staff")

        def meanwhile(steps, _total):
            for number, step in enumerate(steps):
                if number < 20:
                    writer.add_many({"p3": faces(number), f"new {number}": faces(number)})
                if number == 10:
                    writer.delete(["p5", "Ann"])
                yield step

        gallery.export(path, progress=meanwhile)
        load(database, path, "again")
        assert contents(database.find("again")) == before


def test_the_file_is_for_its_owner_only_and_never_overwritten_unasked(memory, path):
    gallery = filled(memory)
    exported(gallery, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    gallery.add("Bob", faces(1))
    with pytest.raises(BadArgument, match=r"people.gallery is there already.*--force"):
        gallery.export(path)
    assert path.read_bytes() == before
    gallery.export(path, force=True)
    assert path.read_bytes() != before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_that_appears_meanwhile_is_not_overwritten(memory, path):
    def meanwhile(steps, _total):
        yield from steps
        path.write_text("precious")

    with pytest.raises(BadArgument, match="is there already"):
        filled(memory).export(path, progress=meanwhile)
    assert path.read_text() == "precious" and len(list(path.parent.iterdir())) == 1


def test_a_failed_export_leaves_no_file(memory, tmp_path):
    gallery = filled(memory)

    def failing(steps, _total):
        yield next(iter(steps))
        raise OSError(28, "No space left on device")

    with pytest.raises(BadArgument, match=r"cannot be written \(No space left on device\)"):
        gallery.export(tmp_path / "a", progress=failing)
    for place in (tmp_path / "no such folder" / "a", tmp_path):
        with pytest.raises(BadArgument):
            gallery.export(place)
    assert list(tmp_path.iterdir()) == []


# Into galleries that are there.


def test_a_gallery_with_people_is_not_touched_unless_that_was_chosen(database, memory, path):
    exported(filled(memory), path)
    there = gallery_of(database, "staff")
    there.add("Bob", faces(1))
    before = contents(there)
    with pytest.raises(BadArgument, match=r"'staff' holds 1 people.*merge.*replace"):
        load(database, path)
    with pytest.raises(BadArgument, match="one of the two"):
        load(database, path, merge=True, replace=True)
    assert contents(there) == before
    there.delete(["Bob"])
    load(database, path)
    assert contents(there) == contents(memory.find("staff"))  # it was empty: who has it open goes on
    assert there.threshold == (0.4375, 1e-4, 0.25, 0.5)


def test_merging_adds_what_is_not_there_and_twice_changes_nothing(database, memory, path):
    exported(filled(memory), path)
    there = gallery_of(database, "staff")
    there.add_many({"Bob": faces(1), "p2": faces(77), "Ann": [db.Face(embedding(99)), *faces(50)]})
    there.set_metadata("Bob", {"own": 1})
    bob = contents(there)["Bob"]
    done = load(database, path, merge=True)
    photos = sum(person.count for person in memory.find("staff").people())
    assert (done.people, done.photos, done.known) == (memory.find("staff").count()[0] - 2, photos - 1, 1)
    after = contents(there)
    assert after["Bob"] == bob
    assert [face[1] for face in after["p2"][2]] == ["77", "2", "3", "4"]
    assert len(after["Ann"][2]) == 5 and after["Ann"][0]["team"] == "A"
    assert after["p3"] == contents(memory.find("staff"))["p3"]
    assert len(after["'; DROP TABLE persons; --"][2]) == 2  # the same photo twice, as it was
    check_exact(there)
    again = load(database, path, merge=True)
    assert (again.people, again.photos, again.known) == (0, 0, photos)
    assert contents(there) == after
    check_exact(there)


def test_merging_keeps_the_threshold_and_metadata_that_are_there(memory, path):
    exported(filled(memory, "first"), path)
    there = gallery_of(memory, "staff")
    there.add("Ann", faces(1))
    there.set_metadata("Ann", {"mine": True})
    there.set_threshold(0.9, None)
    load(memory, path, merge=True)
    assert there.person("Ann").metadata == {"mine": True} and there.threshold == (0.9, None, None, None)


def test_an_index_that_follows_hears_of_what_was_merged(database, memory, path):
    exported(filled(memory), path)
    there = gallery_of(database, "staff")
    there.add_many({"Bob": faces(1), "p2": faces(77)})
    revision = there.revision()
    load(database, path, merge=True)
    changes = there.changes(revision)
    told = set(there.names(changes.rows.ids).values())
    assert told == {person.name for person in memory.find("staff").people()}


def test_replacing_puts_the_file_in_the_place_of_all(database, memory, path):
    exported(filled(memory), path)
    there = gallery_of(database, "staff")
    there.add_many({"Bob": faces(1), "Ann": faces(2)})
    load(database, path, replace=True)
    assert contents(database.find("staff")) == contents(memory.find("staff"))
    assert [found.name for found in database.summaries()] == ["staff"]
    with pytest.raises(ModelMismatch, match="open it again"):
        there.add("Carl", faces(1))
    load(database, path, "new one", replace=True)
    assert database.find("new one").count() == database.find("staff").count()


@pytest.mark.parametrize("how", [{}, {"merge": True}, {"replace": True}])
def test_another_model_is_refused_before_anything_is_written(memory, path, how):
    exported(filled(memory, "first"), path)
    for number, (digest, dimension) in enumerate((("1" * 64, DIMENSION), (DIGEST, 32))):
        other = memory.gallery(f"other {number}", "else", digest, dimension)
        with pytest.raises(ModelMismatch, match=rf"holds embeddings of 'tiny'.*'other {number}' holds those of 'else'"):
            load(memory, path, f"other {number}", **how)
        assert other.revision() == 0
    with pytest.raises(BadName):
        load(memory, path, "", **how)


# Killed.


def test_an_import_that_is_killed_leaves_the_gallery_as_it_was_or_complete(url, memory, path, kill):  # noqa: F811
    exported(filled(memory), path)
    complete = contents(memory.find("staff"))
    with db.open(url) as database:
        for how in ("", "merge", "replace"):
            if how:
                database.delete_gallery("staff")
                gallery_of(database, "staff").add("Bob", faces(1))
            else:
                assert "staff" not in [found.name for found in database.summaries()]
            after = set(complete) | ({"Bob"} if how == "merge" else set())
            found, number = None, 0
            while found != after:
                kill("import", url, path, "staff", how, longest=0.3 + 0.2 * number)
                number += 1
                there = [found.name for found in database.summaries()]
                assert set(there) <= {"staff", STAGED} and number < 50
                if "staff" in there:
                    found = set(contents(database.find("staff")))
                    assert found in ({"Bob"}, after) if how else found == after
                    check_exact(database.find("staff"))
        assert contents(database.find("staff")) == complete


def test_an_export_that_is_killed_leaves_the_file_that_was_there(url, path, kill):  # noqa: F811
    with db.open(url) as database:
        exported(filled(database), path)
    before = path.read_bytes()
    killed = sum(not kill("export", url, path, "staff", longest=0.03 * 2**number) for number in range(5))
    assert killed and path.read_bytes() == before


# Damaged and hostile files.


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("original") / "people.gallery"
    with db.open("sqlite://") as database:
        exported(filled(database), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def victim():
    """A gallery that nothing of a refused file gets into."""
    with db.open("sqlite://") as database:
        gallery_of(database, "staff").add("Bob", faces(1))
        yield database


def refuse(victim, path, data, match=None):
    path.write_bytes(data)
    gallery = victim.find("staff")
    before = contents(gallery), gallery.revision(), [found.name for found in victim.summaries()]
    for how in ({"merge": True}, {"replace": True}):
        with pytest.raises(BadArgument, match=match) as caught:
            load(victim, path, **how)
        assert str(path) in str(caught.value) and len(str(caught.value)) < 700
    with pytest.raises(BadArgument):
        load(victim, path, "new")
    gallery = victim.find("staff")
    assert before == (contents(gallery), gallery.revision(), [found.name for found in victim.summaries()])


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts, honest=True, compression=zipfile.ZIP_STORED):
    """A file of these members, with hashes that are true: what somebody makes who knows how."""
    parts = dict(parts)
    if honest:
        manifest = json.loads(parts["manifest.json"])
        for name in PARTS:
            if name in parts:
                manifest["parts"][name] = {"bytes": len(parts[name]), "sha256": sha256(parts[name]).hexdigest()}
        parts["manifest.json"] = json.dumps(manifest).encode()
    return sealed(list(parts.items()), compression)


def sealed(entries, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
        archive.comment = bytes(64)
    return resealed(buffer.getvalue())


def resealed(data):
    return data[:-64] + sha256(data[:-64]).hexdigest().encode()


def changed_manifest(original, **values):
    parts = members(original)
    parts["manifest.json"] = json.dumps(json.loads(parts["manifest.json"]) | values).encode()
    return packed(parts)


def changed_lines(original, change):
    """The file with its lines of people and photos, as objects, changed; text stands for a line."""
    parts = members(original)
    lines = [json.loads(line) for line in parts["people.jsonl"].splitlines()]
    change(lines)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    parts["people.jsonl"] = "".join(f"{text}\n" for text in texts).encode()
    return packed(parts)


def test_a_file_that_somebody_packs_right_is_taken(original, memory, path):
    """So what is refused below is refused for what is wrong with it."""
    path.write_bytes(packed(members(original)))
    load(memory, path)
    path.write_bytes(changed_lines(original, lambda lines: None))
    assert load(memory, path, merge=True).photos == 0
    path.write_bytes(resealed(original))
    assert load(memory, path, merge=True).photos == 0


def test_flipped_bytes_anywhere_are_noticed(original, victim, path):
    draw = random.Random(0)
    for _ in range(50):
        data = bytearray(original)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        refuse(victim, path, bytes(data))
    for position in range(len(original) - 400, len(original), 7):  # the list of members, and the seal
        data = bytearray(original)
        data[position] ^= 0xFF
        refuse(victim, path, bytes(data))


def test_cut_and_lengthened_files_are_noticed(original, victim, path):
    draw = random.Random(0)
    lengths = [0, 1, 22, 63, 64, 65, 100, len(original) - 1, len(original) - 64, len(original) // 2]
    for length in lengths + [draw.randrange(len(original)) for _ in range(20)]:
        refuse(victim, path, original[:length])
    refuse(victim, path, original + b"\0")
    refuse(victim, path, b"\0" + original)
    refuse(victim, path, original + original)


def test_a_folder_a_pipe_and_nothing_are_no_files(memory, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "nothing", tmp_path / ("x" * 300), "a\0b"):
        with pytest.raises(BadArgument):
            load(memory, place)


def swapped(parts):
    return parts | {"embeddings.f32": parts["crops.bin"], "crops.bin": parts["embeddings.f32"]}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "wrong",
    [
        lambda parts: list(reversed(parts.items())),
        lambda parts: [*parts.items(), ("extra.bin", b"x")],
        lambda parts: [*parts.items(), ("people.jsonl", parts["people.jsonl"])],
        lambda parts: [("../../etc/passwd", b"x"), *parts.items()],
        lambda parts: [(f"../{name}", data) for name, data in parts.items()],
        lambda parts: [("/" + name, data) for name, data in parts.items()],
        lambda parts: [item for item in parts.items() if item[0] != "crops.bin"],
        lambda parts: [item for item in parts.items() if item[0] != "manifest.json"],
        lambda parts: list(swapped(parts).items()),
        lambda parts: [(name, data + b"\n" * (name == "people.jsonl")) for name, data in parts.items()],
        lambda parts: [(name, b"" if name == "crops.bin" else data) for name, data in parts.items()],
        lambda parts: [(name, b" " * 100_000 + data if "." in name else data) for name, data in parts.items()],
        lambda parts: [(name, b"[" * 50_000 if name == "manifest.json" else data) for name, data in parts.items()],
        lambda parts: [(name, b"\xff" if name == "manifest.json" else data) for name, data in parts.items()],
        lambda parts: [],
    ],
)  # fmt: skip
def test_other_members_than_those_expected_are_refused(original, victim, path, wrong):
    refuse(victim, path, sealed(wrong(members(original))))


def test_compressed_members_are_refused_unread(original, victim, path):
    parts = members(original)
    bomb = parts | {"crops.bin": bytes(50_000_000)}
    refuse(victim, path, packed(bomb, compression=zipfile.ZIP_DEFLATED), "not stored as it must be")


def test_huge_declared_sizes_are_refused_unread(original, victim, path):
    directory = original.index(b"PK\1\2")
    first = original.index(b"PK\1\2") + 20
    for size in (2**31, 2**32 - 2, len(original) + 1):
        data = bytearray(original)
        struct.pack_into("<LL", data, first, size, size)
        refuse(victim, path, resealed(bytes(data)))
        refuse(victim, path, changed_manifest(original, people=size, photos=size))
    for offset in (directory + 42, len(original) - 64 - 22 + 12, len(original) - 64 - 22 + 16):
        data = bytearray(original)
        struct.pack_into("<L", data, offset, 2**31)
        refuse(victim, path, resealed(bytes(data)))


def test_a_list_of_members_as_large_as_the_file_is_refused_unread(victim, path):
    tracemalloc.start()
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 4, 4, 30_000_000, 0, 64)
    files = [resealed(b"PK\1\2" + bytes(30_000_000) + end + bytes(64))]
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 4, 4, 30_000_000, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 30_000_004, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 4, 4, 200, 0, 64)
    files.append(resealed(b"PK\1\2" + bytes(30_000_000) + end64 + locator + end + bytes(64)))
    for data in files:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        refuse(victim, path, data, "list of members")
        assert tracemalloc.get_traced_memory()[1] - before < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "values",
    [
        {"format": "something"}, {"version": 2}, {"version": None}, {"people": 3}, {"people": 10**6}, {"photos": 3},
        {"photos": -1}, {"photos": 1.0}, {"people": True}, {"people": None}, {"gallery": ""}, {"gallery": "a\nb"},
        {"gallery": 7}, {"model": None}, {"model": {"name": "tiny", "digest": DIGEST}}, {"extra": 1},
        {"model": {"name": 5, "digest": DIGEST, "dimension": DIMENSION}},
        {"model": {"name": "tiny", "digest": DIGEST, "dimension": 0}},
        {"model": {"name": "tiny", "digest": DIGEST, "dimension": 10**9}},
        {"threshold": 0.5}, {"threshold": {"similarity": 2, "far": None, "low": None, "high": None}},
        {"threshold": {"similarity": None, "far": None, "low": None, "high": None}},
        {"threshold": {"similarity": 0.5, "far": "x", "low": None, "high": None}},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_that_says_something_else_is_refused(original, victim, path, values):
    refuse(victim, path, changed_manifest(original, **values))


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines.append(dict(lines[0])),
        lambda lines: lines.pop(0),
        lambda lines: lines.pop(1),
        lambda lines: lines.reverse(),
        lambda lines: lines[0].update(name=lines[3].get("name", "zzz")),
        lambda lines: lines[0].update(name=""),
        lambda lines: lines[0].update(name=" x"),
        lambda lines: lines[0].update(name="a\nb"),
        lambda lines: lines[0].update(name="x" * 256),
        lambda lines: lines[0].update(name="e\u0301"),
        lambda lines: lines[0].update(name=None),
        lambda lines: lines[0].update(photos=0),
        lambda lines: lines[0].update(photos=-1),
        lambda lines: lines[0].update(photos=10**15),
        lambda lines: lines[0].update(photos=True),
        lambda lines: lines[0].update(metadata=[1]),
        lambda lines: lines[0].update(metadata={"x": "y" * 70_000}),
        lambda lines: lines[0].update(metadata={"x": "y" * 200_000}),
        lambda lines: lines[0].update(created="yesterday"),
        lambda lines: lines[0].update(created="2026-01-01T00:00:00.000000"),
        lambda lines: lines[0].update(created="2026-01-01T00:00:00.000000+01:00"),
        lambda lines: lines[0].update(created="0001-01-01T00:00:00.000000+00:00"),
        lambda lines: lines[0].update(created=5),
        lambda lines: lines[0].update(extra=5),
        lambda lines: lines[1].update(source="x" * 5000),
        lambda lines: lines[1].update(source=5),
        lambda lines: lines[1].update(source="\udcff"),
        lambda lines: lines[1].update(score=2),
        lambda lines: lines[1].update(score="1"),
        lambda lines: lines[1].update(picture="A" * 64),
        lambda lines: lines[1].update(picture="../../x"),
        lambda lines: lines[1].update(crop=10**9),
        lambda lines: lines[1].update(crop=0),
        lambda lines: lines[1].update(crop=-1),
        lambda lines: lines[1].update(crop=1),
        lambda lines: lines[1].pop("score"),
        lambda lines: lines.__setitem__(1, "[" * 100_000),
        lambda lines: lines.__setitem__(1, "{"),
        lambda lines: lines.__setitem__(1, "[]"),
        lambda lines: lines.__setitem__(1, ""),
        lambda lines: lines.__setitem__(1, " " * 10**6),
        lambda lines: lines.__setitem__(0, json.dumps(lines[0]).replace("null", '{"x": NaN}')),
        lambda lines: lines.__setitem__(0, json.dumps(lines[0]).replace("null", '{"x": 1e999}')),
        lambda lines: lines.__setitem__(0, json.dumps(lines[0]).replace("null", '{"x": "\\ud800"}')),
        lambda lines: lines.__setitem__(0, json.dumps(lines[0]).replace("null", "9" * 5000)),
    ],
)  # fmt: skip
def test_people_and_photos_that_are_not_in_order_are_refused(original, victim, path, change):
    refuse(victim, path, changed_lines(original, change), "cannot be imported")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_embeddings_that_are_none_are_refused(original, victim, path, value):
    parts = members(original)
    vectors = np.frombuffer(parts["embeddings.f32"], "<f4").reshape(-1, DIMENSION).copy()
    if value == 0:
        vectors[-1] = 0
    else:
        vectors[-1, 3] = value
    refuse(victim, path, packed(parts | {"embeddings.f32": vectors.tobytes()}), "embedding")


def test_untrue_hashes_and_lengths_of_members_are_refused(original, victim, path):
    parts = members(original)
    for wrong in ({}, None, dict.fromkeys(PARTS), {name: {"bytes": 0, "sha256": ""} for name in PARTS}):
        manifest = json.loads(parts["manifest.json"]) | {"parts": wrong}
        refuse(victim, path, packed(parts | {"manifest.json": json.dumps(manifest).encode()}, honest=False))
    for name in PARTS:
        altered = bytearray(parts[name])
        altered[len(altered) // 2] ^= 1
        refuse(victim, path, packed(parts | {name: bytes(altered)}, honest=False))
        refuse(victim, path, packed(parts | {name: parts[name] + b"x"}))
        refuse(victim, path, packed(parts | {name: parts[name][:-1]}))


def test_nothing_is_written_before_the_end_of_the_file_was_verified(original, victim, path, monkeypatch):
    path.write_bytes(changed_lines(original, lambda lines: lines[-1].update(score=7)))
    monkeypatch.setattr(Connections, "write", lambda *_: pytest.fail("something was written"))
    for name, how in (("new", {}), ("staff", {"merge": True}), ("staff", {"replace": True})):
        with pytest.raises(BadArgument, match="score"):
            load(victim, path, name, **how)


def test_a_file_that_changes_after_it_was_verified_is_refused(original, memory, path):
    """Somebody writes into it between the look at it and the storing."""
    path.write_bytes(original)
    gallery = gallery_of(memory, "staff")
    gallery.add("Bob", faces(1))
    before = contents(gallery)
    for how in ({"merge": True}, {"replace": True}):
        path.write_bytes(original)
        with GalleryFile(path) as file:
            file.verify()
            with path.open("r+b") as other:
                other.seek(original.index(b"embeddings.f32") + 500)
                other.write(embedding(5).tobytes())
            with pytest.raises(BadArgument, match="cannot be imported"):
                memory.import_gallery(file, "staff", **how)
        assert contents(memory.find("staff")) == before
        assert [found.name for found in memory.summaries()] == ["staff"]


def test_errors_show_nothing_of_the_people(original, victim, path):
    path.write_bytes(changed_lines(original, lambda lines: lines[0].update(metadata={"secret": "y" * 70_000})))
    with pytest.raises(BadArgument) as caught:
        load(victim, path, merge=True)
    assert "secret" not in str(caught.value) and "yyy" not in str(caught.value)
