"""Who is nearest: exact search in memory, kept in step with the database."""

import threading

import numpy as np

from db import Templates


class ExactIndex:
    """Cosine search over float32 vectors by one matrix product.

    Each change makes new arrays and swaps them in at once, so searches in other threads never wait.
    """

    def __init__(self, dimension: int):
        self._state = (np.zeros(0, np.int64), [], np.zeros((0, dimension), np.float32))

    def __len__(self) -> int:
        return len(self._state[0])

    def put(self, ids: np.ndarray, names: list[str], vectors: np.ndarray) -> None:
        """Add vectors float32 ``[n, d]``, or replace those of the same ids; they are normalised here."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
        old_ids, old_names, old_vectors = self._without(ids)
        self._state = (np.concatenate([old_ids, ids]), old_names + names, np.concatenate([old_vectors, vectors]))

    def remove(self, ids: np.ndarray) -> None:
        """Forget ids; unknown ones are passed over."""
        self._state = self._without(ids)

    def _without(self, ids: np.ndarray) -> tuple[np.ndarray, list[str], np.ndarray]:
        known, names, vectors = self._state
        if not len(known) or not len(ids):
            return self._state
        keep = np.isin(known, ids, invert=True)
        return known[keep], [name for name, kept in zip(names, keep) if kept], vectors[keep]

    def search(self, queries: np.ndarray, count: int) -> list[list[tuple[str, float]]]:
        """The ``count`` nearest (name, cosine) of each query float32 ``[q, d]``, best first."""
        _, names, vectors = self._state
        count = min(count, len(names))
        if count == 0:
            return [[] for _ in queries]
        similarities = queries @ vectors.T
        nearest = np.argpartition(-similarities, count - 1, axis=1)[:, :count]
        results = []
        for row, columns in zip(similarities, nearest):
            columns = columns[np.argsort(-row[columns], kind="stable")]
            results.append([(names[column], min(1.0, max(-1.0, float(row[column])))) for column in columns])
        return results


class GalleryIndex:
    """An index that reads what changed in its gallery before every search, whoever changed it."""

    def __init__(self, gallery):
        self._gallery = gallery
        self._lock = threading.Lock()
        self._revision = -1
        self._index = ExactIndex(gallery.dimension)

    def search(self, queries: np.ndarray, count: int) -> list[list[tuple[str, float]]]:
        """The nearest persons of the gallery as it is now; see ``ExactIndex.search``."""
        return self._current().search(queries, count)

    def _current(self) -> ExactIndex:
        if self._gallery.revision() != self._revision:
            with self._lock:
                self._follow()
        return self._index

    def _follow(self) -> None:
        revision = self._gallery.revision()
        if self._revision < 0 or revision < self._revision:  # first use, or a backup was restored
            self._load(self._gallery.templates())
        elif revision > self._revision:
            changes = self._gallery.changes(self._revision)
            self._index.remove(changes.deleted)
            self._index.put(changes.ids, changes.names, changes.templates)
            self._revision = changes.revision

    def _load(self, everyone: Templates) -> None:
        index = ExactIndex(self._gallery.dimension)
        index.put(everyone.ids, everyone.names, everyone.templates)
        self._index, self._revision = index, everyone.revision
