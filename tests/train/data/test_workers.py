"""Worker processes: results, errors, and ends that nobody planned."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.errors import BadArgument, BadPicture, WorkerLost
from tests.train.data import work
from train.data.prepare import workers

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_piece_is_done_once(jobs):
    found = dict(workers.run(work.square, 5, range(7), jobs))
    assert {number: value for number, (value, _) in found.items()} == {number: 5 + number**2 for number in range(7)}
    assert (os.getpid() in {process for _, process in found.values()}) == (jobs == 1)
    assert list(workers.run(work.square, 5, [], jobs)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_first_error_arrives_as_it_was(jobs):
    with pytest.raises(BadPicture, match="number 3"):
        list(workers.run(work.fail, None, [3] * 2, jobs))


def test_a_process_that_is_killed_is_reported():
    with pytest.raises(WorkerLost, match="fewer --jobs: it goes on where it was"):
        list(workers.run(work.die, None, range(2), 2))


def test_jobs_must_be_at_least_one():
    with pytest.raises(BadArgument, match="jobs must be 1 or more, not 0"):
        list(workers.run(work.square, 5, [1], 0))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    parent = subprocess.Popen([sys.executable, work.__file__, tmp_path], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        assert _within(30, lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert _within(10, lambda: not any(_runs(each.name) for each in tmp_path.iterdir()))


def _runs(process):
    try:
        return Path("/proc", process, "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _within(seconds, true):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False
