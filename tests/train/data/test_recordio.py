"""``.rec`` files: round trips, InsightFace's bookkeeping, and damage that is named with its offset."""

import os
import pickle
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from common.errors import BadArgument, BadDataset
from train.data import open_dataset
from train.data.recordio import Reader, Writer, read

MAGIC = bytes.fromhex("0a23d7ce")


def naive_frames(data):
    """The records of a file by the specification, byte by byte: [(offset, record)]."""
    found, place, start, parts = [], 0, 0, []
    while place < len(data):
        magic, word = struct.unpack("<II", data[place : place + 8])
        assert magic == 0xCED7230A
        flag, length = word >> 29, word & 0x1FFFFFFF
        if flag in (0, 1):
            assert not parts
            start = place
        parts.append(data[place + 8 : place + 8 + length])
        if flag in (0, 3):
            found.append((start, MAGIC.join(parts)))
            parts = []
        place += 8 + (length + 3) // 4 * 4
    return found


def write(path, pictures, **options):
    with Writer(path, **options) as writer:
        for payload, label in pictures:
            writer.write(payload, label)
    return path


@pytest.fixture
def pictures():
    draw = np.random.default_rng(0)
    pieces = [MAGIC, b"a", b"bcd", b"efgh"]
    return [
        (b"".join(pieces[each] for each in draw.integers(0, 4, draw.integers(1, 9))), number // 3)
        for number in range(12)
    ]


@pytest.fixture
def rec(tmp_path, pictures):
    return write(tmp_path / "train.rec", pictures)


def test_pictures_come_back_by_index_by_stream_and_without_an_index(rec, pictures):
    with Reader(rec) as reader:
        assert [(record.payload, record.label) for record in reader] == pictures
        assert reader.keys.tolist() == list(range(1, 13))
        assert reader.read(5).payload == pictures[4][0] and reader.read(5).key == 5
    assert [(record.payload, record.label) for record in read(rec)] == pictures
    rec.with_suffix(".idx").unlink()
    with Reader(rec) as reader:
        assert [(record.key, record.payload) for record in reader] == [
            (key, payload) for key, (payload, _) in enumerate(pictures, 1)
        ]


def test_the_file_is_what_the_specification_says(rec, pictures):
    records = naive_frames(rec.read_bytes())
    index = dict(tuple(map(int, line.split("\t"))) for line in rec.with_suffix(".idx").read_text().splitlines())
    by_offset = dict(records)
    for key, (payload, label) in enumerate(pictures, 1):
        assert by_offset[index[key]] == struct.pack("<IfQQ", 0, label, key, 0) + payload
    for label in range(4):
        expected = struct.pack("<IfQQff", 2, 0, 13 + label, 0, 1 + 3 * label, 4 + 3 * label)
        assert by_offset[index[13 + label]] == expected
    assert by_offset[index[0]] == struct.pack("<IfQQff", 2, 0, 0, 0, 13, 17)
    assert index[0] == records[-1][0], "record 0 is written last"
    assert rec.with_name("property").read_text().strip() == "4,112,112"


def test_array_labels_come_back_and_their_first_is_the_class(tmp_path):
    write(tmp_path / "a.rec", [(b"x", [3, 0.25, -1]), (b"y", 2)], layout="im2rec")
    with Reader(tmp_path / "a.rec") as reader:
        assert reader[0].label.tolist() == [3, 0.25, -1] and reader[0].label.dtype == np.float32
        assert [record.identity for record in reader] == [3, 2]
        assert reader.labels().tolist() == [3, 2] and reader.classes() == 4
        assert [record.payload for record in reader] == [b"x", b"y"]


def test_im2rec_keys_may_be_any_and_record_0_with_several_labels_is_a_picture_there(tmp_path):
    with Writer(tmp_path / "a.rec", layout="im2rec") as writer:
        writer.write(b"nine", 1, key=9)
        writer.write(b"zero", [0, 1], key=0)
    with Reader(tmp_path / "a.rec") as reader:
        assert reader.header is None and reader.keys.tolist() == [0, 9]
        assert [record.payload for record in reader] == [b"zero", b"nine"]


def test_records_whose_ids_repeat_are_numbered_where_there_is_no_index(tmp_path):
    with Writer(tmp_path / "a.rec", layout="im2rec") as writer:
        for payload in (b"a", b"b", b"c"):
            writer.write(payload, 0, key=7)
    (tmp_path / "a.idx").unlink()
    with Reader(tmp_path / "a.rec") as reader:
        assert [(record.key, record.payload) for record in reader] == [(0, b"a"), (1, b"b"), (2, b"c")]


@pytest.mark.parametrize("first", [2**24 + 1, 2**25 + 2])
def test_the_first_identity_is_found_where_float32_rounds_the_header(tmp_path, first):
    """A sparse index stands for a file of so many records: only those near the border exist."""
    assert int(np.float32(first)) != first
    from train.data.recordio_index import Index

    with Writer(tmp_path / "big.rec", layout="im2rec") as writer:
        writer.write(b"picture", 0, key=first - 1)
        writer.write(b"?", 0, key=first)
    path = tmp_path / "big.rec"
    data = path.read_bytes()
    start = naive_frames(data)[1][0]
    empty = struct.pack("<IfQQff", 2, 0, first, 0, 1, first)
    path.write_bytes(data[:start] + MAGIC + struct.pack("<I", len(empty)) + empty)
    with Reader(path) as reader:
        index = Index(np.array([first - 1, first]), np.array([0, start]))
        reader.header = (int(np.float32(first)), int(np.float32(first + 1)))
        assert reader._first_identity(index) == first


def test_threads_share_a_reader_and_a_pickled_one_opens_the_file_anew(rec, pictures):
    expected = [payload for payload, _ in pictures]
    with Reader(rec) as reader:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(20):
                assert [record.payload for record in pool.map(reader.__getitem__, range(12))] == expected
        with pickle.loads(pickle.dumps(reader)) as other:
            assert [record.payload for record in other] == expected


def test_a_file_cut_anywhere_is_an_error_that_names_the_offset(rec, pictures, tmp_path):
    data = rec.read_bytes()
    starts = [offset for offset, _ in naive_frames(data)]
    for length in range(1, len(data)):
        if length in starts:
            continue  # whole records are left: only the index can tell
        cut = tmp_path / "cut.rec"
        cut.write_bytes(data[:length])
        within = max(start for start in starts if start < length)
        where = rf"it ends at {length} bytes, within the record at offset {within}\."
        with pytest.raises(BadDataset, match=rf"cut\.rec is cut short: {where}"):
            list(read(cut))
        with pytest.raises(BadDataset, match=r"cut\.rec is cut short"), Reader(cut):
            pass


def test_a_file_cut_between_records_does_not_fit_its_index(rec):
    offset = naive_frames(rec.read_bytes())[-1][0]
    os.truncate(rec, offset)
    with pytest.raises(BadDataset, match=rf"record 0 at offset {offset}.*{offset} bytes"):
        Reader(rec)


def test_an_altered_frame_is_an_error_that_names_the_offset(rec):
    data = bytearray(rec.read_bytes())
    offset = naive_frames(bytes(data))[4][0]
    for place, value, expected in [(0, 0xFF, "no record begins"), (7, 0x60, "part 3"), (7, 0x40, "part 2")]:
        altered = bytearray(data)
        altered[offset + place] = value
        rec.write_bytes(altered)
        with pytest.raises(BadDataset, match=rf"{expected}.*") as caught:
            list(read(rec))
        assert f"offset {offset}" in str(caught.value) and str(rec) in str(caught.value)


def test_padding_that_is_not_zero_is_noticed(tmp_path):
    path = write(tmp_path / "a.rec", [(b"12345", 0)], layout="im2rec")
    data = bytearray(path.read_bytes())
    data[-1] = 1
    path.write_bytes(data)
    with pytest.raises(BadDataset, match="altered at offset 0"):
        list(read(path))


def test_records_too_short_for_their_labels_are_refused(tmp_path):
    for record in (b"tiny", struct.pack("<IfQQ", 1000, 0, 0, 0) + b"few"):
        path = tmp_path / "a.rec"
        path.write_bytes(MAGIC + struct.pack("<I", len(record)) + record + bytes(-len(record) % 4))
        with pytest.raises(BadDataset, match="offset 0 has"):
            list(read(path))


@pytest.mark.parametrize("label", [-1, 0.5, 2.0**24, float("nan"), float("inf")])
def test_labels_that_are_no_class_are_named_with_their_offset(tmp_path, label):
    path = write(tmp_path / "a.rec", [(b"fine", 0), (b"wrong", label)], layout="im2rec")
    with Reader(path) as reader:
        offset = int(reader.offsets[1])
        with pytest.raises(BadDataset, match=rf"offset {offset} has the label"):
            reader.labels()
        with pytest.raises(BadDataset, match=rf"offset {offset} has the label"):
            _ = reader[1].identity


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("", "is empty"),
        ("0 0\n", "no index"),
        ("zero\t0\n", "no index"),
        ("0\t0\t0\n", "two numbers"),
        ("0\t0\n0\t0\n", "key 0 twice"),
        ("0\t-4\n", "offset -4"),
        ("0\t2\n", "offset 2"),
        ("0\t999999\n", "offset 999999"),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path, index, expected):
    path = write(tmp_path / "a.rec", [(b"x", 0)], layout="im2rec")
    path.with_suffix(".idx").write_text(index)
    with pytest.raises(BadDataset, match=expected):
        Reader(path)


