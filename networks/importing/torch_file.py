"""PyTorch's files (``torch.save``, 1.6 and later): a zip of one pickle and one member per storage."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import BadModel
from networks.importing.torch_pickle import Storage, Tensor, read

NESTED = ("state_dict_backbone", "state_dict", "model")  # where training checkpoints keep the backbone's
MAX_DIMENSIONS = 8


def state_dict(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dict, or of the one in a training checkpoint, by name.

    Raises:
        BadModel: not such a file, damaged, or with anything in it that a state dict does not need.
    """
    if not zipfile.is_zipfile(path):
        raise BadModel(
            f"{path} is not a file of PyTorch 1.6 or later. Load it in PyTorch and save it again: "
            "torch.save(torch.load(old, weights_only=True), new)."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            root = next((name[: -len("data.pkl")] for name in members if name.endswith("/data.pkl")), None)
            if root is None:
                raise BadModel(f"{path} holds no data.pkl: it is no PyTorch file.")
            if members.get(f"{root}byteorder") and _content(archive, members, f"{root}byteorder", 16) != b"little":
                raise BadModel(f"{path} was written on a big-endian machine; save it again on this one.")
            content = read(_content(archive, members, f"{root}data.pkl"), str(path))
            return _arrays(_named(content, path), lambda storage: _numbers(archive, members, root, storage))
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise BadModel(f"{path} is damaged ({type(error).__name__}: {str(error)[:200]}).") from None


def _named(content: Any, path: Path) -> dict[str, Any]:
    for key in NESTED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not any(isinstance(value, Tensor) for value in content.values()):
        raise BadModel(f"{path} holds no state dict: expected tensors by name, or one under {', '.join(NESTED)}.")
    return content


def _arrays(named: dict[str, Any], numbers_of) -> dict[str, np.ndarray]:
    """Copies of the tensors; a storage that several share is read once."""
    storages: dict[str, np.ndarray] = {}
    arrays = {}
    for name, tensor in named.items():
        if isinstance(tensor, Tensor):
            key = tensor.storage.key
            if key not in storages:
                storages[key] = numbers_of(tensor.storage)
            arrays[str(name)] = _view(storages[key], tensor, name)
    return arrays


def _numbers(archive: zipfile.ZipFile, members: dict, root: str, storage: Storage) -> np.ndarray:
    raw = _content(archive, members, f"{root}data/{storage.key}", storage.count * storage.dtype.itemsize)
    numbers = np.frombuffer(raw, storage.dtype, storage.count)
    return (numbers.astype("<u4") << 16).view("<f4") if storage.bfloat16 else numbers


def _view(numbers: np.ndarray, tensor: Tensor, name: str) -> np.ndarray:
    """The tensor's elements; none beyond its storage, and no more of them than that holds."""
    if len(tensor.shape) > MAX_DIMENSIONS:
        raise ValueError(f"{name} has {len(tensor.shape)} dimensions")
    count = int(np.prod([int(side) for side in tensor.shape], dtype=object)) if tensor.shape else 1
    last = tensor.offset + sum((side - 1) * step for side, step in zip(tensor.shape, tensor.strides, strict=True))
    if count > len(numbers) or (count and last >= len(numbers)):
        raise ValueError(f"{name} reaches beyond its storage")
    strides = [step * numbers.itemsize for step in tensor.strides]
    view = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.array(view)


def _content(archive: zipfile.ZipFile, members: dict, name: str, most: int | None = None) -> bytes:
    """A member's bytes. PyTorch stores them uncompressed: one that is packed could unfold to anything."""
    member = members.get(name)
    if member is None:
        raise ValueError(f"{name} is missing")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"{name} is compressed")
    if most is not None and name.rsplit("/", 2)[-2] == "data" and member.file_size < most:
        raise ValueError(f"{name} has {member.file_size} bytes, {most} were stated")
    return archive.read(member)
