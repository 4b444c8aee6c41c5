"""build.py: every picture looked at once, those without a face counted and handled as asked, nothing half-written."""

import json
import pickle
import resource
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import eval
from eval import building, faces, provenance, raw
from eval.cli.build import app
from mtcnn.pictures import read_picture
from tests.eval.raw import layouts

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "eval" / "build.py"
BBT = ROOT.parent / "shared" / "data" / "bbt"


@pytest.fixture
def run():
    """Runs the command, which must succeed; its standard output. More is in ``run.last``."""

    def call(*arguments, code=0):
        call.last = CliRunner().invoke(app, [str(each) for each in arguments])
        assert call.last.exit_code == code, call.last.output
        assert "Traceback" not in call.last.output
        return call.last.stdout

    return call


@pytest.fixture
def fail(run):
    """Runs the command, which must fail; its one line on standard error."""

    def call(*arguments):
        assert run(*arguments, code=2) == ""
        assert run.last.stderr.startswith("error: ") and run.last.stderr.count("\n") == 1, run.last.stderr
        return run.last.stderr

    return call


def colours(path):
    """The middle pixel of each picture of a ``.bin``, and issame."""
    pictures, issame = eval.read_bin(path)
    return pictures[:, 50, 50].tolist(), issame.tolist()


def test_the_pairs_of_a_list_are_written_in_its_order_each_picture_read_once(run, tmp_path, monkeypatch):
    pairs = layouts.lfw(tmp_path / "lfw", people=5)
    names = [name for pair in pairs for name in pair[:2]]
    read = Counter()

    def counted(path):
        read[path] += 1
        return read_picture(path)

    monkeypatch.setattr(faces, "read_picture", counted)
    out = run("lfw", tmp_path / "lfw", tmp_path / "lfw.bin", "--aligned", "--jobs", 3)
    distinct = len(set(names))
    assert out == (
        f"Wrote 40 pairs (20 genuine, 20 impostor) of {distinct} pictures to {tmp_path / 'lfw.bin'}, and "
        f"{tmp_path / 'lfw.bin.json'}.\n"
    )
    assert set(read.values()) == {1} and len(read) == distinct < 80
    found, issame = colours(tmp_path / "lfw.bin")
    folder = tmp_path / "lfw" / "lfw-funneled"
    assert found == [read_picture(folder / name)[0, 0].tolist() for name in names]
    assert issame == [same for *_, same in pairs]
    assert {path.name for path in tmp_path.iterdir()} >= {"lfw.bin", "lfw.bin.json"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_picture_of_many_pairs_is_stored_once_and_other_tools_read_the_file(run, tmp_path):
    random = np.random.default_rng(0)
    for number in range(8):
        path = tmp_path / "set" / f"p{number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), random.integers(0, 256, (112, 112, 3), np.uint8))
    run("folder", tmp_path / "set", tmp_path / "set.bin", "--aligned")
    one = (tmp_path / "set" / "p0" / "0.png").stat().st_size
    assert (tmp_path / "set.bin").stat().st_size < 10 * one, "8 pictures, though 56 are listed"
    bins, issame = pickle.loads((tmp_path / "set.bin").read_bytes())
    assert len(bins) == 56 and len(issame) == 28 and {type(each) for each in bins} == {bytes}
    names = json.loads((tmp_path / "set.bin.json").read_text())["names"]
    for content, name in zip(bins, names):
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(picture, read_picture(tmp_path / "set" / name)), "lossless"


def test_what_a_set_was_made_of_lies_beside_it_without_a_path(run, tmp_path):
    layouts.people(tmp_path / "secret" / "set", [3, 2])
    document = json.loads(run("folder", tmp_path / "secret" / "set", tmp_path / "x.bin", "--aligned", "--json"))
    assert document == {
        "path": str(tmp_path / "x.bin"), "source": "the folder set: all pairs of 5 pictures of 2 people", "pairs": 10,
        "genuine": 4, "pictures": 5, "several_faces": 0, "missed": [], "rule": "centre", "excluded_pairs": 0,
    }  # fmt: skip
    made = provenance.read(tmp_path / "x.bin", 20)
    assert (made.source, made.detector, made.date) == (document["source"], "none", date.today().isoformat())
    assert made.names == raw.read("folder", tmp_path / "secret" / "set").names
    assert "secret" not in (tmp_path / "x.bin.json").read_text()


def photos(folder, sample_photo):
    """Three people of whom one shows a wall: obama 2, biden 1, wall 1 (wider than high)."""
    for name, samples in {"obama": ["obama", "obama2"], "biden": ["biden"]}.items():
        (folder / name).mkdir(parents=True)
        for sample in samples:
            photo = read_picture(sample_photo(sample))
            scale = 400 / max(photo.shape)
            cv2.imwrite(str(folder / name / f"{sample}.png"), cv2.resize(photo, None, fx=scale, fy=scale))
    (folder / "wall").mkdir()
    wall = np.full((60, 100, 3), 90, np.uint8)
    wall[:, :20], wall[:, 80:] = (0, 0, 255), (255, 0, 0)  # not in the middle
    cv2.imwrite(str(folder / "wall" / "wall.png"), wall)


def test_faces_are_aligned_as_the_detector_aligns_them_and_the_centre_stands_for_those_not_found(
    run, fail, tmp_path, mtcnn_files, sample_photo
):
    import mtcnn

    folder = tmp_path / "set"
    photos(folder, sample_photo)
    run("folder", folder, tmp_path / "centre.bin")
    said = "warning: 1 of 4 pictures show no face; the centre of the picture stands for it: wall/wall.png.\n"
    assert said in run.last.stderr
    detector, made = mtcnn.create("mtcnn"), provenance.read(tmp_path / "centre.bin", 12)
    assert (made.missed, made.rule, made.excluded_pairs, made.detector) == (["wall/wall.png"], "centre", 0, "mtcnn")
    for picture, name in zip(eval.read_bin(tmp_path / "centre.bin")[0], made.names):
        if name == "wall/wall.png":
            assert (picture == 90).all(), "the middle 60x60 pixels alone"
        else:
            photo = read_picture(folder / name)
            assert np.array_equal(picture, detector.align(photo, detector.detect_single(photo))[0])

    run("folder", folder, tmp_path / "exclude.bin", "--missing", "exclude", "--size", "96x96")
    assert "their pairs are left out: wall/wall.png" in run.last.stderr
    assert "warning: 3 pairs were left out." in run.last.stderr
    pictures, issame = eval.read_bin(tmp_path / "exclude.bin")
    made = provenance.read(tmp_path / "exclude.bin", 6)
    assert pictures.shape == (6, 96, 96, 3) and sorted(issame.tolist()) == [False, False, True]
    assert (made.missed, made.rule, made.excluded_pairs) == (["wall/wall.png"], "exclude", 3)
    assert "wall/wall.png" not in made.names

    assert "No face was found in 1 of 4 pictures: wall/wall.png" in fail(
        "folder", folder, tmp_path / "fail.bin", "--missing", "fail"
    )
    (folder / "wall" / "2.png").write_bytes((folder / "wall" / "wall.png").read_bytes())
    (tmp_path / "pairs.csv").write_text("set/wall/wall.png,set/wall/2.png,1\n")
    assert "No face was found in any of 2 pictures" in fail("csv", tmp_path / "pairs.csv", tmp_path / "fail.bin")
    (tmp_path / "pairs.csv").write_text("set/wall/wall.png,set/biden/biden.png,0\n")
    assert "none is left" in fail("csv", tmp_path / "pairs.csv", tmp_path / "fail.bin", "--missing", "exclude")
    assert not (tmp_path / "fail.bin").exists() and not (tmp_path / "fail.bin.json").exists()


@pytest.mark.skipif(not BBT.is_dir(), reason="../shared/data/bbt is not on this machine")
def test_the_real_faces_of_bbt_are_all_found_and_told_apart(run, tmp_path, mtcnn_files, mobilefacenet_files):
    import networks

    out = run("folder", BBT, tmp_path / "bbt.bin", "--pairs", 30)
    assert out.startswith("Wrote 30 pairs (15 genuine, 15 impostor)") and "show no face" not in run.last.stderr
    pictures, issame = eval.read_bin(tmp_path / "bbt.bin")
    found = eval.verification(eval.embed(networks.load("mobilefacenet"), pictures), issame)
    assert found.auc == 1.0 and found.accuracy > 0.95


def test_a_damaged_picture_is_an_error_that_names_it_and_nothing_is_left(fail, tmp_path):
    layouts.people(tmp_path / "set", [4, 3])
    (tmp_path / "set" / "p2" / "3.jpg").write_bytes(b"no picture")
    said = fail("folder", tmp_path / "set", tmp_path / "x.bin", "--aligned")
    assert "p2/3.jpg is not a picture" in said and "Mend it, or take it out" in said
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_an_interruption_leaves_nothing_and_few_pictures_are_begun_after_it(run, tmp_path, monkeypatch):
    layouts.people(tmp_path / "set", [40, 40])
    begun = []

    def interrupted(path):
        begun.append(path)
        if len(begun) == 5:
            raise KeyboardInterrupt
        return read_picture(path)

    monkeypatch.setattr(faces, "read_picture", interrupted)
    run("folder", tmp_path / "set", tmp_path / "x.bin", "--aligned", "--jobs", 2, code=130)
    assert len(begun) < 25
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_set_that_is_there_is_not_replaced(run, fail, tmp_path):
    layouts.people(tmp_path / "set", [2, 2])
    run("folder", tmp_path / "set", tmp_path / "x.bin", "--aligned")
    before = (tmp_path / "x.bin").read_bytes()
    assert "x.bin is there already" in fail("folder", tmp_path / "set", tmp_path / "x.bin", "--aligned")
    assert (tmp_path / "x.bin").read_bytes() == before


def test_a_description_that_cannot_be_written_leaves_no_set_behind(tmp_path, monkeypatch):
    layouts.people(tmp_path / "set", [2, 2])

    def full(path, made):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(provenance, "write", full)
    with pytest.raises(building.BadDataset, match=r"x\.bin cannot be written: No space left"):
        building.build(raw.read("folder", tmp_path / "set"), tmp_path / "x.bin", faces.Options(aligned=True))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_faces_that_no_set_could_hold_are_refused_while_they_are_made(tmp_path, monkeypatch):
    layouts.people(tmp_path / "set", [5, 5])
    monkeypatch.setattr(building, "MAX_BYTES", 400)
    with pytest.raises(building.BadDataset, match="take more than the 0 GiB"):
        building.build(raw.read("folder", tmp_path / "set"), tmp_path / "x.bin", faces.Options(aligned=True))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--size", "big"], "--size is written 112x112"),
        (["--size", "5x5"], "16 to 1024 pixels"),
        (["--missing", "maybe"], "Unknown rule 'maybe' for pictures without a face: centre, exclude, fail."),
        (["--jobs", "0"], "jobs must be 1 or more"),
        (["--enlarge", "99"], "enlarge must be 1 to 16"),
        (["--border", "-1"], "border must be 0 to 4096"),
        (["--enlarge", "2", "--aligned"], "not aligned pictures"),
        (["--detector", "eyes"], "Unknown detector 'eyes'. Expected one of: mtcnn"),
        (["--pairs-file", "x.txt"], "folder has no option pairs_file. It takes: pairs, seed."),
        (["--pairs", "7"], "even number"),
    ],
)
def test_impossible_options_are_one_line(fail, tmp_path, options, expected):
    layouts.people(tmp_path / "set", [2, 2])
    assert expected in fail("folder", tmp_path / "set", tmp_path / "x.bin", *options)


