"""verify.py: the table is what the pictures give by hand, and nothing that was measured is ever lost."""

import csv
import io
import json
import re
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

import eval
import networks
from eval import measuring
from eval.cli.verify import app
from networks.fetch import sha256
from tests.eval import tiny_sets
from tests.recognizer import tiny_models

ROOT = Path(__file__).parents[2]
# A disk that is full once the model is there, in a process of its own: on some CPUs loading it writes a file.
FULL_DISK = """
import resource
from eval import measuring
from eval.cli.verify import main
embed = measuring.embed
def limited(*given, **options):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    return embed(*given, **options)
measuring.embed = limited
main()
"""
SCRIPT = ROOT / "eval" / "verify.py"
SMALL_LFW = ROOT.parent / "shared" / "data" / "formats" / "small_lfw.bin"


@pytest.fixture
def run():
    """Runs the command; its result has stdout and stderr."""

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return call


@pytest.fixture
def fail(run):
    """Runs a command that must fail before anything is measured; its one line on standard error."""

    def call(*arguments):
        result = run(*arguments, code=2)
        assert result.stdout == "" and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        return result.stderr

    return call


@pytest.fixture
def model(tmp_path):
    return tiny_models.model(tmp_path / "models")


@pytest.fixture
def lfw(tmp_path):
    """A set of 60 pairs; the path of its ``.bin``."""
    tiny_sets.write_set(tmp_path / "lfw.bin")
    return tmp_path / "lfw.bin"


def measurements(run, *arguments, **options):
    return json.loads(run(*arguments, "--json", **options).stdout)["measurements"]


def by_hand(rows, issame):
    """Accuracy of each of ten folds, each pair and threshold in turn."""
    distances = [float(((rows[2 * i] - rows[2 * i + 1]) ** 2).sum()) for i in range(len(issame))]
    size, accuracies = len(issame) // 10, []
    for start in range(0, len(issame), size):
        fold = range(start, start + size)
        others = [i for i in range(len(issame)) if i not in fold]
        right = [sum((distances[i] < t) == issame[i] for i in others) for t in np.arange(0, 4, 0.01)]
        threshold = np.arange(0, 4, 0.01)[right.index(max(right))]
        accuracies.append(sum((distances[i] < threshold) == issame[i] for i in fold) / size)
    return accuracies


@pytest.mark.parametrize(
    ("options", "flip"),
    [
        ([], "sum_raw"),
        (["--flip", "none"], "none"),
        (["--flip", "card"], "none"),
        (["--flip", "sum_normalised", "--batch", "7"], "sum_normalised"),
    ],
)
def test_the_numbers_are_those_of_embedding_and_judging_each_pair_by_hand(run, model, lfw, options, flip):
    pictures, issame = eval.read_bin(lfw)
    [found] = measurements(run, "--datasets", lfw, "--model", model, *options)
    accuracies = by_hand(tiny_sets.embeddings(pictures, flip), issame)
    assert (found["flip"], found["model"], found["backend"], found["set"]) == (flip, "tiny", "openvino", "lfw")
    assert found["accuracies"] == pytest.approx(accuracies) and min(accuracies) < max(accuracies)
    assert (found["accuracy"], found["std"]) == pytest.approx((np.mean(accuracies), np.std(accuracies)))
    assert (found["genuine"], found["impostor"], found["pictures"]) == (30, 30, 120)
    assert found["pictures_per_second"] == pytest.approx(120 / found["seconds"])


def test_the_flip_of_the_card_is_used_where_it_is_asked_for(run, model, lfw):
    card = yaml.safe_load(model.with_suffix(".yaml").read_text()) | {"flip": "sum_normalised"}
    model.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    assert measurements(run, "--datasets", lfw, "--model", model, "--flip", "card")[0]["flip"] == "sum_normalised"


def test_a_table_for_people_says_what_was_measured_and_where_pairs_are_too_few(run, model, lfw):
    result = run("--datasets", lfw, "--model", model, "--bootstrap", 50)
    [found] = measurements(run, "--datasets", lfw, "--model", model, "--bootstrap", 50)
    pairs, numbers, rates, intervals = (part.splitlines() for part in result.stdout.split("\n\n"))
    assert pairs[2].split() == ["lfw", "30", "30"]
    assert (
        numbers[0].endswith(", set lfw, backend openvino, flip sum_raw")
        and f"{100 * found['accuracy']:.2f} +- {100 * found['std']:.2f}" in numbers[2]
    )
    assert f"{found['threshold']:.4f}" in numbers[2] and f"{found['auc']:.5f}" in numbers[2]
    assert f"{100 * found['tar']['1e-1']:.2f}" in rates[2] and rates[2].count("too few pairs") == 5
    assert found["tar"]["1e-2"] is None and found["tar"]["1e-1"] > 0
    assert intervals[1].split() == ["Model", "Accuracy", "AUC", "EER", "TAR", "1e-1"], "only what the pairs carry"
    low, high = found["intervals"]["accuracy"]
    assert f"{100 * low:.2f} to {100 * high:.2f}" in intervals[2] and low <= found["accuracy"] <= high
    assert result.stderr == ""


