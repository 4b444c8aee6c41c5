"""What datasets are prepared from: which identities and pictures each source has, in which order."""

import os
import pickle

import numpy as np
import pytest

from common.errors import BadArgument, BadDataset, BadPicture
from tests.train.data.people import folder
from train.data.prepare.selection import select
from train.data.recordio import Writer
from train.data.shards import Contents, write_index, write_shard
from train.data.sources import open_source
from train.data.texts import Texts, TextsBuilder
from train.data.tfrecord import Example


def listing(source, chosen=None):
    """[(identity, picture's name, bytes)] of a source, read through a pickled copy."""
    names = source.identities()
    chosen = np.arange(len(names)) if chosen is None else np.array(chosen)
    items = source.items(chosen)
    copy = pickle.loads(pickle.dumps(source))
    found = []
    for number, (label, place) in enumerate(zip(items.labels, items.places)):
        name = items.names[number] if items.names is not None else None
        found.append((names[chosen[label]], name, copy.read(int(place), name)))
    return found


def test_folders_of_identities_come_in_natural_order(tmp_path):
    written = folder(tmp_path / "set", [2] * 11)
    source = open_source(tmp_path / "set")
    assert source.identities() == [f"p{number}" for number in range(1, 12)]
    expected = [(f"p{p}", f"p{p}/{n}.jpg", written[f"p{p}/{n}.jpg"]) for p in range(1, 12) for n in (1, 2)]
    assert listing(source) == expected
    assert listing(source, [1, 9]) == [each for each in expected if each[0] in ("p2", "p10")]


def test_what_a_folder_holds_beside_pictures_is_noted(tmp_path):
    folder(tmp_path / "set", [1, 1])
    (tmp_path / "set" / "readme.txt").write_text("x")
    (tmp_path / "set" / ".hidden").mkdir()
    (tmp_path / "set" / "p1" / "Thumbs.db").write_text("x")
    (tmp_path / "set" / "p1" / ".DS_Store").write_text("x")
    (tmp_path / "set" / "p1" / "deeper").mkdir()
    source = open_source(tmp_path / "set")
    items = source.items(np.arange(2))
    assert source.identities() == ["p1", "p2"] and len(items.labels) == 2
    first, second = items.notes
    assert "1 passed over" in first and "readme.txt" in first
    assert "2 passed over" in second and "Thumbs.db, deeper" in second


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    folder(tmp_path / "set", [1])
    os.mkfifo(tmp_path / "set" / "p1" / "pipe.jpg")
    source = open_source(tmp_path / "set")
    for name, expected in (("p1/pipe.jpg", "not a regular file"), ("p1/9.jpg", "No such picture")):
        with pytest.raises(BadPicture, match=expected):
            source.read(0, name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("label.txt", "p2/1.jpg\tb 2\np1/1.jpg 10\n\np1/2.jpg\tb 2\n"),
        ("set.lst", "0\t2.000000\tp2/1.jpg\n1\t10.000000\t0.5\tp1/1.jpg\n2\t2\tp1/2.jpg\n"),
    ],
)
def test_lists_of_pictures_are_read(tmp_path, name, text):
    written = folder(tmp_path, [2, 1])
    (tmp_path / name).write_text(text)
    two, ten = ("2", "10") if name.endswith("lst") else ("b 2", "10")
    assert open_source(tmp_path / name).identities() == (["2", "10"] if two == "2" else ["10", "b 2"])
    found = {(identity, picture): data for identity, picture, data in listing(open_source(tmp_path / name))}
    assert found == {
        (two, "p2/1.jpg"): written["p2/1.jpg"],
        (ten, "p1/1.jpg"): written["p1/1.jpg"],
        (two, "p1/2.jpg"): written["p1/2.jpg"],
    }
    chosen = open_source(tmp_path / name).identities().index(ten)
    assert [each[:2] for each in listing(open_source(tmp_path / name), [chosen])] == [(ten, "p1/1.jpg")]


@pytest.mark.parametrize(
    ("name", "text"), [("a.txt", "alone\n"), ("a.lst", "1 2 3\n"), ("a.lst", "1\t2\n"), ("a.txt", "\n")]
)
def test_a_list_that_is_none_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(BadDataset, match="line 1: expected|lists no pictures"):
        open_source(tmp_path / name).identities()


