"""Every row compared in 8 bits, the best again in float32: the answers of ``exact`` with a quarter of its memory.

A vector x is kept as codes c and a scale s (x is about s c) in memory, and in float32 in a file that is mapped, of
which only the pages of the rows compared again are touched. The query q is rounded in the same way to q'. Then

    |x q - s c q'|  <=  |x - s c| |q| + |s c| |q - q'|       (Cauchy and Schwarz)

and both norms on the right are known, so the answers are provably those of exact search; see ``nearest``.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import MissingDependency
from common.folders import cache_folder
from recognizer.search.rows import Block
from recognizer.search.scan import ScanIndex

_LARGEST = 127
_STEP = 4096  # rows whose products (int32) are made at a time: 1 MB for 64 queries
_FLOAT32 = 1e-5  # relative, more than float32 loses in the norms

# Kernels tried for a million codes of 512 bytes, one thread / two threads, 2 cores of an AMD EPYC with AVX-512 VNNI:
# NumKong's int8 product of one query 24 / 16 ms, of 64 queries 307 / 150 ms, releasing the GIL, with all products as
# output; FAISS's ScalarQuantizer scanner (QT_8bit_direct_signed) 21 / 16 ms for one query, and 24 ms of one thread for
# each further one even from the cache; decoding to float32 for BLAS 450 ms for 64.


class Int8Index(ScanIndex):
    """Search in 8 bits with the answers of exact search: d + 24 bytes a row in memory, 4 d in a mapped file.

    Args:
        dimension: numbers in a vector.
        threads: CPU threads of a pass; None: as many as this process may use.
        folder: of the mapped files, which have no name and are gone when the process ends; None: the user's cache.

    Raises:
        MissingDependency: NumKong is not installed.
    """

    def __init__(self, dimension: int, threads: int | None = None, folder: str | Path | None = None):
        self._kernels = _numkong()
        self._folder = Path(folder or cache_folder() / "search")
        super().__init__(dimension, threads)

    def _fields(self) -> dict[str, tuple[type, tuple[int, ...]]]:
        shape = (self.dimension,)
        return {"vectors": (np.float32, shape), "codes": (np.int8, shape),
                "scales": (np.float32, ()), "errors": (np.float32, ())}  # fmt: skip

    def _allocate(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        return mapped(self._folder, shape, dtype) if name == "vectors" else np.empty(shape, dtype)

    def _columns(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        codes, scales = quantised(vectors)
        errors = np.linalg.norm(vectors - codes * scales[:, None], axis=1)
        return {"vectors": vectors, "codes": codes, "scales": scales, "errors": errors}

    def _prepare(self, queries: np.ndarray) -> tuple[Any, np.float32, np.ndarray, np.ndarray]:
        scale = np.abs(queries).max() / np.float32(_LARGEST) or np.float32(1)  # one for all queries of a pass
        codes = np.rint(queries / scale).astype(np.int8)
        lengths = np.linalg.norm(queries, axis=1)
        errors = np.linalg.norm(queries - codes * scale, axis=1)
        operand = codes if len(codes) == 1 else self._kernels.dots_pack(codes)
        return operand, scale, lengths, errors

    def _compare(self, block: Block, start: int, stop: int, prepared: tuple, out: np.ndarray) -> np.ndarray:
        operand, scale, lengths, query_errors = prepared
        scales = block.columns["scales"][start:stop] * scale
        if len(lengths) == 1:
            products = self._kernels.cdist(operand, block.columns["codes"][start:stop], "dot", out_dtype="float32")
            np.multiply(np.asarray(products)[0], scales, out=out[:, 0])
        else:
            for first in range(start, stop, _STEP):
                rows = slice(first - start, min(first + _STEP, stop) - start)
                codes = block.columns["codes"][first : min(first + _STEP, stop)]
                products = np.asarray(self._kernels.dots_packed(codes, operand))
                np.multiply(products, scales[rows, None], out=out[rows], dtype=np.float32, casting="same_kind")
        worst = block.columns["errors"][start:stop].max()
        error = worst * lengths + (1 + worst) * query_errors
        return (error * (1 + _FLOAT32) + _FLOAT32 * lengths * 0.1).astype(np.float32)


def quantised(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes int8 ``[n, d]`` and scales float32 ``[n]`` of vectors: each row's largest number becomes 127.

    So nothing is cut off, however unlike each other the rows are.
    """
    scales = np.abs(vectors).max(axis=1) / np.float32(_LARGEST)
    scales[scales == 0] = 1
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales


def mapped(folder: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array in a file without a name, readable by this user alone; its disk space is reserved.

    Raises:
        OSError: the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        size = int(np.prod(shape)) * dtype.itemsize
        if hasattr(os, "posix_fallocate"):  # writing to a map of a full disk would kill the process
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)
        return np.asarray(np.memmap(file, dtype, "r+", shape=shape))  # indexing an ndarray is quicker


def _numkong() -> Any:
    try:
        import numkong
    except ImportError:
        raise MissingDependency(
            "The search index int8 needs NumKong: pip install 'insightface-tensorflow[search]', "
            "or choose the index exact."
        ) from None
    return numkong