def test_models_are_compared_on_sets_each_read_once(run, lfw, tmp_path, monkeypatch):
    from eval import sets

    tiny_sets.write_set(tmp_path / "cfp_fp.bin", noise=150, seed=5)
    paths = [tiny_models.model(tmp_path / "models", name, seed=seed) for seed, name in enumerate("ab", 1)]
    asked, read = [], sets.read
    monkeypatch.setattr("eval.on_demand.read", lambda each, **options: asked.append(each.name) or read(each, **options))
    chosen = f"{lfw},{tmp_path / 'cfp_fp.bin'}"
    result = run("--datasets", chosen, "--models", f"{paths[0]},{paths[1]}", "--out", tmp_path / "all.json")
    assert asked == ["lfw", "cfp_fp"]
    found = json.loads((tmp_path / "all.json").read_text())["measurements"]
    pairs = [("lfw", "a"), ("lfw", "b"), ("cfp_fp", "a"), ("cfp_fp", "b")]
    assert [(each["set"], each["model"]) for each in found] == pairs
    assert len({each["accuracy"] for each in found}) > 2
    matrix = [line.split() for line in result.stdout.split("\n\n")[1].splitlines()]
    accuracy = {(each["set"], each["model"]): f"{100 * each['accuracy']:.2f}" for each in found}
    assert matrix[1] == ["Model", "lfw", "cfp_fp"]
    assert matrix[2:] == [[m, accuracy["lfw", m], accuracy["cfp_fp", m]] for m in "ab"]


def test_models_with_the_same_name_are_told_apart(run, lfw, tmp_path):
    paths = [tiny_models.model(tmp_path / folder, seed=seed) for seed, folder in enumerate("ab", 1)]
    found = measurements(run, "--datasets", lfw, "--models", f"{paths[0]},{paths[1]},{paths[0]}")
    assert [each["model"] for each in found] == [str(path) for path in paths]


def test_engines_are_compared_on_one_model(run, lfw, tmp_path):
    keras = pytest.importorskip("keras")
    folder = tiny_models.model(tmp_path / "bundle", "model").parent
    picture = keras.Input((8, 6, 3))
    dense = keras.layers.Dense(5, use_bias=False)
    built = keras.Model(picture, dense(keras.layers.Flatten()(picture)))
    dense.set_weights([tiny_sets.weights()])
    built.save(folder / "model.keras")
    files = {name: sha256(folder / name) for name in ("model.xml", "model.bin", "model.keras")}
    content = {"card": tiny_models.CARD.to_mapping(), "files": files}
    (folder / "model.yaml").write_text(yaml.safe_dump(content))
    found = measurements(run, "--datasets", lfw, "--model", folder, "--backend", "keras,openvino")
    assert [each["backend"] for each in found] == ["keras", "openvino"]
    assert found[0]["accuracies"] == found[1]["accuracies"] and found[0]["digest"] == found[1]["digest"]
    [one] = measurements(run, "--datasets", lfw, "--model", folder, "--device", "gpu")
    assert one["backend"] == "keras"


def test_what_fails_is_told_and_the_others_are_measured(run, model, lfw, tmp_path):
    broken = tmp_path / "broken.xml"
    broken.write_text("no network")
    broken.with_suffix(".bin").write_bytes(b"")
    broken.with_suffix(".yaml").write_text(yaml.safe_dump(tiny_models.CARD.to_mapping()))
    (tmp_path / "damaged.bin").write_bytes(lfw.read_bytes()[:-300])
    tiny_sets.write_set(tmp_path / "large.bin", shape=(9, 9))
    tiny_sets.write_set(tmp_path / "last.bin", seed=3)
    sets = ",".join(str(tmp_path / f"{name}.bin") for name in ("damaged", "lfw", "large", "last"))
    result = run("--datasets", sets, "--models", f"{broken},nobody,{model}", "--json", code=2)
    found = json.loads(result.stdout)
    assert [each["set"] for each in found["measurements"]] == ["lfw", "last"]
    assert [(each["model"], each["set"]) for each in found["failures"]] == [
        (str(broken), None), ("nobody", None), (None, "damaged"), ("tiny", "large")
    ]  # fmt: skip
    lines = result.stderr.splitlines()
    assert len(lines) == 4 and all(line.startswith("error: ") for line in lines)
    for line, failure in zip(lines, found["failures"]):
        assert line.endswith(failure["error"])
    assert "Unknown model 'nobody'" in lines[1] and "takes aligned faces uint8 [n, 8, 6, 3]" in lines[3]
    listed = run("--datasets", sets, "--models", f"{model},nobody", code=2).stdout.split("Not measured\n")[1]
    assert listed.splitlines()[0].startswith("nobody: Unknown model") and len(listed.splitlines()) == 3


