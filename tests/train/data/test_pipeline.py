import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import BadArgument, BadConfig, BadDataset, BadPicture
from tests.train.data.numbered import SIDE, encoded, flipped, numbers, picture, write_rec, write_shards
from train.data import open_dataset, places, recordio
from train.data.calls import CALLS
from train.data.pipeline import Pipeline

ROOT = Path(__file__).parents[3]
LABELS = np.repeat(np.arange(12), 5)  # sorted by person, as a .rec is
IMAGES = len(LABELS)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(params=["shards", "rec"])
def dataset(request, tmp_path):
    return made(request.param, tmp_path)


def made(kind, folder):
    return write_shards(folder / "set", LABELS) if kind == "shards" else write_rec(folder / "set.rec", LABELS)


def pipeline(dataset, batch=12, **options):
    return Pipeline(dataset, batch, image_size=(SIDE, SIDE), threads=2, **options)


def taken(pipeline, count, start=0):
    pytest.importorskip("tensorflow")
    return [(pictures.numpy(), labels.numpy()) for pictures, labels in pipeline.batches(start).take(count)]


def same(one, two):
    return len(one) == len(two) and all(np.array_equal(a, b) for x, y in zip(one, two) for a, b in zip(x, y))


def test_pictures_are_rgb_as_pillow_decodes_them_and_come_with_their_labels(dataset):
    (pictures, labels), *_ = taken(pipeline(dataset, IMAGES, shuffle=False), 1)
    assert pictures.dtype == np.uint8 and labels.dtype == np.int64
    assert np.array_equal(labels, LABELS) and np.array_equal(numbers(pictures), np.arange(IMAGES))
    for number in (0, 17, 59):
        decoded = np.asarray(Image.open(io.BytesIO(encoded(picture(number)))))
        assert np.array_equal(pictures[number], decoded)


def test_an_epoch_shows_every_picture_once_and_batches_go_on_across_its_border(dataset):
    feed = pipeline(dataset, 16, window=20)  # 60 pictures: 3.75 batches
    assert feed.steps_per_epoch == 4
    batches = taken(feed, 15)
    shown = np.concatenate([numbers(pictures) for pictures, _ in batches])
    for epoch in range(4):
        assert sorted(shown[epoch * IMAGES : (epoch + 1) * IMAGES]) == list(range(IMAGES))
    for pictures, labels in batches:
        assert len(pictures) == 16 and np.array_equal(labels, LABELS[numbers(pictures)])


def test_a_stream_begun_in_the_middle_goes_on_as_the_whole_one_would(dataset):
    options = {"augment": {"flip": True, "cutout": True}, "window": 20}
    whole = taken(pipeline(dataset, **options), 12)
    assert same(taken(pipeline(dataset, **options), 5, start=7), whole[7:])
    assert same(taken(pipeline(dataset, **options), 12), whole)
    assert not same(taken(pipeline(dataset, seed=1, **options), 12), whole)


def test_beginning_late_reads_nothing_of_what_came_before(dataset, monkeypatch):
    feed = pipeline(dataset)
    reads = []
    reader = feed._reader
    pictures = reader.pictures
    monkeypatch.setattr(reader, "pictures", lambda which: reads.extend(which) or pictures(which))
    feed.at(12 * 10**6, 12)
    assert len(reads) == 12


@pytest.mark.parametrize("sampling", ["shuffled", "balanced"])
def test_parts_of_workers_and_replicas_join_to_what_one_device_gets(tmp_path, sampling):
    dataset = made("rec", tmp_path)
    options = {"augment": {"flip": True, "colour": {"probability": 1}}, "sampling": sampling}
    whole = taken(pipeline(dataset, 12, **options), 5)
    workers = [taken(pipeline(dataset, 12, workers=2, worker=w, replicas=3, **options), 15) for w in range(2)]
    for number, (pictures, labels) in enumerate(whole):
        parts = [part for worker in workers for part in worker[3 * number : 3 * number + 3]]
        assert all(len(part[1]) == 2 for part in parts)
        assert np.array_equal(np.concatenate([part[0] for part in parts]), pictures)
        assert np.array_equal(np.concatenate([part[1] for part in parts]), labels)


def test_the_number_of_threads_changes_nothing(tmp_path):
    dataset = made("shards", tmp_path)
    options = {"image_size": (SIDE, SIDE), "augment": {"randaugment": True, "flip": True}}
    assert same(*(taken(Pipeline(dataset, 12, threads=threads, **options), 10) for threads in (1, 4)))


def test_neighbours_in_a_rec_sorted_by_person_are_of_different_people(tmp_path):
    labels = np.repeat(np.arange(51), 5)
    feed = pipeline(write_rec(tmp_path / "set.rec", labels), 255)
    pairs = np.concatenate([np.diff(feed.at(start, 255)[1]) == 0 for start in range(0, 5 * 255, 255)])
    assert pairs.mean() < 0.04  # 4 of 254 others are the same person: 0.016 by chance


