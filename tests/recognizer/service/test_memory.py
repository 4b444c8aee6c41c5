"""A service's process gives back what it does not need: seen from outside, by what the system says of a process."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from recognizer.service.memory import MEGABYTE, SETTINGS

ROOT = Path(__file__).resolve().parents[3]
CORES = max(2, os.cpu_count() or 1)
# Threads that all hold memory at once, so that each takes an arena of its own where it may.
CROWD = """
import ctypes, threading
from recognizer.service import memory
{before}
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
everybody = threading.Barrier({threads})
def hold():
    libc.malloc(ctypes.c_size_t(1000))
    everybody.wait()
threads = [threading.Thread(target=hold) for _ in range({threads})]
[each.start() for each in threads]
[each.join() for each in threads]
libc.fopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w")))
libc.fflush(None)
"""
# Arrays of 12 MB, freed: the first teaches glibc, left alone, to take the next ones from its pools.
ARRAYS = """
from recognizer.service import memory
{before}
import numpy as np
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
for _ in range(3):
    np.ones(12 * 2**20, np.uint8)
before = resident()
large, small = np.ones(12 * 2**20, np.uint8), bytearray(100_000)
del large
print(resident() - before)
"""

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="this system's malloc is not glibc's"
)


def run(code, **environment):
    plain = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=plain | {"PYTHONPATH": str(ROOT)} | environment
    ).stdout


def arenas(before="memory.spare()", **environment):
    return run(CROWD.format(threads=12 * CORES, before=before), **environment).count("<heap nr=")


def test_many_threads_share_as_many_arenas_as_there_are_cores():
    assert arenas(before="") > 2 * CORES, "left alone, it takes more: otherwise this test shows nothing"
    assert arenas() <= CORES


def test_what_whoever_runs_it_says_of_malloc_stays():
    assert CORES < arenas(MALLOC_ARENA_MAX=str(CORES + 3)) <= CORES + 3


def test_processes_that_are_started_have_it_from_their_environment():
    told = run("import os; from recognizer.service import memory; memory.spare(); print(dict(os.environ))")
    for variable, (_, value) in SETTINGS.items():
        assert f"'{variable}': '{value}'" in told


def test_large_arrays_go_back_to_the_system():
    assert int(run(ARRAYS.format(before="memory.spare()"))) < MEGABYTE
