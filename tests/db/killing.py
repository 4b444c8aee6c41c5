"""Fixtures that run a command of galleries_process.py in a process of its own and kill it at a random moment."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import galleries_process
import pytest

import db

DRAW = random.Random(0)


@pytest.fixture(scope="module")
def forks():
    """A process that runs each command it is sent in a fork of itself."""
    process = subprocess.Popen(
        [sys.executable, galleries_process.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(db.__file__).parents[1])},
    )
    yield process
    process.stdin.close()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def kill(forks):
    """Runs a command for at most a random time; whether it ended by itself."""

    def run(*command, longest=0.4):
        forks.stdin.write("\t".join(map(str, command)) + "\n")
        forks.stdin.flush()
        child = int(forks.stdout.readline().removeprefix("began "))
        killer = threading.Timer(DRAW.uniform(0, longest), os.kill, [child, signal.SIGKILL])
        killer.start()
        ended = forks.stdout.readline()
        killer.cancel()
        assert ended in ("ended 0\n", f"ended {int(signal.SIGKILL)}\n")
        return ended == "ended 0\n"

    return run