def test_when_no_model_can_be_loaded_no_set_is_read(run, lfw, monkeypatch):
    monkeypatch.setattr("eval.on_demand.read", lambda *_, **__: pytest.fail("read"))
    result = run("--datasets", lfw, "--model", "nobody", "--csv", code=2)
    assert [row["error"] for row in csv.DictReader(io.StringIO(result.stdout))][0].startswith("Unknown model")


def test_an_engine_that_breaks_down_loses_only_its_own_results(run, model, lfw, tmp_path, monkeypatch):
    other = tiny_models.model(tmp_path / "models", "other", seed=2)
    embed = measuring.embed

    def breaking(network, pictures, **options):
        if network.name == "tiny":
            raise RuntimeError("out of memory\nsomewhere")
        return embed(network, pictures, **options)

    monkeypatch.setattr(measuring, "embed", breaking)
    result = run("--datasets", lfw, "--models", f"{model},{other}", "--json", code=2)
    assert [each["model"] for each in json.loads(result.stdout)["measurements"]] == ["other"]
    assert result.stderr == "error: tiny (openvino) on lfw: unexpected RuntimeError: out of memory\n"


def test_interrupted_it_prints_what_was_measured(run, model, lfw, tmp_path, monkeypatch):
    tiny_sets.write_set(tmp_path / "cfp_fp.bin")
    embed, calls = measuring.embed, []

    def interrupted(*given, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return embed(*given, **options)

    monkeypatch.setattr(measuring, "embed", interrupted)
    chosen = f"{lfw},{tmp_path / 'cfp_fp.bin'}"
    result = run("--datasets", chosen, "--model", model, "--json", "--out", tmp_path / "kept.csv", code=130)
    assert [each["set"] for each in json.loads(result.stdout)["measurements"]] == ["lfw"]
    assert len(list(csv.DictReader((tmp_path / "kept.csv").open()))) == 1


@pytest.mark.parametrize(("suffix", "option"), [(".json", "--json"), (".csv", "--csv"), (".md", "--markdown")])
def test_a_file_holds_what_the_option_of_its_format_prints(run, model, lfw, tmp_path, monkeypatch, suffix, option):
    monkeypatch.setattr(measuring, "time", SimpleNamespace(perf_counter=count().__next__))
    path = tmp_path / f"results{suffix}"
    printed = run("--datasets", lfw, "--model", model, option).stdout
    assert "Mean +- standard" in run("--datasets", lfw, "--model", model, "--out", path).stdout
    assert path.read_text() == printed and printed
    assert {each.name for each in tmp_path.iterdir()} == {path.name, "lfw.bin", "models"}


def test_a_file_that_cannot_be_written_loses_nothing(run, fail, model, lfw, tmp_path, monkeypatch):
    for name, expected in (("a.xls", ".txt, .json, .csv, .md"), ("none/a.csv", "there is no folder")):
        assert expected in fail("--datasets", lfw, "--model", model, "--out", tmp_path / name)
    asked = ["--datasets", lfw, "--model", model, "--json", "--out", tmp_path / "a.csv"]
    done = subprocess.run([sys.executable, "-c", FULL_DISK, *asked], cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout)["measurements"][0]["set"] == "lfw"
    assert f"error: {tmp_path}/a.csv cannot be written: File too large" in done.stderr
    assert not list(tmp_path.glob("*a.csv*"))


def test_what_comes_after_a_file_that_cannot_be_written_is_still_done(run, model, lfw, tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("eval.results.output.write_whole", full)
    options = ["--calibrate", "--far", "0.1", "--out", tmp_path / "a.csv"]
    result = run("--datasets", lfw, "--model", model, *options, code=2)
    assert result.stderr.splitlines()[0] == f"error: {tmp_path / 'a.csv'} cannot be written: No space left on device."
    assert "Mean +- standard" in result.stdout and networks.load(model).card.threshold.far == 0.1


def test_a_report_shows_what_was_measured_and_the_command(run, fail, model, lfw, tmp_path):
    pytest.importorskip("matplotlib")
    tiny_sets.write_set(tmp_path / "cfp_fp.bin", seed=3)
    chosen = f"{lfw},{tmp_path / 'cfp_fp.bin'}"
    result = run("--datasets", chosen, "--model", model, "--report", tmp_path / "page", "--flip", "none", "--csv")
    page = (tmp_path / "page" / "index.html").read_text()
    assert result.stderr == f"note: the report is {tmp_path / 'page' / 'index.html'}\n"
    command = (
        f"python eval/verify.py --datasets {chosen} --model {model} --flip none --csv --report {tmp_path / 'page'}"
    )
    assert command in page and "cfp_fp" in page
    (tmp_path / "file").write_text("")
    assert "file" in fail("--datasets", lfw, "--model", model, "--report", tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--json", "--csv"], "Only one of --json and --csv"),
        (["--models", "a,b"], "--model for one or --models for several"),
        (["--backend", "keras,onnx"], "Unknown backend 'onnx'. Expected some of: openvino, keras."),
        (["--flip", "both"], "Unknown flip 'both'. Expected one of: none, sum_raw, sum_normalised, card."),
        (["--batch", "0"], "--batch must be 1 or more, not 0."),
        (["--threads", "0"], "--threads must be 1 or more, not 0."),
        (["--folds", "1"], "--folds must be 2 or more, not 1."),
        (["--bootstrap", "-1"], "--bootstrap must be 0 or more, not -1."),
        (["--bundle", "x"], "add --calibrate"),
        (["--far", "1e-2"], "add --calibrate"),
        (["--calibrate", "--backend", "openvino,keras"], "--calibrate takes one model on one engine."),
        (["--calibrate", "--flip", "sum_raw"], "leave it out"),
        (["--calibrate", "--far", "0.2"], "above 0 and at most 0.1, not 0.2"),
        (["--datasets", "a,,b"], "--datasets takes names with commas between them"),
        (["--datasets", "faces"], "Unknown verification set 'faces'"),
    ],
)
def test_impossible_options_are_one_line_before_anything_is_measured(fail, model, lfw, options, expected):
    assert expected in fail("--datasets", lfw, "--model", model, *options)


def test_two_sets_of_one_name_are_refused(fail, model, lfw, tmp_path):
    (tmp_path / "other").mkdir()
    tiny_sets.write_set(tmp_path / "other" / "lfw.bin", seed=1)
    assert "Two sets are called lfw" in fail("--datasets", f"{lfw},{tmp_path / 'other' / 'lfw.bin'}", "--model", model)


def test_sets_are_found_by_name_in_the_folder_of_data(run, model, lfw):
    assert measurements(run, "--datasets", "lfw", "--data", lfw.parent, "--model", model)[0]["set"] == "lfw"
    assert measurements(run, "--datasets", "all", "--data", lfw.parent, "--model", model)[0]["set"] == "lfw"


@pytest.mark.skipif(not SMALL_LFW.is_file(), reason="the verification set of ../shared/data is not on this machine")
def test_the_recognizers_model_is_measured_where_none_is_named(run, mobilefacenet_files):
    [found] = measurements(run, "--datasets", SMALL_LFW)
    assert (found["model"], found["genuine"], found["impostor"]) == ("mobilefacenet", 10, 0)
    assert found["auc"] is None and set(found["tar"].values()) == {None}


def test_the_script_runs_from_any_folder(model, lfw, tmp_path):
    command = [sys.executable, SCRIPT, "--datasets", "lfw.bin", "--model", "models/tiny.xml", "--csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert next(csv.DictReader(io.StringIO(done.stdout)))["model"] == "tiny"


def test_help_needs_no_heavy_import(tmp_path):
    command = [sys.executable, "-X", "importtime", SCRIPT, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--calibrate" in done.stdout
    for module in ("cv2", "numpy", "openvino", "tensorflow", "matplotlib"):
        assert f" {module}\n" not in done.stderr


def test_the_page_has_every_option_and_no_other():
    page = (ROOT / "docs" / "evaluation.md").read_text("utf-8").split("## The command")[1].split("## ")[0]
    written = {
        name for row in re.findall(r"^\| (`--.*?) \|", page, re.MULTILINE) for name in re.findall(r"--[a-z-]+", row)
    }
    options = {name for each in typer.main.get_command(app).params for name in each.opts if name.startswith("--")}
    assert written == options - {"--help"}
