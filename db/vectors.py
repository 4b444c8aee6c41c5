"""Embeddings as the database stores them: little-endian float32, whatever machine writes or reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.errors import BadEmbedding, DatabaseError

STORED = np.dtype("<f4")


def encode(embedding: Any, dimension: int) -> bytes:
    """The stored bytes of a float32 ``[dimension]`` embedding.

    Raises:
        BadEmbedding: not a float32 array of that shape, not finite, or zero.
    """
    if not isinstance(embedding, np.ndarray) or embedding.dtype.type is not np.float32:
        came = embedding.dtype if isinstance(embedding, np.ndarray) else type(embedding).__name__
        raise BadEmbedding(f"An embedding is a float32 NumPy array, not {came}: use .astype(numpy.float32).")
    if embedding.shape != (dimension,):
        raise BadEmbedding(
            f"This gallery holds embeddings of shape ({dimension},); this one has {embedding.shape}. "
            "Embed with the model that the gallery was made with."
        )
    if not np.isfinite(embedding).all():
        raise BadEmbedding("An embedding holds NaN or infinity: the picture or the network is broken.")
    if not embedding.any():
        raise BadEmbedding("An embedding is all zero: the picture or the network is broken.")
    return embedding.astype(STORED).tobytes()


def decode(stored: Sequence[bytes], dimension: int) -> np.ndarray:
    """Stored embeddings as float32 ``[n, dimension]``.

    Raises:
        DatabaseError: one of them does not have the length of an embedding.
    """
    expected = dimension * STORED.itemsize
    for blob in stored:
        if not isinstance(blob, (bytes, bytearray)) or len(blob) != expected:
            raise DatabaseError(f"A stored embedding does not have its {expected} bytes: restore a backup.")
    return np.frombuffer(b"".join(stored), STORED).reshape(-1, dimension).astype(np.float32)


def mean(embeddings: np.ndarray) -> bytes:
    """The stored mean of float32 ``[n, d]``, summed in float64: accurate in whatever order the rows come."""
    return embeddings.mean(axis=0, dtype=np.float64).astype(STORED).tobytes()