def test_an_index_that_lacks_pictures_is_refused(rec):
    index = rec.with_suffix(".idx")
    index.write_text("".join(line for line in index.read_text().splitlines(True) if not line.startswith("5\t")))
    with pytest.raises(BadDataset, match="lists 11 of the 12 pictures"):
        Reader(rec)


@pytest.mark.parametrize("ranges", [(0, 1), (5, 2), (2, 1e9), (float("nan"), 2), (2, float("inf"))])
def test_a_header_with_impossible_ranges_is_refused(tmp_path, ranges):
    path = tmp_path / "a.rec"
    record = struct.pack("<IfQQff", 2, 0, 0, 0, *ranges)
    path.write_bytes(MAGIC + struct.pack("<I", len(record)) + record)
    path.with_suffix(".idx").write_text("0\t0\n")
    with pytest.raises(BadDataset, match="offset 0 gives impossible ranges"):
        Reader(path)


def test_the_writer_takes_identities_one_after_another_in_insightface_layout(tmp_path):
    for labels in ([1], [0, 2], [0, 1, 0], [-1], [0.5], [float("nan")]):
        with pytest.raises(BadDataset, match="InsightFace's layout takes"):
            write(tmp_path / "train.rec", [(b"x", label) for label in labels])
        assert list(tmp_path.iterdir()) == []


