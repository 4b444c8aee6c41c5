"""Our ``.rec`` files and real mxnet 1.9.1, both ways. mxnet is installed once, into the user's cache."""

import json

import cv2
import numpy as np
import pytest

from tests.train.data import mxnet_peer
from tests.train.data.mxnet_peer import ask, sha256
from train.data.recordio import Reader, Writer, read

MAGIC = bytes.fromhex("0a23d7ce")


@pytest.fixture(scope="module", autouse=True)
def mxnet():
    try:
        return mxnet_peer.interpreter()
    except mxnet_peer.NoPeer as error:
        pytest.skip(str(error))


def payloads():
    """Records that hold the magic at every kind of place, and of every length modulo 4."""
    draw = np.random.default_rng(1)
    noise = [draw.bytes(int(length)) for length in draw.integers(1, 60, 20)]
    mixed = [b"".join(draw.choice([MAGIC, b"a", b"bc", b"defg", MAGIC]) for _ in range(draw.integers(1, 12)))
             for _ in range(30)]  # fmt: skip
    return [*noise, *mixed, MAGIC, MAGIC * 3, b"x" + MAGIC, MAGIC + b"x", b"abcd" + MAGIC + MAGIC + b"z"]


def test_mxnet_reads_what_we_write_in_insightface_layout(tmp_path):
    contents = [
        (payload, [number // 5, 0.5] if number % 3 else number // 5) for number, payload in enumerate(payloads())
    ]
    with Writer(tmp_path / "train.rec") as writer:
        for payload, label in contents:
            writer.write(payload, label)
    found = {record["key"]: record for record in ask("indexed", tmp_path / "train.rec")}
    images, classes = len(contents), contents[-1][1] if isinstance(contents[-1][1], int) else contents[-1][1][0]
    assert found[0]["label"] == [images + 1, images + 1 + classes + 1] and found[0]["flag"] == 2
    for key, (payload, label) in enumerate(contents, 1):
        assert found[key] == {
            "key": key,
            "flag": 2 if isinstance(label, list) else 0,
            "label": label,
            "id": key,
            "sha256": sha256(payload),
        }
    for label in range(classes + 1):
        first, end = found[images + 1 + label]["label"]
        assert [contents[int(key) - 1][1] for key in np.arange(first, end)] == [
            each for _, each in contents if (each if isinstance(each, int) else each[0]) == label
        ]
    assert [each["sha256"] for each in ask("streamed", tmp_path / "train.rec")][:images] == [
        sha256(payload) for payload, _ in contents
    ]


def test_mxnet_decodes_pictures_that_we_write_in_im2rec_layout(tmp_path):
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (90, 90, 90)]
    with Writer(tmp_path / "plain.rec", layout="im2rec") as writer:
        for number, colour in enumerate(colours):
            picture = np.full((32, 32, 3), colour[::-1], np.uint8)
            writer.write(cv2.imencode(".jpg", picture)[1].tobytes(), 7 - number)
    found = ask("decoded", tmp_path / "plain.rec", 4, 32, 32)
    assert [label for label, _ in found] == [7, 6, 5, 4]
    assert np.allclose([mean for _, mean in found], colours, atol=3)


def test_we_read_what_mxnet_writes_in_insightface_layout(tmp_path):
    identities = [[(payload, number) for payload in payloads()[number::6]] for number in range(6)]
    recipe = [[(payload.hex(), label) for payload, label in pictures] for pictures in identities]
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    header = ask("write_insightface", tmp_path / "train.rec", tmp_path / "recipe.json")
    expected = [(payload, label) for pictures in identities for payload, label in pictures]
    with Reader(tmp_path / "train.rec") as reader:
        assert reader.header == tuple(header) and reader.classes() == 6
        assert reader.keys.tolist() == list(range(1, len(expected) + 1))
        assert [(record.payload, record.identity) for record in reader] == expected
        assert reader.labels().tolist() == [label for _, label in expected]
    assert [(record.payload, record.identity) for record in read(tmp_path / "train.rec")] == expected
    (tmp_path / "train.idx").unlink()
    with Reader(tmp_path / "train.rec") as reader:
        assert reader.header == tuple(header) and [record.payload for record in reader] == [
            each for each, _ in expected
        ]


def test_we_read_what_im2rec_writes(tmp_path):
    draw = np.random.default_rng(2)
    for number in range(6):
        path = tmp_path / "root" / f"person{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), draw.integers(0, 255, (20, 20, 3), np.uint8))
    lines = ask("im2rec", tmp_path / "set", tmp_path / "root").splitlines()
    expected = {
        int(number): (float(label), (tmp_path / "root" / path).read_bytes())
        for number, label, path in (line.split("\t") for line in lines)
    }
    assert len(expected) == 6
    with Reader(tmp_path / "set.rec") as reader:
        assert reader.header is None and reader.classes() == 3
        assert {record.key: (record.label, record.payload) for record in reader} == expected
    assert {record.key: (record.label, record.payload) for record in read(tmp_path / "set.rec")} == expected