def test_impossible_places_and_forms_are_one_line(fail, tmp_path):
    layouts.people(tmp_path / "set", [2, 2])
    assert "Unknown raw form 'lwf'. Expected one of: lfw, lfw_people, cfp_ff" in fail(
        "lwf", tmp_path, tmp_path / "x.bin"
    )
    assert "is a file NAME.bin, not x.txt" in fail("folder", tmp_path / "set", tmp_path / "x.txt")
    assert "There is no folder" in fail("folder", tmp_path / "set", tmp_path / "none" / "x.bin")
    assert "cannot be written: File name too long" in fail("folder", tmp_path / "set", tmp_path / f"{'x' * 300}.bin")


def test_a_list_with_folds_of_one_kind_is_pointed_out(run, tmp_path):
    layouts.people(tmp_path, [6, 6])
    genuine = [f"p1/{n}.jpg,p1/{n + 1}.jpg,1" for n in range(1, 6)] + [
        f"p2/{n}.jpg,p2/{n + 1}.jpg,1" for n in range(1, 6)
    ]
    impostor = [f"p1/{n}.jpg,p2/{n % 6 + 1}.jpg,0" for n in range(1, 7)] + [
        f"p1/{n}.jpg,p2/{n}.jpg,0" for n in range(1, 5)
    ]
    (tmp_path / "list.csv").write_text("\n".join(genuine + impostor))
    run("csv", tmp_path / "list.csv", tmp_path / "a.bin", "--aligned")
    assert "10 of 10 folds hold pairs of one kind only" in run.last.stderr
    mixed = [line for pair in zip(genuine, impostor) for line in pair]
    (tmp_path / "list.csv").write_text("\n".join(mixed))
    run("csv", tmp_path / "list.csv", tmp_path / "b.bin", "--aligned")
    assert run.last.stderr == ""
    (tmp_path / "list.csv").write_text("\n".join(genuine + impostor[:9]))
    run("csv", tmp_path / "list.csv", tmp_path / "c.bin", "--aligned")
    assert run.last.stderr == "", "nine pairs cannot be in ten folds in any order"


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    """In a process of its own: the limit must not reach the test runner's output."""
    random = np.random.default_rng(0)
    (tmp_path / "set" / "p").mkdir(parents=True)
    for number in range(3):
        picture = random.integers(0, 256, (112, 112, 3), np.uint8)
        cv2.imwrite(str(tmp_path / "set" / "p" / f"{number}.png"), picture)
    command = [sys.executable, SCRIPT, "folder", tmp_path / "set", tmp_path / "x.bin", "--aligned"]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd="/", preexec_fn=limit)
    assert done.returncode == 2 and done.stderr.startswith(f"error: {tmp_path / 'x.bin'} cannot be written: File too")
    assert done.stderr.count("\n") == 1 and [path.name for path in tmp_path.iterdir()] == ["set"]


def test_help_needs_no_heavy_import(tmp_path):
    command = [sys.executable, "-X", "importtime", SCRIPT, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--missing" in done.stdout
    for module in ("cv2", "openvino", "tensorflow", "numpy"):
        assert f" {module}\n" not in done.stderr


def test_every_option_and_raw_form_is_documented():
    from typer.main import get_command

    from eval.cli.build import FORMS

    page = (ROOT / "docs" / "verification-sets.md").read_text("utf-8")
    for option in (name for each in get_command(app).params for name in each.opts if name.startswith("--")):
        assert f"| `{option}" in page, option
    for form in raw.RAW:
        assert f"| `{form}`" in page, form
    assert FORMS.rstrip(".").split(", ") == list(raw.RAW)
