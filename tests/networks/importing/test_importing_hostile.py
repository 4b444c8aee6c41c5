"""PyTorch and safetensors files that were made to do harm, or that are damaged."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from common.errors import BadModel
from networks.importing import safetensors, torch_file
from tests.networks.importing import torch_files as files


class Command:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def state(path, value, storages=None, **options):
    return files.write(path, files.pickled(value), storages, **options)


def refused(path, message):
    with pytest.raises(BadModel, match=message) as caught:
        torch_file.state_dict(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_command_is_not_run(tmp_path, protocol):
    content = {"conv1.weight": Command(tmp_path / "ran")}
    refused(files.write(tmp_path / "n.pth", pickle.dumps(content, protocol)), "names '.*system'")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "module, name",
    [
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("os", "system"),
        ("torch", "load"),
        ("torch", "Tensor"),
        ("torch._utils", "_rebuild_tensor_v2.__globals__"),
        ("torch.storage", "_load_from_bytes"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("collections", "OrderedDict.__class__"),
        ("collections", "defaultdict"),
    ],
)
def test_only_the_names_of_state_dicts_are_known(tmp_path, module, name):
    value = files.entries(("a", files.name(module, name) + files.several(files.text("1")) + b"R"))
    refused(state(tmp_path / "n.pth", value), "which no state dict needs|damaged")


def test_calling_a_storage_or_what_was_called_is_refused(tmp_path):
    for function in (files.name("torch", "FloatStorage"), files.ORDERED_DICT, files.text("eval"), files.number(3)):
        refused(state(tmp_path / "n.pth", function + b")R"), "damaged")


@pytest.mark.parametrize(
    "operation",
    [b"\x81", b"\x92", b"\x93", b"i" + b"os\nsystem\n", b"o", b"\x82\x01", b"Pabc\n", b"\x97", b"\x98"],
)
def test_operations_that_no_state_dict_has_are_refused(tmp_path, operation):
    refused(state(tmp_path / "n.pth", b"((t" + operation), "damaged|what no state dict does")


def test_a_key_that_takes_forever_to_hash_is_refused(tmp_path):
    nested = b")" + b"q\x00" + b"".join(b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(100))
    nested = b")q\x00" + b"".join(bytes([0x68, i, 0x86, 0x71, i + 1]) for i in range(100))
    refused(state(tmp_path / "n.pth", b"}(" + nested + b"K\x01u"), "a key that is tuple")


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path):
    raw = {"0": np.zeros(12, np.float32).tobytes()}
    for shape, strides, offset in (
        ((3, 5), (5, 1), 0),
        ((3, 4), (4, 1), 1),
        ((2,), (100,), 0),
        ((100_000, 100_000), (0, 0), 0),
        ((2**31 - 1,) * 8, (0,) * 8, 0),
        ((1,) * 40, (1,) * 40, 0),
    ):
        value = files.entries(("a", files.tensor("0", shape, strides, 12, offset)))
        refused(state(tmp_path / "n.pth", value, raw), "beyond its storage|dimensions")
    value = files.entries(("a", files.tensor("0", (3,), (-1,), 12, 2)))
    refused(state(tmp_path / "n.pth", value, raw), "damaged")


def test_a_storage_that_is_shorter_than_stated_or_missing_is_refused(tmp_path):
    value = files.entries(("a", files.tensor("0", (12,), (1,), 12)))
    refused(state(tmp_path / "n.pth", value, {"0": b"\0" * 40}), "has 40 bytes, 48 were stated")
    refused(state(tmp_path / "n.pth", value, {}), "data/0 is missing")
    value = files.entries(("a", files.tensor("../data.pkl", (1,), (1,), 1)))
    refused(state(tmp_path / "n.pth", value, {}), "missing")
    value = files.entries(("a", files.tensor("0", (1,), (1,), 1, storage="UntypedStorage")))
    refused(state(tmp_path / "n.pth", value, {"0": b"\0" * 40}), "no state dict needs")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    value = files.entries(("a", files.tensor("0", (2**24,), (1,), 2**24)))
    path = state(tmp_path / "n.pth", value, {"0": b"\0" * 2**26}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**18
    refused(path, "is compressed")


def test_a_pickle_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("networks.importing.torch_pickle.MAX_BYTES", 1000)
    refused(state(tmp_path / "n.pth", files.text("a" * 1000)), "more than the 1000")


@pytest.mark.parametrize("end", [1, 20, 60, 200])
def test_a_truncated_pickle_is_refused(tmp_path, end):
    value = files.pickled(files.entries(("conv1.weight", files.tensor("0", (3,), (1,), 3))))
    refused(files.write(tmp_path / "n.pth", value[:-end], {"0": b"\0" * 12}), "damaged|holds no state dict")


def test_truncated_and_altered_files_are_refused(tmp_path):
    good = files.save(tmp_path / "good.pth", {"a": np.arange(100, dtype=np.float32)}).read_bytes()
    bad = tmp_path / "bad.pth"
    for end in (10, len(good) // 2, len(good) - 30):
        bad.write_bytes(good[:end])
        refused(bad, "not a file of PyTorch 1.6 or later|damaged")
    place = good.index(np.arange(100, dtype=np.float32).tobytes()) + 40
    bad.write_bytes(good[:place] + b"\xff" + good[place + 1 :])
    refused(bad, "damaged")


def test_other_files_are_told_apart(tmp_path):
    path = tmp_path / "n.pth"
    path.write_bytes(pickle.dumps({"a": 1}))
    refused(path, "not a file of PyTorch 1.6 or later")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"")
    refused(path, r"holds no data\.pkl")
    refused(state(path, b"}"), "holds no state dict")
    refused(state(path, files.number(3)), "holds no state dict")


def test_safetensors_that_lie_are_refused(tmp_path):
    path = tmp_path / "n.safetensors"

    def write(header, raw=b"\0" * 16, size=None):
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        path.write_bytes((len(text) if size is None else size).to_bytes(8, "little") + text + raw)

    def entry(**changes):
        return {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} | changes}

    write(entry())
    assert safetensors.state_dict(path)["a"].shape == (4,)
    for header in (
        entry(shape=[5]),
        entry(shape=[-4]),
        entry(shape=["4"]),
        entry(shape=[2**40, 2**40]),
        entry(data_offsets=[0, 20], shape=[5]),
        entry(data_offsets=[16, 0]),
        entry(data_offsets=[-16, 0]),
        entry(dtype="object"),
        {"a": 3},
        [1],
        b"{",
        b"[" * 100_000,
    ):
        write(header)
        with pytest.raises(BadModel, match=r"n\.safetensors is no safetensors file or damaged"):
            safetensors.state_dict(path)
    for size in (2**40, 2**63):
        write(entry(), size=size)
        with pytest.raises(BadModel, match="longer than the file"):
            safetensors.state_dict(path)
    path.write_bytes(b"")
    with pytest.raises(BadModel):
        safetensors.state_dict(path)
