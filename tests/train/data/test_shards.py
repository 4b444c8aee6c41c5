"""Shards: TensorFlow reads what we write and the other way round; damage is named; an index is not trusted."""

import json
from pathlib import Path

import numpy as np
import pytest

from common.errors import BadDataset
from train.data import open_dataset, tfrecord
from train.data.positioned import PositionedFile
from train.data.shards import Contents, Shard, check_shard, read_shard, write_index, write_shard
from train.data.tfrecord import Example

DRAW = np.random.default_rng(0)
EXAMPLES = [
    Example(DRAW.bytes(int(length)), int(label), name)
    for length, label, name in zip(
        [1, 0, 127, 128, 129, 20000, 3],
        [0, 127, 128, 85741, 2**31, 2**62, 5],
        ["", "a", "s1/1.pgm", "ü/ß.jpg", "", "", "x" * 300],
    )
]


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    examples = [Example(b"jpeg%d" % number, number % 3) for number in range(7)]
    shards = tuple(
        write_shard(folder / f"set-0000{k}-of-00002.tfrecord", part)
        for k, part in enumerate((examples[:4], examples[4:]))
    )
    write_index(folder, Contents(3, 7, shards, (112, 112), (3, 2, 2), {"seed": 0}), ["Ann", "Bob", "Ünal"])
    return folder


def test_tensorflow_reads_our_shards(tmp_path):
    tf = pytest.importorskip("tensorflow")
    shard = write_shard(tmp_path / "a.tfrecord", EXAMPLES)
    assert shard.images == len(EXAMPLES) and shard.bytes == (tmp_path / "a.tfrecord").stat().st_size
    found = []
    for raw in tf.data.TFRecordDataset(str(tmp_path / "a.tfrecord")):
        feature = tf.train.Example.FromString(raw.numpy()).features.feature
        name = feature["name"].bytes_list.value[0].decode() if "name" in feature else ""
        found.append(Example(feature["jpeg"].bytes_list.value[0], feature["label"].int64_list.value[0], name))
    assert found == EXAMPLES


def test_we_read_tensorflows_shards(tmp_path):
    tf = pytest.importorskip("tensorflow")
    path = str(tmp_path / "a.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        for example in EXAMPLES:
            features = {
                "jpeg": tf.train.Feature(bytes_list=tf.train.BytesList(value=[example.jpeg])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[example.label])),
                "name": tf.train.Feature(bytes_list=tf.train.BytesList(value=[example.name.encode()])),
                "more": tf.train.Feature(float_list=tf.train.FloatList(value=[1.5, 2.5])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    assert list(read_shard(path)) == EXAMPLES


def test_every_altered_byte_of_a_shard_is_noticed(tmp_path):
    path = tmp_path / "a.tfrecord"
    shard = write_shard(path, [Example(b"picture", 3, "name"), Example(b"other", 4)])
    data = path.read_bytes()
    second = list(tfrecord.offsets(PositionedFile(path)))[1]
    for place in range(len(data)):
        altered = bytearray(data)
        altered[place] ^= 0x10
        path.write_bytes(altered)
        with pytest.raises(BadDataset) as caught:
            list(read_shard(path))
        assert str(path) in str(caught.value) and f"offset {second if place >= second else 0}" in str(caught.value)
        with pytest.raises(BadDataset, match="was altered: expected SHA-256"):
            check_shard(tmp_path, shard)


def test_a_shard_cut_anywhere_is_noticed(tmp_path):
    path = tmp_path / "a.tfrecord"
    write_shard(path, [Example(b"picture", 3), Example(b"other", 4)])
    data = path.read_bytes()
    second = list(tfrecord.offsets(PositionedFile(path)))[1]
    for length in range(1, len(data)):
        if length != second:
            path.write_bytes(data[:length])
            with pytest.raises(BadDataset, match=f"cut short.*offset {second if length > second else 0}\\."):
                list(read_shard(path))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "jpeg' is missing|label' is missing"),
        (b"\x0a\x05ab", "cut short"),
        (b"\x0f", "wire type 7"),
        (b"\x0a" + b"\xff" * 11, "does not end"),
        (tfrecord.encode(Example(b"x", 1)).replace(b"jpeg", b"jpag"), "'jpeg' is missing"),
        (tfrecord.encode(Example(b"x", 1)).replace(b"label", b"lable"), "'label' is missing"),
    ],
)
def test_a_record_that_is_not_one_of_ours_is_refused_with_its_offset(tmp_path, data, expected):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(tfrecord.frame(data))
    with pytest.raises(BadDataset, match=f"offset 0 is not one of ours.*({expected})"):
        list(read_shard(path))