def test_balanced_batches_hold_each_class_equally_often(tmp_path):
    labels = np.repeat([0, 1, 2, 3], [40, 10, 5, 1])
    dataset = write_shards(tmp_path / "set", labels)
    shown = np.concatenate([labels for _, labels in taken(pipeline(dataset, 8, sampling="balanced"), 7)])
    assert np.array_equal(np.bincount(shown), [14] * 4)


def test_about_half_are_flipped_and_which_depends_on_their_position_alone(tmp_path):
    dataset = made("rec", tmp_path)
    by_twelve = np.concatenate([flipped(p) for p, _ in taken(pipeline(dataset, augment={"flip": True}), 50)])
    by_thirty = np.concatenate([flipped(p) for p, _ in taken(pipeline(dataset, 30, augment={"flip": True}), 20)])
    assert np.array_equal(by_twelve, by_thirty)
    assert 0.4 < by_twelve.mean() < 0.6
    always = pipeline(dataset, augment={"flip": {"probability": 1}}).at(0, IMAGES)[0]
    assert flipped(always).all() and not flipped(pipeline(dataset, augment={"flip": False}).at(0, IMAGES)[0]).any()


def test_the_fingerprint_changes_with_whatever_changes_a_batch(tmp_path):
    dataset = made("shards", tmp_path)
    base = {"batch": 12, "image_size": (SIDE, SIDE), "seed": 0, "augment": {"flip": True}}
    other = write_shards(tmp_path / "other", LABELS[::-1].copy())
    changed = [
        Pipeline(dataset, **{**base, **change})
        for change in (
            {"batch": 24}, {"image_size": (8, 8)}, {"seed": 1}, {"shuffle": False}, {"augment": {}}, {"window": 10},
            {"augment": {"flip": {"probability": 0.4}}}, {"augment": {"flip": True, "grey": True}},
            {"sampling": "balanced"},
        )
    ]  # fmt: skip
    prints = [each.fingerprint for each in [Pipeline(dataset, **base), Pipeline(other, **base), *changed]]
    assert len(set(prints)) == len(prints)
    shared = Pipeline(dataset, **base, workers=2, worker=1, replicas=2, threads=3)
    again = Pipeline(open_dataset(dataset.path), **base)
    assert shared.fingerprint == again.fingerprint == prints[0]


def test_the_fingerprint_of_a_rec_changes_when_the_file_is_written_anew(tmp_path):
    first = pipeline(made("rec", tmp_path)).fingerprint
    (tmp_path / "set.rec").touch()
    assert pipeline(open_dataset(tmp_path / "set.rec")).fingerprint != first


def test_pictures_of_another_size_or_format_are_taken(tmp_path):
    large = np.asarray(Image.fromarray(picture(1)).resize((40, 40), Image.Resampling.NEAREST))
    small = np.asarray(Image.fromarray(picture(2)).resize((8, 12), Image.Resampling.NEAREST))
    payloads = [encoded(picture(0), "PNG"), encoded(large), encoded(small), encoded(picture(3))]
    dataset = write_shards(tmp_path / "set", [0, 0, 1, 1], 1, payloads)
    pictures, _ = pipeline(dataset, 4, shuffle=False).at(0, 4)
    assert np.array_equal(numbers(pictures), [0, 1, 2, 3])


@pytest.mark.parametrize("kind", ["shards", "rec"])
@pytest.mark.parametrize("damage", ["cut", "no picture"])
def test_a_damaged_picture_is_an_error_of_ours_that_names_file_and_offset(tmp_path, kind, damage):
    tf = pytest.importorskip("tensorflow")
    payloads = [encoded(picture(number)) for number in range(IMAGES)]
    for number in (30, 42, 50):
        payloads[number] = payloads[number][:-40] if damage == "cut" else b"nothing that was ever a picture"
    if kind == "shards":
        dataset = write_shards(tmp_path / "set", LABELS, 3, payloads)
    else:
        dataset = write_rec(tmp_path / "set.rec", LABELS, payloads)
    feed = pipeline(dataset, shuffle=False)
    offset = int(places.of_dataset(dataset)[30]["offset"])
    with pytest.raises(BadPicture, match=rf"set.*, the record at offset {offset}: the picture"), feed.plain_errors():
        taken(feed, 100)
    batches = iter(feed.batches())
    with pytest.raises(BadPicture, match=rf"offset {offset}: "):  # also where each batch is asked for by itself
        for _ in range(100):
            time.sleep(0.05)
            with feed.plain_errors():
                next(batches)
    with pytest.raises(tf.errors.OpError), pipeline(dataset).plain_errors():  # what is not ours stays what it is
        tf.raw_ops.Assert(condition=False, data=["x"])
    deadline = time.monotonic() + 10
    while CALLS.running:  # no thread hangs in what it reads ahead
        assert time.monotonic() < deadline


