"""What every search index can do."""

import threading
from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from common.errors import BadArgument, BadEmbedding

NOBODY = -1  # the key at a place of an answer that nobody takes; its similarity is -1
_CHUNK = 16384  # rows measured at a time
_TAME = 1e-30, 1e30  # squared lengths that float32 holds without loss


class Index(ABC):
    """Rows of a key, a stamp and a vector; searched by cosine.

    A key (the id of a person) may have several rows. Searches and changes run at once from any number of threads:
    a search sees each change wholly or not at all and never waits for one.

    Attributes:
        dimension: numbers in a vector.
    """

    def __init__(self, dimension: int):
        self.dimension = dimension
        self._writing = threading.RLock()  # changes take turns; searches do not ask for it

    @property
    @abstractmethod
    def checksum(self) -> int:
        """Sum of the stamps of all rows, modulo 2^64, as a signed 64-bit number."""

    @abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    def change(self, removed: np.ndarray, keys: np.ndarray, vectors: np.ndarray, stamps: np.ndarray) -> None:
        """In one step, drop all rows of every key in ``removed`` or ``keys``, then take in the new rows.

        Args:
            removed: int64 ``[m]``; unknown keys are passed over.
            keys: int64 ``[n]``, not negative; equal ones are several rows of one key.
            vectors: float32 ``[n, d]`` of any length: they are normalised here, and a zero vector stays zero.
            stamps: int64 ``[n]``, what the rows add to ``checksum``.

        Raises:
            BadEmbedding: the vectors have another shape or are not finite; nothing was changed.
            BadArgument: keys or stamps of another shape, or a negative key; nothing was changed.
        """
        removed, keys, stamps = (np.ascontiguousarray(array, np.int64) for array in (removed, keys, stamps))
        vectors = np.asarray(vectors, np.float32)
        if vectors.shape != (len(keys), self.dimension):
            expected = (len(keys), self.dimension)
            raise BadEmbedding(f"Expected vectors of shape {expected}, one row a key, not {vectors.shape}.")
        if removed.ndim != 1 or keys.ndim != 1 or stamps.shape != keys.shape:
            raise BadArgument(
                "Expected removed [m], keys [n] and stamps [n], "
                f"not {removed.shape}, {keys.shape} and {stamps.shape}."
            )
        if len(keys) and keys.min() < 0:
            raise BadArgument(f"Expected keys of at least 0, not {keys.min()}.")
        if len(removed) or len(keys):
            unit = Normalised(vectors)
            with self._writing:
                self._change(removed, keys, unit, stamps)

    def add(self, keys: np.ndarray, vectors: np.ndarray, stamps: np.ndarray) -> None:
        """``change`` without removals: keys that are there are replaced."""
        self.change(np.zeros(0, np.int64), keys, vectors, stamps)

    def remove(self, keys: np.ndarray) -> None:
        """``change`` without new rows."""
        nothing = np.zeros(0, np.int64)
        self.change(keys, nothing, np.zeros((0, self.dimension), np.float32), nothing)

    @abstractmethod
    def _change(self, removed: np.ndarray, keys: np.ndarray, vectors: "Normalised", stamps: np.ndarray) -> None:
        """``change`` with checked arguments and other changes kept out."""

    def search(
        self, queries: np.ndarray, count: int, threshold: float | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest keys of each query.

        Args:
            queries: float32 ``[q, d]``, each of length 1.
            count: how many different keys to find for each.
            threshold: rows of a lower cosine are left out.

        Returns:
            keys int64 ``[q, count]`` and similarities float32 ``[q, count]``: the cosine of each key's best row, within
            -1..1, best first, equal ones by lower key. Places that nobody takes hold ``NOBODY`` and -1.

        Raises:
            BadEmbedding: the queries have another shape or are not finite.
            BadArgument: ``count`` is below 1.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise BadEmbedding(f"Expected queries of shape [q, {self.dimension}], not {queries.shape}.")
        if not np.isfinite(queries).all():
            raise BadEmbedding("Expected queries of finite numbers; a value is NaN or infinite.")
        if count < 1:
            raise BadArgument(f"Expected a count of at least 1, not {count}.")
        if not len(queries):
            return nobody(0, count)
        return self._search(queries, count, -np.inf if threshold is None else threshold)

    @abstractmethod
    def _search(self, queries: np.ndarray, count: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """``search`` with checked arguments and at least one query."""

    @abstractmethod
    def sections(self) -> dict[str, np.ndarray]:
        """All rows for a snapshot: ``keys`` (ascending), ``stamps``, and what ``from_sections`` needs besides.

        Long ones may be ``rows.Column``s, which are gathered piece by piece (``np.asarray`` gathers all).
        """

    @classmethod
    @abstractmethod
    def from_sections(cls, dimension: int, sections: dict[str, np.ndarray], **options) -> Self:
        """The index that ``sections`` were of; arrays may be read-only memory maps and are used where they lie."""

    def close(self) -> None:  # noqa: B027 - most have nothing to give back
        """Give back threads, files and connections; the index is not used afterwards."""


def nobody(queries: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The answer to so many queries when there are no rows."""
    return np.full((queries, count), NOBODY, np.int64), np.full((queries, count), -1, np.float32)


class Normalised:
    """Vectors float32 ``[n, d]`` at length 1, computed when a slice is asked for (zero vectors stay zero).

    Raises:
        BadEmbedding: a number is not finite.
    """

    def __init__(self, vectors: np.ndarray):
        self._vectors = vectors
        self._lengths = np.empty(len(vectors))
        for start in range(0, len(vectors), _CHUNK):
            part = vectors[start : start + _CHUNK]
            squares = np.vecdot(part, part)
            if not _tame(squares):
                squares = np.vecdot(part, part, dtype=np.float64)  # ten times slower
            if not np.isfinite(squares).all():
                raise BadEmbedding("Expected vectors of finite numbers; a value is NaN or infinite.")
            self._lengths[start : start + _CHUNK] = np.sqrt(squares, dtype=np.float64)
        self._lengths[self._lengths == 0] = 1

    def __len__(self) -> int:
        return len(self._vectors)

    def __getitem__(self, rows: slice) -> np.ndarray:
        part, lengths = self._vectors[rows], self._lengths[rows, None]
        if _tame(lengths**2):
            return part * (1 / lengths).astype(np.float32)
        return (part / lengths).astype(np.float32)


def _tame(squares: np.ndarray) -> bool:
    return not len(squares) or bool(squares.min() > _TAME[0] and squares.max() < _TAME[1])


def wrapped(total: int) -> int:
    """A whole number modulo 2^64, as a signed 64-bit number."""
    return (int(total) + 2**63) % 2**64 - 2**63
