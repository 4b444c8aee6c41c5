"""Embeddings as the database stores them: little-endian float32, whatever machine writes or reads them."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
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
    return np.frombuffer(b"".join(stored), STORED).reshape(-1, dimension).astype(np.float32, copy=False)


def mean(embeddings: np.ndarray) -> bytes:
    """The stored mean of float32 ``[n, d]``, summed in float64: accurate in whatever order the rows come."""
    return embeddings.mean(axis=0, dtype=np.float64).astype(STORED).tobytes()


def digest(person_id: int, stored: bytes) -> int:
    """What stands for a stored vector of a person in sums of digests, a signed number of 64 bits.

    Such a sum tells whether two sides hold the same vectors of the same persons, in whatever order they came
    there. It guards against accidents; who can write to the database can also forge it.
    """
    hashed = blake2b(int(person_id).to_bytes(8, "little") + stored, digest_size=8).digest()
    return int.from_bytes(hashed, "little", signed=True)


def total(digests: Iterable[int]) -> int:
    """The sum of digests, modulo 2^64, as a signed number of 64 bits."""
    return (sum(digests) + 2**63) % 2**64 - 2**63