def test_rec_files_give_identities_by_number_whatever_the_order_of_their_records(tmp_path):
    with Writer(tmp_path / "train.rec", layout="im2rec") as writer:
        for number, label in enumerate([2, 0, 2, 1, 0]):
            writer.write(b"%d" % number, [label, 0.5])
    source = open_source(tmp_path / "train.rec")
    assert source.identities() == ["0", "1", "2"]
    assert listing(source) == [
        ("0", None, b"1"),
        ("0", None, b"4"),
        ("1", None, b"3"),
        ("2", None, b"0"),
        ("2", None, b"2"),
    ]
    assert listing(source, [2]) == [("2", None, b"0"), ("2", None, b"2")]
    assert open_source(tmp_path).path == tmp_path / "train.rec"


def test_a_label_beyond_what_property_says_is_refused(tmp_path):
    with Writer(tmp_path / "train.rec") as writer:
        for label in range(3):
            writer.write(b"x", label)
    (tmp_path / "property").write_text("2,112,112")
    with pytest.raises(BadDataset, match=r"offset \d+ has the label 2; there should be 2 identities"):
        open_source(tmp_path / "train.rec").identities()


def test_shards_are_a_source_too(tmp_path):
    shards = tuple(
        write_shard(
            tmp_path / f"s-{k}.tfrecord", [Example(b"%d%d" % (k, n), (k + n) % 3, f"{k}/{n}") for n in range(3)]
        )
        for k in range(2)
    )
    write_index(tmp_path, Contents(3, 6, shards), ["x", "y", "z"])
    expected = [("x", "0/0", b"00"), ("x", "1/2", b"12"), ("y", "0/1", b"01"), ("y", "1/0", b"10"), ("z", "0/2", b"02")]
    assert listing(open_source(tmp_path))[:5] == expected
    assert listing(open_source(tmp_path), [1]) == expected[2:4]
    write_index(tmp_path, Contents(2, 6, shards), ["x", "y"])
    with pytest.raises(BadDataset, match=r"s-0.tfrecord: the record at offset \d+ has the label 2; there should be 2"):
        open_source(tmp_path).items(np.arange(2))


def test_what_is_no_source_is_refused(tmp_path):
    (tmp_path / "file.bin").write_text("x")
    (tmp_path / "empty").mkdir()
    for place, expected in (("file.bin", "is neither a .rec file"), ("missing", "No such source")):
        with pytest.raises(BadDataset, match=expected):
            open_source(tmp_path / place)
    with pytest.raises(BadDataset, match="holds no folder of an identity"):
        open_source(tmp_path / "empty").identities()


def test_identities_are_chosen_by_name_pattern_file_and_range(tmp_path):
    names = [f"s{number}" for number in range(1, 41)]
    (tmp_path / "some.txt").write_text("s40\n\ns1\n")
    assert select(names).tolist() == list(range(40))
    assert select(names, span="1-30").tolist() == list(range(30))
    assert select(names, span="31-").tolist() == list(range(30, 40)) == select(names, span="31-99").tolist()
    assert select(names, span="5").tolist() == [4]
    assert select(names, ["s?", "s1"]).tolist() == list(range(9))
    assert select(names, ["s[12]0", str(tmp_path / "some.txt")]).tolist() == [0, 9, 19, 39]
    assert select(names, ["s?"], "8-").tolist() == [7, 8]
    assert select(["[x]", "y"], ["[x]"]).tolist() == [0]
    with pytest.raises(BadArgument, match=r"No identity fits 'anna'. There are 40: s1, s2, s3, s4, s5, \.\.\."):
        select(names, ["s1", "anna"])
    for span in ("0-3", "3-2", "x", "", "-5", "1-x", "41-"):
        with pytest.raises(BadArgument, match="identit"):
            select(names, span=span)


def test_texts_come_back_from_memory_and_from_files(tmp_path):
    for number, texts in enumerate(([], [""], ["a", "", "ü\udcff", "x" * 1000])):
        builder = TextsBuilder()
        for text in texts:
            builder.append(text)
        built = builder.build()
        built.save(tmp_path, f"t{number}")
        for each in (built, Texts.open(tmp_path, f"t{number}")):
            assert [each[place] for place in range(len(each))] == texts
