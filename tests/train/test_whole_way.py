"""From photos to recognised people: prepare, train, resume, and the bundle in the recognizer."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from recognizer import Recognizer

pytest.importorskip("tensorflow", reason="training needs it: pip install '.[train]'")

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = {"Obama": ["obama", "obama2"], "Biden": ["biden"]}


def script(name, *arguments):
    command = [sys.executable, ROOT / "train" / name, *arguments]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_photos_become_a_model_that_recognises(sample_photo, mobilefacenet_files, mtcnn_files, tmp_path):
    for person, photos in PHOTOS.items():
        (tmp_path / "photos" / person).mkdir(parents=True)
        for photo in photos:
            (tmp_path / "photos" / person / f"{photo}.jpg").symlink_to(sample_photo(photo))
    script("prepare_data.py", "shards", tmp_path / "photos", tmp_path / "shards", "--align")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings(tmp_path / "shards")))
    run = ["--config", tmp_path / "run.yaml", "--output", tmp_path / "run"]
    script("train.py", *run, "--set", "training.duration=10", "--set", "bundle.formats=[keras]")
    bundle = script("train.py", *run, "--resume").strip()
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["10", "20", "30"]
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    with Recognizer(model=bundle, database="sqlite://", threshold=0.5) as recognizer:
        recognizer.add_customs({"Obama": sample_photo("obama"), "Biden": sample_photo("biden")})
        assert [found.name for found in recognizer.recognize(sample_photo("obama3"))] == ["Obama"]


def settings(shards):
    """Thirty small steps from the public weights."""
    return {
        "name": "presidents",
        "data": {"train": str(shards), "batch": 2, "scale": 128.0},
        "backbone": {"name": "mobilefacenet_public", "embedding_size": 192, "weights": "mobilefacenet"},
        "head": {"name": "arcface", "margin": 0.1, "scale": 8.0},
        "optimizer": {"name": "sgd", "decay_rule": "kernels"},
        "schedule": {"name": "constant", "learning_rate": 1e-5},
        "training": {"duration": 30},
        "checkpoints": {"every": 10},
        "log": {"every": 10, "pictures": 25},
        "bundle": {"formats": ["keras", "openvino"], "flip": "sum_raw"},
    }
