"""verify_ijb.py: what it prints and writes, and how it fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import networks
from eval.cli.verify_ijb import app
from eval.ijb.measuring import measure
from eval.ijb.modes import ALL, parse
from eval.ijb.results import to_mapping
from tests.eval.ijb.made_up import ijbc
from tests.recognizer.tiny_models import model

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "ijb.md").read_text("utf-8")
OPTIONS = [name for each in get_command(app).params for name in each.opts if name.startswith("--")]


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A made-up IJB-C, a network, and the options that name both."""
    folder = tmp_path_factory.mktemp("ijb")
    made, path = ijbc(folder), model(folder / "model")
    return made, path, ["--data", str(folder), "--subset", "IJBC", "--model", str(path), "--batch", "50"]


def run(*arguments, code=0):
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def test_json_is_what_the_function_measures_and_names_each_mode(given, tmp_path):
    made, path, options = given
    document = json.loads(run(*options, "--json", "--modes", "N1D1F1,N0D1F1", "--out", tmp_path / "o.json").stdout)
    expected = to_mapping(measure(networks.load(path), made.folder, "IJBC", parse("N1D1F1,N0D1F1")))
    assert {**document, "seconds": 0} == {**expected, "seconds": 0, **dict.fromkeys(("backend",)), "device": "auto",
                                          "precision": "f32"}  # fmt: skip
    assert json.loads((tmp_path / "o.json").read_text()) == document
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["o.json"]
    assert [(each["mode"], "scaled" in each["meaning"]) for each in document["results"]] == [
        ("N1D1F1", True),
        ("N0D1F1", False),
    ]
    one = document["results"][0]
    assert one["1:1"]["tar"].keys() == {f"1e-{n}" for n in range(1, 7)}
    assert one["1:N"]["galleries"].keys() == {"G1", "G2"} and one["1:N"]["both"]["rank"].keys() == {"1", "5", "10"}


def test_tables_name_the_mode_in_every_row_and_say_what_it_means(given):
    _, _, options = given
    out = run(*options, "--modes", "all").stdout
    lines = out.splitlines()
    assert lines[0].startswith("tiny on IJBC: ") and " pictures in 48 templates, embedded in " in lines[0]
    assert lines[1] == "N1D1F1: f(x) + f(mirrored x), scaled to length 1, times the detector score"
    pairs, searches = (part.strip().split("\n") for part in out.split("\n\n")[1:])
    assert pairs[0] == "1:1, TAR at FAR, %" and searches[0] == "1:N, %"
    assert pairs[1].split() == ["Mode", "1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "AUC", "EER,", "%"]
    assert [row.split()[0] for row in pairs[2:]] == [str(mode) for mode in ALL] and "too few" in pairs[2]
    rows = [row.split()[:2] for row in searches[2:]]
    assert rows == [[str(mode), name] for mode in ALL for name in ("G1", "G2", "both")]


def test_only_the_protocol_that_was_asked_for_is_measured_and_needs_its_files(given):
    made, _, options = given
    assert "Gallery" not in run(*options, "--protocol", "1:1").stdout
    path = made.meta("template_pair_label.txt")
    path.rename(path.with_suffix(".away"))
    try:
        assert "TAR" not in run(*options, "--protocol", "1:N").stdout
        assert "ijbc_template_pair_label.txt" in run(*options, code=2).stderr
    finally:
        path.with_suffix(".away").rename(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--modes", "N3"], "Unknown mode 'N3'"),
        (["--subset", "IJBA"], "Unknown subset 'IJBA'. Expected one of: IJBB, IJBC."),
        (["--protocol", "1:2"], "Unknown protocol '1:2'"),
        (["--batch", "0"], "--batch must be 1 or more"),
        (["--model", "resnet5"], "Unknown model 'resnet5'"),
        (["--backend", "torch"], "Unknown backend 'torch'"),
        (["--out", "no/such/folder/x.json"], "--out: no/such/folder is not a folder"),
        (["--cache", __file__], "cannot hold embeddings"),
        (["--data", "nowhere"], "IJBC is not complete in nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(given, arguments, said):
    done = run(*given[2], *arguments, code=2)
    assert done.stdout == "" and done.stderr.startswith("error: ") and said in done.stderr


def test_results_that_cannot_be_written_are_printed_all_the_same(given, tmp_path):
    (tmp_path / "out.json").mkdir()
    done = run(*given[2], "--json", "--out", tmp_path / "out.json", code=2)
    assert json.loads(done.stdout)["results"] and "out.json cannot be written" in done.stderr


def test_the_script_runs_from_any_folder_and_its_help_needs_no_heavy_import(tmp_path):
    command = [sys.executable, "-X", "importtime", ROOT / "eval" / "verify_ijb.py", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--subset" in done.stdout
    for module in ("cv2", "numpy", "openvino", "tensorflow", "matplotlib"):
        assert f" {module}\n" not in done.stderr


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_stands_in_the_page(option):
    assert f"| `{option}" in PAGE


@pytest.mark.parametrize("mode", ALL, ids=str)
def test_every_mode_stands_in_the_page(mode):
    assert f"`{mode}`" in PAGE
