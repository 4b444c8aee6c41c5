"""Recognising tells nobody: nothing is sent, and nothing is left in the home folder but what the user asked for."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from recognizer import Recognizer
photo = sys.argv[1]
recognizer = Recognizer(database="sqlite://")
recognizer.add_customs("Obama", photo)
assert recognizer.recognize(photo)[0].name == "Obama"
"""


def test_recognising_writes_nothing_into_the_home_folder(tmp_path, sample_photo, mobilefacenet_files, mtcnn_files):
    weights = tmp_path / "weights"
    weights.mkdir()
    for path in [*mobilefacenet_files.values(), *mtcnn_files.values()]:
        (weights / path.name).symlink_to(path)
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "RECOGNIZER_"))}
    environment |= {"HOME": str(home), "RECOGNIZER_WEIGHTS": str(weights)}
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", SCRIPT, str(sample_photo("obama"))]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert list(home.rglob("*")) == []
