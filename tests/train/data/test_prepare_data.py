"""prepare_data.py: every picture once, as it was, in shuffled shards of equal size; interrupted, it goes on."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mtcnn.pictures import read_picture
from tests.train.data.people import folder, jpeg
from train.cli.prepare_data import app
from train.data import open_dataset
from train.data.recordio import Reader, Writer
from train.data.shards import read_shard

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "train" / "prepare_data.py"
ORL = ROOT.parent / "shared" / "data" / "orl"


@pytest.fixture
def run():
    """Runs a command that must succeed; its standard output. More is in ``run.last``."""

    def call(*arguments, code=0):
        call.last = CliRunner().invoke(app, [str(each) for each in arguments])
        assert call.last.exit_code == code, call.last.output
        assert "Traceback" not in call.last.output
        return call.last.stdout

    return call


@pytest.fixture
def fail(run):
    """Runs a command that must fail; its one line on standard error."""

    def call(*arguments):
        assert run(*arguments, code=2) == ""
        assert run.last.stderr.startswith("error: ") and run.last.stderr.count("\n") == 1, run.last.stderr
        return run.last.stderr

    return call


def contents(path):
    """[(name, identity, bytes)] of a dataset of shards, shard by shard."""
    dataset = open_dataset(path)
    return [
        [(each.name, dataset.names[each.label], each.jpeg) for each in read_shard(dataset.path / shard.file)]
        for shard in dataset.shards
    ]


def files(path):
    return {each.name: each.read_bytes() for each in Path(path).iterdir()}


def process(*arguments):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_shards_hold_every_picture_once_as_it_was_in_random_order_and_balanced(run, tmp_path):
    written = folder(tmp_path / "set", [30, 1, 40, 29])
    out = run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 2, "--shards", 7)
    assert out == f"Wrote 100 pictures of 4 identities to {tmp_path / 'out'}.\n"
    shards = contents(tmp_path / "out")
    assert sorted(map(len, shards)) == [14] * 5 + [15] * 2
    flat = [each for shard in shards for each in shard]
    assert sorted(flat) == sorted((name, name.split("/")[0], data) for name, data in written.items())
    dataset = open_dataset(tmp_path / "out")
    assert dataset.names == ["p1", "p2", "p3", "p4"] and dataset.counts == (30, 1, 40, 29)
    assert dataset.image_size == (40, 40) and len(dataset.shards) == 7
    labels = np.array([dataset.names.index(identity) for _, identity, _ in flat])
    assert (np.diff(labels) == 0).mean() < 0.5, "neighbours are mostly of different people"
    assert set(files(tmp_path / "out")) == {*(shard.file for shard in dataset.shards), "dataset.json", "names.txt"}
    assert {path.name for path in tmp_path.iterdir()} == {"set", "out"}


def test_the_same_seed_gives_the_same_files_whatever_the_jobs(run, tmp_path):
    folder(tmp_path / "set", [20, 20])
    for out, options in (("a", []), ("b", ["--jobs", 2]), ("c", ["--seed", 1])):
        run("shards", tmp_path / "set", tmp_path / out, "--name", "x", "--jobs", 1, *options)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    a, c = contents(tmp_path / "a"), contents(tmp_path / "c")
    assert a != c and sorted(sum(a, [])) == sorted(sum(c, []))


def test_a_rec_becomes_shards_and_its_bins_come_along(run, tmp_path):
    (tmp_path / "rec").mkdir()
    with Writer(tmp_path / "rec" / "train.rec", image_size=(40, 40)) as writer:
        pictures = [(jpeg(number), number // 4) for number in range(12)]
        for payload, label in pictures:
            writer.write(payload, [label, 0.5])
    (tmp_path / "rec" / "lfw.bin").write_bytes(b"pairs")
    out = run("shards", tmp_path / "rec", tmp_path / "out", "--jobs", 1, "--shards", 2)
    assert "Copied lfw.bin." in out and (tmp_path / "out" / "lfw.bin").read_bytes() == b"pairs"
    found = [(data, int(identity)) for shard in contents(tmp_path / "out") for _, identity, data in shard]
    assert sorted(found) == sorted(pictures)
    run("shards", tmp_path / "rec", tmp_path / "two", "--jobs", 1, "--identities", "[12]", "--no-bins")
    assert open_dataset(tmp_path / "two").names == ["1", "2"] and not (tmp_path / "two" / "lfw.bin").exists()


def test_only_what_no_jpeg_decoder_would_show_right_is_encoded_anew(run, tmp_path):
    person = tmp_path / "set" / "p"
    person.mkdir(parents=True)
    picture = read_picture(jpeg(1))
    image = Image.fromarray(picture[:, :, ::-1])
    exif = Image.Exif()
    exif[0x0112] = 3
    image.save(person / "turned.jpg", exif=exif, quality=95)
    image.save(person / "plain.png")
    image.convert("CMYK").save(person / "cmyk.jpg", quality=95)
    image.convert("L").save(person / "grey.jpg", quality=95)
    image.convert("L").save(person / "grey.pgm")
    image.save(person / "as-it-is.jpg", quality=70)
    out = json.loads(run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1, "--json"))
    assert out["encoded"] == 4 and out["kept"] == 6
    found = {Path(name).name: data for shard in contents(tmp_path / "out") for name, _, data in shard}
    for name in ("as-it-is.jpg", "grey.jpg"):
        assert found[name] == (person / name).read_bytes()
    for name in ("turned.jpg", "plain.png", "cmyk.jpg", "grey.pgm"):
        stored = Image.open(io.BytesIO(found[name]))
        assert stored.format == "JPEG" and stored.mode == "RGB" and not stored.getexif()
        difference = np.abs(read_picture(found[name]).astype(int) - read_picture(person / name)).mean()
        assert difference < 4, (name, difference)


def test_pictures_that_cannot_be_used_are_counted_and_listed_and_empty_identities_left_out(run, fail, tmp_path):
    folder(tmp_path / "set", [3, 2, 3])
    cut = tmp_path / "set" / "p1" / "2.jpg"
    cut.write_bytes(cut.read_bytes()[:-200])
    for number in (1, 2):
        (tmp_path / "set" / "p2" / f"{number}.jpg").write_bytes(b"no picture")
    assert "3 of 8 pictures cannot be used; the first is p1/2.jpg (damaged" in fail(
        "shards", tmp_path / "set", tmp_path / "strict", "--jobs", 1, "--strict"
    )
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1)
    assert "p1/2.jpg: damaged" in run.last.stderr and "3 of 8 pictures could not be used (3 damaged)" in run.last.stderr
    assert "1 identities have no usable picture: p2." in run.last.stderr
    dataset = open_dataset(tmp_path / "out")
    assert dataset.names == ["p1", "p3"] and dataset.counts == (2, 3)
    lines = (tmp_path / "out" / "refused.tsv").read_text().splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        ["p1/2.jpg", "damaged"],
        ["p2/1.jpg", "damaged"],
        ["p2/2.jpg", "damaged"],
    ]
    run("shards", tmp_path / "set", tmp_path / "strict", "--jobs", 1)  # the strict call is gone on with
    assert contents(tmp_path / "strict") != [] and open_dataset(tmp_path / "strict").images == 5
    assert "None of the 2 pictures can be used: 2 damaged" in fail(
        "shards", tmp_path / "set", tmp_path / "none", "--jobs", 1, "--identities", "p2"
    )


def test_pictures_of_another_size_are_resized_where_a_size_is_asked_for(run, tmp_path):
    folder(tmp_path / "set", [2], side=40)
    (tmp_path / "set" / "p1" / "3.jpg").write_bytes(jpeg(3, side=64))
    run("shards", tmp_path / "set", tmp_path / "asis", "--jobs", 1)
    assert open_dataset(tmp_path / "asis").image_size is None
    run("shards", tmp_path / "set", tmp_path / "sized", "--jobs", 1, "--size", "40x40")
    assert open_dataset(tmp_path / "sized").image_size == (40, 40)
    found = {name: data for shard in contents(tmp_path / "sized") for name, _, data in shard}
    assert found["p1/1.jpg"] == (tmp_path / "set" / "p1" / "1.jpg").read_bytes()
    assert read_picture(found["p1/3.jpg"]).shape == (40, 40, 3)


def test_killed_at_many_moments_and_resumed_it_gives_what_an_undisturbed_run_gives(run, tmp_path):
    folder(tmp_path / "set", [100, 100, 100])
    (tmp_path / "set" / "p3" / "7.jpg").write_bytes(b"no picture")
    options = ["--name", "x", "--shards", "12"]
    run("shards", tmp_path / "set", tmp_path / "whole", "--jobs", 1, *options)
    out, kills = tmp_path / "out", 0
    work = out / ".unfinished"
    for pattern, least in (("checked/*.json", 1), ("checked/*.json", 6), ("written.*", 1), ("written.*", 8)):
        running = process("shards", tmp_path / "set", out, "--jobs", "1", *options)
        while running.poll() is None and len(list(work.glob(pattern))) < least:
            time.sleep(0.001)
        kills += running.poll() is None
        running.kill()
        running.communicate()
        kept = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tfrecord")}
        for name in kept:
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), "never half a shard"
    assert kills >= 3
    run("shards", tmp_path / "set", out, "--jobs", 1, *options)
    assert files(out) == files(tmp_path / "whole")
    noted = {name for name, time_ns in kept.items() if (out / name).stat().st_mtime_ns == time_ns}
    assert len(noted) >= 7, "finished shards are not written again"


def test_a_finished_shard_that_was_altered_meanwhile_is_written_again(run, fail, tmp_path):
    folder(tmp_path / "set", [20])
    run("shards", tmp_path / "set", tmp_path / "whole", "--jobs", 1, "--name", "x")
    process_ = process("shards", tmp_path / "set", tmp_path / "out", "--jobs", "1", "--name", "x")
    while process_.poll() is None and not list((tmp_path / "out").glob(".unfinished/written.*")):
        time.sleep(0.001)
    process_.kill()
    process_.communicate()
    if (tmp_path / "out" / "dataset.json").exists():
        pytest.skip("it was finished before it could be killed")
    shard = sorted((tmp_path / "out").glob("*.tfrecord"))[0]
    data = bytearray(shard.read_bytes())
    data[20] ^= 1
    shard.write_bytes(data)
    assert "another source or other options" in fail(
        "shards", tmp_path / "set", tmp_path / "out", "--jobs", 1, "--name", "x", "--size", "30"
    )
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1, "--name", "x")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_another_number_of_shards_after_an_interruption_leaves_no_stale_files(run, tmp_path):
    folder(tmp_path / "set", [40])
    running = process("shards", tmp_path / "set", tmp_path / "out", "--jobs", "1", "--shards", "20")
    while running.poll() is None and len(list((tmp_path / "out").glob("*.tfrecord"))) < 2:
        time.sleep(0.001)
    running.kill()
    running.communicate()
    if (tmp_path / "out" / "dataset.json").exists():
        pytest.skip("it was finished before it could be killed")
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1, "--shards", 3)
    assert [path.name for path in sorted((tmp_path / "out").glob("*.tfrecord"))] == [
        f"out-0000{number}-of-00003.tfrecord" for number in range(3)
    ]
    assert len(sum(contents(tmp_path / "out"), [])) == 40


def test_interrupted_from_the_keyboard_it_exits_with_130_and_goes_on(run, tmp_path):
    folder(tmp_path / "set", [200])
    running = process("shards", tmp_path / "set", tmp_path / "out", "--jobs", "2")
    while running.poll() is None and not list((tmp_path / "out").glob(".unfinished/recipe.json")):
        time.sleep(0.001)
    running.send_signal(signal.SIGINT)
    error = running.communicate(timeout=60)[1]
    assert running.returncode == 130 and "Traceback" not in error
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1)
    assert open_dataset(tmp_path / "out").images == 200


def test_a_full_disk_is_one_line_and_what_was_done_is_gone_on_with(run, tmp_path):
    folder(tmp_path / "set", [60], side=112)
    command = (
        f"ulimit -f 40; exec {sys.executable} {SCRIPT} shards {tmp_path / 'set'} {tmp_path / 'out'} --jobs 1 --shards 1"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith(
        f"error: {tmp_path / 'out'} cannot be written: File too large"
    )
    assert done.stderr.count("\n") == 1 and list((tmp_path / "out").glob("*.tfrecord")) == []
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1, "--shards", 1)
    assert open_dataset(tmp_path / "out").images == 60


def test_two_processes_do_not_prepare_the_same_dataset_at_once(fail, tmp_path):
    from train.data.prepare.plan import alone

    folder(tmp_path / "set", [1])
    with alone(tmp_path / "out"):
        assert "Another process is preparing" in fail("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1)


def test_a_place_that_holds_something_is_refused(run, fail, tmp_path):
    folder(tmp_path / "set", [2])
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1)
    assert "holds a finished dataset" in fail("shards", tmp_path / "set", tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    assert "is not empty" in fail("shards", tmp_path / "set", tmp_path / "other")
    assert files(tmp_path / "other") == {"letter.txt": b"dear"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--size", "big"], "--size is written 112x112"),
        (["--size", "0x5"], "1 to 4096 pixels"),
        (["--quality", "0"], "quality must be 1 to 100"),
        (["--enlarge", "3"], "add align"),
        (["--jobs", "0"], "--jobs must be 1 or more"),
        (["--shards", "0"], "at least 1 shard"),
        (["--seed", "-1"], "seed must be a whole number from 0 up"),
        (["--name", "a/b"], "beginning of a file's name"),
        (["--identities", "nobody"], "No identity fits 'nobody'"),
        (["--range", "9-"], "The range 9- holds no identity: there are 1."),
        (["--align", "--detector", "eyes"], "Unknown detector 'eyes'. Expected one of: mtcnn"),
        (["--align", "--enlarge", "99"], "enlarge must be 1 to 16"),
    ],
)
def test_impossible_options_are_one_line(fail, tmp_path, options, expected):
    folder(tmp_path / "set", [2])
    assert expected in fail("shards", tmp_path / "set", tmp_path / "out", *options)


def test_raw_photos_are_aligned_as_the_detector_aligns_them(run, tmp_path, mtcnn_files, sample_photo):
    import mtcnn

    people = {"obama": ["obama", "obama2"], "biden": ["biden"], "group": ["t1"]}
    for name, samples in people.items():
        (tmp_path / "raw" / name).mkdir(parents=True)
        for sample in samples:
            path = sample_photo(sample)
            (tmp_path / "raw" / name / f"{sample}{path.suffix}").write_bytes(path.read_bytes())
    (tmp_path / "raw" / "nobody").mkdir()
    cv2.imwrite(str(tmp_path / "raw" / "nobody" / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    run("shards", tmp_path / "raw", tmp_path / "out", "--align", "--jobs", 1, "--quality", 100)
    assert "nobody/wall.png: no face: No face found." in run.last.stderr
    assert "1 of 5 pictures could not be used (1 no face)" in run.last.stderr
    assert "1 photos show several faces; the most prominent was taken." in run.last.stderr
    dataset = open_dataset(tmp_path / "out")
    assert dataset.names == ["biden", "group", "obama"] and dataset.image_size == (112, 112)
    detector = mtcnn.create("mtcnn")
    found = {name: data for shard in contents(tmp_path / "out") for name, _, data in shard}
    assert len(found) == 4
    for name, data in found.items():
        photo = tmp_path / "raw" / name
        expected = detector.align(photo, detector.detect_single(photo))[0]
        assert np.abs(read_picture(data).astype(int) - expected).mean() < 2.5, name


@pytest.mark.skipif(not ORL.is_dir(), reason="the AT&T faces are not on this machine")
def test_no_tiny_tight_crop_is_missed_when_enlarged_and_framed(run, tmp_path, mtcnn_files):
    options = ["--align", "--enlarge", 3, "--border", 60, "--range", "39-40", "--jobs", 1]
    out = json.loads(run("shards", ORL, tmp_path / "out", *options, "--json"))
    assert out["kept"] == 20 and out["refused"] == {}
    assert open_dataset(tmp_path / "out").names == ["s39", "s40"]


def test_records_are_written_from_folders_and_extracted_again(run, fail, tmp_path):
    written = folder(tmp_path / "set", [3, 2])
    run("records", tmp_path / "set", tmp_path / "rec" / "train.rec", "--jobs", 1)
    with Reader(tmp_path / "rec" / "train.rec") as reader:
        assert [(record.identity, record.payload) for record in reader] == [
            (int(name[1]) - 1, data) for name, data in written.items()
        ]
        assert reader.header == (6, 8)
    assert (tmp_path / "rec" / "property").read_text().strip() == "2,40,40"
    assert {path.name for path in (tmp_path / "rec").iterdir()} == {"train.rec", "train.idx", "property"}
    assert "exists already" in fail("records", tmp_path / "set", tmp_path / "rec" / "train.rec")
    (tmp_path / "rec" / "agedb_30.bin").write_bytes(b"pairs")
    out = run("extract", tmp_path / "rec", tmp_path / "back")
    assert "Wrote 5 pictures of 2 identities" in out and "Copied agedb_30.bin" in out
    assert (tmp_path / "back" / "agedb_30.bin").read_bytes() == b"pairs"
    found = {str(path.relative_to(tmp_path / "back")): path.read_bytes() for path in (tmp_path / "back").rglob("*.jpg")}
    keys = {name: key for key, name in enumerate(written, 1)}
    assert found == {f"imgs/{int(name[1]) - 1}/{keys[name]:08d}.jpg": data for name, data in written.items()}
    assert "exists already" in fail("extract", tmp_path / "rec", tmp_path / "back")
    run("extract", tmp_path / "rec", tmp_path / "one", "--identities", "1", "--no-bins")
    assert [path.name for path in (tmp_path / "one" / "imgs").iterdir()] == ["1"]
    run("shards", tmp_path / "back" / "imgs", tmp_path / "shards", "--jobs", 1)
    run("records", tmp_path / "shards", tmp_path / "again.rec", "--layout", "im2rec", "--jobs", 1)
    with Reader(tmp_path / "again.rec") as reader:
        assert reader.header is None
        assert sorted((record.identity, record.payload) for record in reader) == sorted(
            (int(name[1]) - 1, data) for name, data in written.items()
        )


def test_an_extraction_that_was_interrupted_goes_on_and_shows_nothing_before_its_end(run, tmp_path, monkeypatch):
    folder(tmp_path / "set", [3, 3])
    run("records", tmp_path / "set", tmp_path / "train.rec", "--jobs", 1)
    from train.data import recordio

    read = recordio.Reader.__getitem__

    def stop(self, number):
        if number == 4:
            raise KeyboardInterrupt
        return read(self, number)

    monkeypatch.setattr(recordio.Reader, "__getitem__", stop)
    run("extract", tmp_path / "train.rec", tmp_path / "out", code=130)
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == [".imgs.unfinished"]
    half = tmp_path / "out" / ".imgs.unfinished" / "0" / "00000002.jpg"
    half.write_bytes(half.read_bytes()[:10])
    monkeypatch.undo()
    run("extract", tmp_path / "train.rec", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["imgs"]
    with Reader(tmp_path / "train.rec") as reader:
        assert (tmp_path / "out" / "imgs" / "0" / "00000002.jpg").read_bytes() == reader.read(2).payload


def test_what_a_rec_holds_that_is_no_picture_is_reported_when_extracted(run, tmp_path):
    with Writer(tmp_path / "train.rec") as writer:
        writer.write(jpeg(1), 0)
        writer.write(b"text", 0)
    assert "Wrote 1 pictures" in run("extract", tmp_path / "train.rec", tmp_path / "out")
    assert "1 pictures were left out" in run.last.stderr and "offset" in run.last.stderr


def test_statistics_count_what_is_there(run, tmp_path):
    counts = [1, 1, 3, 4, 7, 12, 25]
    folder(tmp_path / "set", counts)
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1)
    run("records", tmp_path / "set", tmp_path / "train.rec", "--jobs", 1)
    (tmp_path / "property").write_text("9,40,40")
    expected = {
        "identities": 7, "pictures": 53, "least": 1, "median": 4, "mean": np.mean(counts), "most": 25,
        "histogram": [[1, 1, 2], [2, 4, 2], [5, 9, 1], [10, 19, 1], [20, 49, 1]], "empty": 0,
    }  # fmt: skip
    for place in ("set", "out"):
        assert json.loads(run("statistics", tmp_path / place, "--json")) == expected
    assert json.loads(run("statistics", tmp_path / "train.rec", "--json")) == {**expected, "empty": 2}
    text = run("statistics", tmp_path / "train.rec")
    assert "53 pictures of 7 identities; 2 identities without a picture" in text and "median 4, mean 7.6" in text
    assert "20 to 49" in text


def test_a_dataset_is_checked_to_the_end(run, fail, tmp_path):
    folder(tmp_path / "set", [20])
    run("shards", tmp_path / "set", tmp_path / "out", "--jobs", 1)
    assert "is whole: 20 pictures of 1 identities" in run("check", tmp_path / "out")
    shard = sorted((tmp_path / "out").glob("*.tfrecord"))[3]
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    assert f"{shard.name} was altered" in fail("check", tmp_path / "out")
    run("records", tmp_path / "set", tmp_path / "train.rec", "--jobs", 1)
    assert "is whole: 20 pictures of 1 identities" in run("check", tmp_path / "train.rec")
    os.truncate(tmp_path / "train.rec", 5000)
    assert "It was cut short" in fail("check", tmp_path / "train.rec")


def test_a_sheet_shows_originals_beside_their_aligned_faces(run, fail, tmp_path, mtcnn_files, sample_photo):
    import mtcnn

    (tmp_path / "raw" / "a").mkdir(parents=True)
    photo = sample_photo("obama")
    (tmp_path / "raw" / "a" / "1.jpg").write_bytes(photo.read_bytes())
    cv2.imwrite(str(tmp_path / "raw" / "a" / "2.png"), np.full((50, 90, 3), (200, 100, 0), np.uint8))
    (tmp_path / "raw" / "a" / "3.jpg").write_bytes(b"damaged")
    run("sheet", tmp_path / "raw", tmp_path / "sheet.png")
    sheet = read_picture(tmp_path / "sheet.png")
    side, gap, line = 144, 6, 16
    assert sheet.shape == (2 * (side + 2 * gap + line), 4 * (side + 2 * gap), 3)

    def cell(row, column):
        top, left = row * (side + 2 * gap + line) + gap, column * (side + 2 * gap) + gap
        return sheet[top : top + side, left : left + side]

    detector = mtcnn.create("mtcnn")
    face = detector.align(photo, detector.detect_single(photo))[0]
    assert np.array_equal(cell(0, 1), cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC))
    assert (cell(0, 2)[side // 2] == (200, 100, 0)).all() and (cell(0, 2)[0] == 255).all()
    assert len(np.unique(cell(0, 3))) == 1 and len(np.unique(cell(1, 0))) == 1, "no face, and damaged: empty places"
    assert "is written as .png, .jpg, .jpeg" in fail("sheet", tmp_path / "raw", tmp_path / "sheet.gif")
    run("sheet", tmp_path / "raw", tmp_path / "few.jpg", "--as-it-is", "--count", 2)
    assert read_picture(tmp_path / "few.jpg").shape == (side + 2 * gap + line, 4 * (side + 2 * gap), 3)


def test_the_script_runs_from_any_folder_and_its_help_needs_no_heavy_import(tmp_path):
    command = [sys.executable, "-X", "importtime", SCRIPT, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for command in ("shards", "records", "extract", "statistics", "sheet", "check"):
        assert command in done.stdout
    for module in ("cv2", "openvino", "tensorflow"):
        assert f" {module}\n" not in done.stderr


def test_a_photo_is_enlarged_and_framed_by_its_own_edges():
    from mtcnn.aligner import framed

    photo = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    assert framed(photo, 1, 0) is photo
    assert np.array_equal(framed(photo, 1, 5), np.pad(photo, [(5, 5), (5, 5), (0, 0)], mode="edge"))
    larger = cv2.resize(photo, (21, 27), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(framed(photo, 3, 2), np.pad(larger, [(2, 2), (2, 2), (0, 0)], mode="edge"))


def test_every_command_and_option_is_documented():
    import typer

    text = (ROOT / "docs" / "data.md").read_text("utf-8")
    for name, command in typer.main.get_command(app).commands.items():
        assert f"| `{name} " in text, name
        for option in (each for parameter in command.params for each in parameter.opts if each.startswith("--")):
            assert option in text, f"{name} {option}"