def test_an_error_while_a_shard_is_written_leaves_nothing(tmp_path):
    def examples():
        yield Example(b"x", 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "a.tfrecord", examples())
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_is_opened_by_folder_and_by_index(dataset):
    for path in (dataset, dataset / "dataset.json", str(dataset)):
        found = open_dataset(path)
        assert (found.kind, found.path, found.classes, found.images) == ("shards", dataset, 3, 7)
        assert found.names == ["Ann", "Bob", "Ünal"] and found.image_size == (112, 112) and found.counts == (3, 2, 2)
        assert [shard.images for shard in found.shards] == [4, 3]
        examples = [each for shard in found.shards for each in read_shard(found.path / shard.file)]
        assert [each.label for each in examples] == [0, 1, 2, 0, 1, 2, 0]


def test_an_unfinished_dataset_is_refused(dataset):
    (dataset / "dataset.json").unlink()
    with pytest.raises(BadDataset, match="No dataset at"):
        open_dataset(dataset)
    (dataset / ".unfinished").mkdir()
    with pytest.raises(BadDataset, match="is unfinished: call prepare_data.py again"):
        open_dataset(dataset)


def test_a_shard_of_another_size_or_none_is_noticed_when_the_dataset_is_opened(dataset):
    shard = dataset / "set-00001-of-00002.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(BadDataset, match=r"00001-of-00002.tfrecord has \d+ bytes; dataset.json says"):
        open_dataset(dataset)
    shard.unlink()
    with pytest.raises(BadDataset, match="00001-of-00002.tfrecord cannot be read"):
        open_dataset(dataset)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("format", 2, "another format"),
        ("classes", "3", "whole"),
        ("classes", True, "whole"),
        ("images", -1, "whole"),
        ("images", 8, "do not add up to 8"),
        ("shards", None, "expected classes, images"),
        ("shards", [1], "expected classes, images"),
        ("shards", [{"file": "../x", "images": 7, "bytes": 1, "sha256": "0"}], "not a file in that folder"),
        ("shards", [{"file": "/etc/passwd", "images": 7, "bytes": 1, "sha256": "0"}], "not a file in that folder"),
        ("shards", [{"file": 5, "images": 7, "bytes": 1, "sha256": "0"}], "texts"),
        ("image_size", [112], "image_size"),
        ("image_size", "112", "image_size"),
        ("counts", [7], "counts"),
        ("counts", [1, 1, 1], "counts"),
        ("made", "by hand", "mapping"),
    ],
)
def test_an_index_with_a_wrong_value_is_refused(dataset, key, value, expected):
    path = dataset / "dataset.json"
    stated = json.loads(path.read_text())
    path.write_text(json.dumps({**stated, key: value}))
    with pytest.raises(BadDataset, match=expected):
        open_dataset(dataset)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"format": 1}'])
def test_an_index_that_is_none_is_refused(dataset, text):
    (dataset / "dataset.json").write_text(text)
    with pytest.raises(BadDataset, match="dataset.json"):
        open_dataset(dataset)


def test_names_must_be_as_many_as_classes_and_line_breaks_in_them_do_no_harm(dataset):
    (dataset / "names.txt").write_text("Ann\nBob\n")
    with pytest.raises(BadDataset, match="2 lines; expected one for each of the 3 classes"):
        open_dataset(dataset)
    contents = Contents(2, 0, ())
    write_index(dataset, contents, ["line\nbreak", "\udcff"])
    assert open_dataset(dataset).names == ["line break", "\udcff"]


def test_a_shards_record_says_what_it_was_when_written(tmp_path):
    shard = write_shard(tmp_path / "a.tfrecord", EXAMPLES)
    import hashlib

    data = Path(tmp_path / "a.tfrecord").read_bytes()
    assert shard == Shard("a.tfrecord", len(EXAMPLES), len(data), hashlib.sha256(data).hexdigest())