@pytest.mark.parametrize("kind", ["shards", "rec"])
@pytest.mark.parametrize("damage", ["altered", "cut short"])
def test_a_file_that_is_damaged_while_it_is_in_use_is_an_error_that_names_the_offset(tmp_path, kind, damage):
    pytest.importorskip("tensorflow")
    dataset = made(kind, tmp_path)
    feed = pipeline(dataset, shuffle=False)
    feed.at(0, 12)
    path = dataset.path / dataset.shards[-1].file if kind == "shards" else dataset.path
    offset = int(places.of_dataset(dataset)[-1]["offset"])
    if damage == "altered":
        with path.open("rb+") as file:
            file.seek(offset + 5 if kind == "rec" else offset + 60)
            file.write(b"\x5a\xa5")
    else:
        os.truncate(path, offset + 50)
    with pytest.raises(BadDataset, match=rf"{path.name}.* offset {offset}"), feed.plain_errors():
        taken(feed, 100)


def test_a_record_in_several_parts_is_put_together(tmp_path):
    magic = (0xCED7230A).to_bytes(4, "little")
    plain = encoded(picture(1))
    header = 24  # the record's, before the picture: the comment must put the magic at a multiple of 4
    comment = next(
        pad * b"x" + magic for pad in range(4) if (header + 2 + 4 + pad) % 4 == 0
    )  # SOI and the comment's marker and length stand before it
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    payload = plain[:2] + segment + plain[2:]
    dataset = write_rec(tmp_path / "set.rec", [0, 0, 1], [encoded(picture(0)), payload, encoded(picture(2))])
    assert places.of_dataset(dataset)["length"].tolist()[1] == 0  # it was cut
    assert numbers(pipeline(dataset, 3, shuffle=False).at(0, 3)[0]).tolist() == [0, 1, 2]
    assert recordio.Reader(dataset.path)[1].payload == payload


def test_where_pictures_lie_is_found_once_and_again_if_what_was_kept_is_damaged(dataset, tmp_path, monkeypatch):
    first = np.array(places.of_dataset(dataset))
    (kept,) = (tmp_path / "cache" / "datasets").glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:100])
    assert np.array_equal(places.of_dataset(dataset), first)
    monkeypatch.setattr(places, "_shards", None)
    monkeypatch.setattr(places, "_rec", None)
    assert np.array_equal(places.of_dataset(dataset), first)


def test_a_cache_that_cannot_be_written_does_no_harm(dataset, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "file"))
    assert len(places.of_dataset(dataset)) == IMAGES


def test_a_label_that_is_no_class_is_refused(tmp_path):
    dataset = write_shards(tmp_path / "set", [0, 1, 7], 1, classes=3)
    with pytest.raises(BadDataset, match="picture 2 has the label 7, but the 3 classes are 0 to 2"):
        pipeline(dataset, 3).at(0, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch must be a whole number"),
        ({"batch": 10, "replicas": 3}, "batch of 10 cannot be cut evenly"),
        ({"workers": 2, "worker": 2}, "worker must be a number from 0 to 1"),
        ({"image_size": 112}, "image_size must be height and width"),
        ({"image_size": (0, 5)}, "image_size must be a whole number"),
        ({"seed": -1}, "seed must be"),
        ({"threads": 0}, "threads must be"),
        ({"window": 0}, "window must be"),
        ({"sampling": "random"}, "Unknown sampling 'random'. Expected one of: shuffled, balanced"),
        ({"sampling": "balanced", "shuffle": False}, "cannot go with shuffle=False"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, message):
    with pytest.raises(BadArgument, match=message):
        Pipeline(made("rec", tmp_path), **{"batch": 12, **options})


def test_an_unknown_augmentation_is_refused_by_name(tmp_path):
    with pytest.raises(BadConfig, match="augment: unknown key 'flop'"):
        Pipeline(made("rec", tmp_path), 12, augment={"flop": True})


def test_a_program_that_ends_while_pictures_are_read_ahead_ends_well(tmp_path):
    # Without train/data/calls.py this is an abort, exit code 134, nearly every time.
    pytest.importorskip("tensorflow")
    write_shards(tmp_path / "set", LABELS, 3, [encoded(np.zeros((1000, 1000, 3), np.uint8))] * IMAGES)
    program = (
        "import sys\n"
        "from train.data import open_dataset\n"
        "from train.data.pipeline import Pipeline\n"
        "batches = iter(Pipeline(open_dataset(sys.argv[1]), 12, threads=2).batches())\n"
        "next(batches)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", program, str(tmp_path / "set")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
