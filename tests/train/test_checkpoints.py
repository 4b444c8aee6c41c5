"""A checkpoint is whole or not there."""

import subprocess
import sys

import numpy as np
import pytest

from common.errors import BadCheckpoint
from train import checkpoints
from train.checkpoints import Checkpoints

ARRAYS = {"a/b": np.arange(20_000, dtype=np.float32), "seed": np.array([1, 2], np.uint32)}


@pytest.fixture
def store(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", keep=2)


# Run by a process of its own: the limit holds for all files of a process, those of the test runner too.
ON_A_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from common.errors import BadCheckpoint
from train.checkpoints import Checkpoints

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
store = Checkpoints(Path(sys.argv[1]), keep=2)
store.save(1, {"a": np.zeros(10)}, {})
try:
    store.save(2, {"a": np.arange(20_000, dtype=np.float32)}, {})
except BadCheckpoint as error:
    print(error)
"""


def test_what_was_saved_comes_back(store):
    store.save(7, ARRAYS, {"best": {"score": 0.5}})
    found = store.newest()
    assert (found.step, found.meta["best"]) == (7, {"score": 0.5})
    assert list(found.arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_only_the_newest_are_kept(store):
    for step in (1, 2, 10, 300):
        store.save(step, ARRAYS, {})
    assert [path.name for path in store.paths()] == ["step-000000010.npz", "step-000000300.npz"]


def test_without_any_there_is_none(store):
    assert store.newest() is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_last_one_costs_one_interval(store, damage, caplog):
    store.save(1, ARRAYS, {})
    path = store.save(2, ARRAYS, {})
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    content = {"cut": content[:-100], "flipped": content, "empty": b"", "text": b"no zip"}[damage]
    path.write_bytes(content)
    assert store.newest().step == 1
    assert "step-000000002.npz is damaged" in caplog.text


def test_a_full_disk_leaves_those_before_and_nothing_half_written(store):
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, str(store.folder)], check=True, capture_output=True, text=True
    )
    assert "could not be written" in done.stdout
    assert store.newest().step == 1
    assert len(list(store.folder.iterdir())) == 1


def test_when_all_are_damaged_it_is_said(store):
    store.save(1, ARRAYS, {}).write_bytes(b"x")
    with pytest.raises(BadCheckpoint, match="None of the 1 checkpoints"):
        store.newest()


def test_a_pickle_in_place_of_an_array_is_not_opened(tmp_path):
    path = tmp_path / "step-000000001.npz"
    np.savez(path, meta=np.array([print], object), names=np.zeros(1, np.uint8))
    with pytest.raises(BadCheckpoint):
        checkpoints.read(path)
