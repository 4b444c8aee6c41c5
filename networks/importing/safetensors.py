"""``.safetensors`` files: a header of JSON, then the numbers. https://github.com/huggingface/safetensors"""

import json
import math
from pathlib import Path

import numpy as np

from common.errors import BadModel

MAX_HEADER = 100 * 2**20  # the format's own limit
DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U8": "u1", "BOOL": "?",
}  # fmt: skip


def state_dict(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file, by name.

    Raises:
        BadModel: not such a file, or damaged.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > min(MAX_HEADER, path.stat().st_size - 8):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(size))
        numbers = np.memmap(path, np.uint8, "r", offset=8 + size)
        return {name: _array(numbers, entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise BadModel(f"{path} is no safetensors file or damaged ({type(error).__name__}: {error}).") from None


def _array(numbers: np.ndarray, entry: dict) -> np.ndarray:
    dtype, shape, (start, end) = np.dtype(DTYPES[entry["dtype"]]), entry["shape"], entry["data_offsets"]
    if not all(type(side) is int and side >= 0 for side in (*shape, start, end)):
        raise ValueError("a shape or offset that is no whole number")
    if not start <= end <= len(numbers) or end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError("a tensor that is not where it is said to be")
    array = np.frombuffer(numbers[start:end].tobytes(), dtype).reshape(shape)
    return (array.astype("<u4") << 16).view("<f4") if entry["dtype"] == "BF16" else array
