"""all_pairs.py: a folder of identities in, the rates of all its pairs out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import eval
from eval.cli.all_pairs import app
from tests.eval import people

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return people.model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def run(model):
    """Runs the command on a folder, with the tiny model, and asks for an exit code; (stdout, stderr)."""

    def call(*arguments, code=0):
        found = CliRunner().invoke(app, [*map(str, arguments), "--model", str(model)])
        assert found.exit_code == code, found.output
        assert "Traceback" not in found.output
        return found.stdout, found.stderr

    return call


def test_the_numbers_are_those_of_every_pair_of_the_folder(run, tmp_path):
    written = people.folder(tmp_path / "set", [6, 5, 1, 8], noise=90)
    labels = [name.split("/")[0] for name in written]
    for flip in ("none", "sum_raw", "sum_normalised"):
        document = json.loads(run(tmp_path / "set", "--json", "--flip", flip)[0])
        rows = people.by_hand(written.values(), flip)
        expected = eval.all_pairs(rows, np.array(labels))
        assert (document["genuine"], document["impostor"]) == (expected.genuine, expected.impostor) == (53, 137)
        assert document["auc"] == pytest.approx(expected.auc, abs=1e-3)
        assert document["tar"]["1e-1"] == pytest.approx(expected.tar[0.1], abs=0.02)
        assert document["thresholds"]["1e-1"] == pytest.approx(expected.thresholds[0.1], abs=1e-4)
        assert document["tar"]["1e-6"] is None and document["flip"] == flip
        assert (document["pictures"], document["embedded"], document["identities"]) == (20, 20, 4)


def test_the_table_says_flip_pairs_and_rates_and_where_pairs_are_too_few(run, tmp_path):
    people.folder(tmp_path / "set", [6, 5, 1, 8])
    lines = run(tmp_path / "set")[0].splitlines()
    assert lines[0] == "tiny, flip sum_raw: 20 pictures of 4 identities; 53 genuine pairs, 137 impostor pairs"
    assert [line.split()[0] for line in lines[3:]] == ["FAR", "1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6"]
    assert lines[5].endswith(("100.00", *"0123456789")) and "too few pairs" in lines[6]
    assert "flip none:" in run(tmp_path / "set", "--flip", "card")[0], "the card's rule is none"


def test_kept_embeddings_give_the_same_without_the_pictures_being_read(run, tmp_path):
    people.folder(tmp_path / "set", [4, 4])
    first = run(tmp_path / "set", "--embeddings", tmp_path / "kept", "--json")[0]
    for picture in (tmp_path / "set").rglob("*.png"):  # of the same size and time, but none can be read
        before = picture.stat()
        picture.write_bytes(bytes(before.st_size))
        os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run(tmp_path / "set", "--embeddings", tmp_path / "kept", "--json")[0] == first
    _, error = run(tmp_path / "set", "--embeddings", tmp_path / "kept", "--flip", "none", code=2)
    assert "made otherwise (flip)" in error


def test_what_is_left_out_is_said_and_listed(run, tmp_path):
    people.folder(tmp_path / "set", [4, 4])
    for number in (1, 3):
        (tmp_path / "set" / "p1" / f"{number}.png").write_bytes(b"no picture")
    out, error = run(tmp_path / "set", "--json")
    assert "p1/1.png is left out" in error and "2 of 8 pictures cannot be read" in error
    document = json.loads(out)
    assert [each["picture"] for each in document["unreadable"]] == ["p1/1.png", "p1/3.png"]
    assert (document["pictures"], document["embedded"], document["genuine"]) == (8, 6, 1 + 6)
    assert "p1/1.png" in run(tmp_path / "set", "--missing", "fail", code=2)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--flip", "both"], "Unknown flip 'both'. Expected one of: none, sum_raw, sum_normalised, card."),
        (["--missing", "drop"], "Unknown rule 'drop'"),
        (["--batch", "0"], "--batch must be 1 or more, not 0."),
        (["--jobs", "0"], "--jobs must be 1 or more, not 0."),
        (["--border", "3"], "enlarge and border are for photos"),
        (["--align", "--detector", "nose"], "Unknown detector 'nose'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(run, tmp_path, arguments, message):
    people.folder(tmp_path / "set", [2, 2])
    out, error = run(tmp_path / "set", *arguments, code=2)
    assert out == "" and error.startswith("error: ") and message in error and error.count("\n") == 1


def test_a_folder_without_pairs_of_both_kinds_is_refused_before_anything_is_embedded(run, tmp_path):
    people.folder(tmp_path / "one", [5])
    people.folder(tmp_path / "many", [1, 1, 1])
    for name in ("one", "many"):
        for picture in (tmp_path / name).rglob("*.png"):
            picture.write_bytes(b"no picture")
        _, error = run(tmp_path / name, "--embeddings", tmp_path / "kept", code=2)
        assert "Both genuine and impostor pairs are needed" in error and not (tmp_path / "kept").exists()
    assert "No such folder" in run(tmp_path / "nowhere", code=2)[1]


def test_it_runs_as_a_program_and_help_loads_nothing_heavy(tmp_path):
    script = ROOT / "eval" / "all_pairs.py"
    code = (
        "import runpy, sys; sys.argv = ['all_pairs.py', '--help']\n"
        "try: runpy.run_path(%r, run_name='__main__')\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = 'cv2', 'openvino', 'tensorflow', 'matplotlib', 'numpy'\n"
        "print([name for name in heavy if name in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % str(script)], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert "--embeddings" in done.stdout and done.stdout.splitlines()[-1] == "[] 0", done.stderr


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not beside the repository")
def test_people_of_real_photos_are_told_apart(mobilefacenet_files, mtcnn_files):
    found = CliRunner().invoke(
        app, [str(DATA / "bbt"), "--model", "mobilefacenet", "--align", "--json", "--flip", "none"]
    )
    assert found.exit_code == 0, found.output
    document = json.loads(found.stdout)
    assert (document["genuine"], document["impostor"], document["missed"]) == (80, 700, [])
    assert document["auc"] == 1 and document["tar"]["1e-2"] == 1