def test_nothing_stands_under_the_name_until_all_is_written(tmp_path):
    with Writer(tmp_path / "train.rec") as writer:
        writer.write(b"x", 0)
        assert not any(path.name.startswith("train") for path in tmp_path.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"train.rec", "train.idx", "property"}
    before = (tmp_path / "train.rec").read_bytes()
    with pytest.raises(KeyboardInterrupt), Writer(tmp_path / "train.rec") as writer:
        writer.write(b"other", 0)
        raise KeyboardInterrupt
    assert (tmp_path / "train.rec").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"train.rec", "train.idx", "property"}


def test_the_writer_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(BadArgument, match="Unknown layout 'x'. Expected one of: insightface, im2rec"):
        Writer(tmp_path / "a.rec", layout="x")
    with pytest.raises(BadArgument, match="must end in .rec"):
        Writer(tmp_path / "a.dat")
    with pytest.raises(BadArgument, match="cannot be written"):
        Writer(tmp_path / "missing" / "a.rec")
    with pytest.raises(BadDataset, match="without a byte"), Writer(tmp_path / "a.rec") as writer:
        writer.write(b"", 0)


def test_more_records_than_float32_can_count_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("train.data.recordio_writer.EXACT", 10)
    with pytest.raises(BadDataset, match="too many for InsightFace's layout"):
        write(tmp_path / "a.rec", [(b"x", label) for label in range(5)])
    assert list(tmp_path.iterdir()) == []


def test_open_dataset_takes_the_file_and_its_folder(rec):
    for path in (rec, rec.parent):
        dataset = open_dataset(path)
        assert (dataset.kind, dataset.path, dataset.images, dataset.classes) == ("rec", rec, 12, 4)
        assert dataset.image_size == (112, 112) and dataset.names is None
    for text in ("many", "1,2", "0,112,112", "99999999,112,112"):
        rec.with_name("property").write_text(text)
        with pytest.raises(BadDataset, match=r"classes \(at most 16777216\),height,width"):
            open_dataset(rec)
    with pytest.raises(BadDataset, match="No dataset at"):
        open_dataset(rec.parent / "missing")
