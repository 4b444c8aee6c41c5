import io

import numpy as np
import pytest
from PIL import Image

from bench.pipeline import OPENCV, OURS, TENSORFLOW, bare_opencv, made, ours, table, turn
from train.data import open_dataset
from train.data.recordio import Reader
from train.data.shards import read_shard


def jpegs(count):
    stream = [io.BytesIO() for _ in range(count)]
    for number, each in enumerate(stream):
        Image.fromarray(np.full((112, 112, 3), number, np.uint8)).save(each, "JPEG")
    return [each.getvalue() for each in stream]


def test_both_forms_of_the_dataset_hold_the_same_pictures(tmp_path):
    wanted = jpegs(30)
    folder, record_file = made(tmp_path, wanted)
    dataset, found = open_dataset(folder), []
    for shard in dataset.shards:
        found += [example.jpeg for example in read_shard(folder / shard.file)]
    assert sorted(found) == sorted(wanted) and found != wanted
    with Reader(record_file) as reader:
        assert [reader[number].payload for number in range(30)] == wanted


def test_contestants_take_as_many_batches_as_they_are_asked_for(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow")
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))
    pictures = jpegs(12)
    folder, record_file = made(tmp_path, pictures)
    decoded = []
    monkeypatch.setattr("bench.pipeline.cv2.imdecode", lambda *_: decoded.append(1))
    bare_opencv(pictures, 4, 2)(5)
    assert len(decoded) == 20
    monkeypatch.undo()
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))
    for path in (folder, record_file):
        assert turn(ours(path, 4, 2, {"flip": True}), 3) > 0


def test_a_turn_begins_with_batches_that_do_not_count():
    asked = []
    turn(asked.append, 20)
    assert asked == [8, 20]


def test_shares_are_of_the_fastest_bare_decoder_and_of_tensorflows():
    rates = {OPENCV: 2000.0, TENSORFLOW: 1600.0, OURS: 1800.0}
    assert table(rates, 2000.0, "flip").rows[2] == [OURS, "1800", "90 %", "112 %"]
