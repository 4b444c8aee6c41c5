"""Whole runs in processes of their own: killed and resumed, on two devices, by two workers, to the same numbers."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs it: pip install '.[train]'")

ROOT = Path(__file__).resolve().parents[2]
STEPS = 120


@pytest.fixture(scope="module")
def start(pattern_dataset, tmp_path_factory):
    """A function that starts a run with dropout, augmentations and a moving average, and returns its process."""
    import yaml

    folder = tmp_path_factory.mktemp("runs")
    settings = {
        "name": "run",
        "data": {"train": str(pattern_dataset), "batch": 8, "image_size": [32, 32],
                 "augment": {"flip": True, "cutout": True}},
        "backbone": {"name": "tiny", "embedding_size": 16},
        "head": {"name": "adaface", "margin": 0.2, "scale": 16.0},
        "partial_fc": {"rate": 0.9},
        "optimizer": {"name": "sgd", "weight_decay": 5e-4, "decay_rule": "kernels"},
        "schedule": {"name": "cosine", "learning_rate": 0.02, "warmup": 5},
        "training": {"duration": STEPS, "ema": 0.9},
        "checkpoints": {"every": 25, "keep": 10},
        "log": {"every": 1, "tensorboard": False},
        "bundle": {"formats": ["keras"]},
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))

    def start(output, *options, **environment):
        command = [sys.executable, ROOT / "tests/train/training_process.py", "--config", folder / "run.yaml"]
        return subprocess.Popen(
            [*map(str, command), "--output", str(folder / output), *options],
            env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    start.folder, start.printed = folder, {}
    return start


@pytest.fixture(scope="module")
def straight(start):
    """The folder of a run that nothing disturbed."""
    return finished(start, "straight")


def finished(start, output, *options, **environment):
    process = start(output, *options, **environment)
    start.printed[output] = process.communicate(timeout=240)
    assert process.returncode == 0, start.printed[output][1]
    return start.folder / output


def rows(folder):
    path = folder / "log.csv"
    return list(csv.DictReader(path.open(newline=""))) if path.exists() else []


def losses(folder):
    return [float(row["loss"]) for row in rows(folder)]


def last_checkpoint(folder):
    with np.load(max((folder / "checkpoints").glob("step-*.npz"))) as content:
        return {name: content[name] for name in content if name != "meta"}


def wait_for_step(folder, process, step):
    limit = time.monotonic() + 120
    while len(rows(folder)) < step:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.01)


def assert_the_same(folder, other):
    assert [row["step"] for row in rows(folder)] == [str(step) for step in range(1, STEPS + 1)]
    assert losses(folder) == losses(other)
    for name, array in last_checkpoint(other).items():
        np.testing.assert_array_equal(last_checkpoint(folder)[name], array, err_msg=name)


def test_killed_in_mid_epoch_and_resumed_it_gives_the_numbers_of_a_run_that_never_stopped(start, straight):
    process = start("killed", "--set", "backbone.dropout=0.3")
    wait_for_step(start.folder / "killed", process, 41)
    process.kill()
    process.wait()
    assert len(rows(start.folder / "killed")) < STEPS and not (start.folder / "killed" / "bundle").exists()
    finished(start, "killed", "--set", "backbone.dropout=0.3", "--resume")
    assert_the_same(start.folder / "killed", finished(start, "dropout", "--set", "backbone.dropout=0.3"))
    assert losses(straight) != losses(start.folder / "killed")  # the dropout was there


def test_asked_to_end_it_saves_its_state_and_goes_on_from_that_very_step(start, straight):
    process = start("ended")
    folder = start.folder / "ended"
    wait_for_step(folder, process, 30)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    done = len(rows(folder))
    assert max((folder / "checkpoints").glob("step-*")).name == f"step-{done:09d}.npz" and done % 25
    assert f"after step {done} of {STEPS}" in errors and "--resume" in errors
    assert_the_same(finished(start, "ended", "--resume"), straight)


def test_two_devices_give_the_losses_of_one(start, straight):
    folder = finished(start, "mirrored", "--virtual-cpus", "2")
    np.testing.assert_allclose(losses(folder), losses(straight), rtol=2e-3)
    np.testing.assert_allclose(losses(folder)[:20], losses(straight)[:20], rtol=2e-5)


def test_two_workers_give_the_losses_of_one(start, straight):
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in (first, second)]
    cluster = {"cluster": {"worker": hosts}}
    tasks = [json.dumps({**cluster, "task": {"type": "worker", "index": index}}) for index in range(2)]
    processes = [start("workers", TF_CONFIG=task) for task in tasks]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    folder = start.folder / "workers"
    assert (folder / "bundle" / "model.keras").is_file()
    np.testing.assert_allclose(losses(folder)[:20], losses(straight)[:20], rtol=2e-5)


def test_the_last_line_is_the_bundle_and_nothing_else_is_printed_to_standard_output(start, straight):
    output, errors = start.printed["straight"]
    assert output == f"{straight / 'bundle'}\n"
    assert "cuInit" not in errors and "oneDNN" not in errors


def test_a_gpu_that_is_not_there_is_an_error_of_one_line(start):
    process = start("gpus", "--gpus", "7")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 2 and output == ""
    assert errors.startswith("error: --gpus 7: TensorFlow sees")
    assert not (start.folder / "gpus").exists()
