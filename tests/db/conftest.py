import os
import subprocess
import sys
from pathlib import Path

import pytest

import db

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not
import gallery_process  # noqa: E402


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/people.db"


@pytest.fixture(params=["file", "memory"])
def gallery(request, url):
    with db.open(url if request.param == "file" else "sqlite://") as database:
        yield gallery_process.gallery_of(database)


@pytest.fixture
def start():
    """Starts a command of gallery_process.py in a process of its own; kills what still runs at the end."""
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [sys.executable, gallery_process.__file__, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(db.__file__).parents[1])},
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
