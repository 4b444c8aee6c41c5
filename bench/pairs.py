"""Verification and identification figures from embeddings and their labels, without folds."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """Cosines of all pairs, float64, each part sorted ascending.

    Attributes:
        genuine: pairs of the same person.
        impostor: pairs of two persons.
    """

    genuine: np.ndarray
    impostor: np.ndarray

    def auc(self) -> float:
        """Chance that a genuine pair scores above an impostor pair; a tie counts half."""
        below = np.searchsorted(self.impostor, self.genuine, "left")
        up_to = np.searchsorted(self.impostor, self.genuine, "right")
        return float((below + up_to).sum() / 2 / (len(self.genuine) * len(self.impostor)))

    def best_threshold(self) -> tuple[float, int]:
        """(threshold, errors): "same" where cosine >= threshold, with the fewest wrong pairs.

        Where several thresholds do equally well, it is the middle of the widest gap between two cosines.
        """
        values = np.unique(np.concatenate([self.genuine, self.impostor]))
        edges = np.concatenate([[values[0] - 1], values, [values[-1] + 1]])
        middles = (edges[:-1] + edges[1:]) / 2
        rejected = np.searchsorted(self.genuine, middles, "left")
        accepted = len(self.impostor) - np.searchsorted(self.impostor, middles, "left")
        errors = rejected + accepted
        best = np.flatnonzero(errors == errors.min())
        widest = best[np.argmax(np.diff(edges)[best])]
        return float(middles[widest]), int(errors[widest])

    def tar_at_far(self, far: float) -> tuple[float, float]:
        """(TAR, threshold): the lowest cosine threshold with at most ``far`` of the impostors above it.

        A pair is accepted when its cosine is greater than the threshold.
        """
        allowed = int(far * len(self.impostor))
        threshold = self.impostor[-1 - allowed]
        return float(np.mean(self.genuine > threshold)), float(threshold)


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Rows divided by their length, float64."""
    embeddings = np.asarray(embeddings, np.float64)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)


def all_pairs(embeddings: np.ndarray, labels: list[str]) -> Pairs:
    """Every unordered pair of the rows of ``embeddings`` ``[n, d]``."""
    rows, columns = np.triu_indices(len(labels), 1)
    vectors, names = unit(embeddings), np.asarray(labels)
    cosines = np.sum(vectors[rows] * vectors[columns], axis=1)
    same = names[rows] == names[columns]
    return Pairs(np.sort(cosines[same]), np.sort(cosines[~same]))


def rank1_leave_one_out(embeddings: np.ndarray, labels: list[str]) -> float:
    """Share of photos whose most similar other photo shows the same person."""
    vectors, names = unit(embeddings), np.asarray(labels)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return float(np.mean(names[cosines.argmax(axis=1)] == names))


def rank1_first_photo(embeddings: np.ndarray, labels: list[str]) -> float:
    """Share of photos recognised from a gallery that holds each person's first photo only."""
    vectors, names = unit(embeddings), np.asarray(labels)
    _, gallery = np.unique(names, return_index=True)
    probes = np.setdiff1d(np.arange(len(names)), gallery)
    nearest = gallery[(vectors[probes] @ vectors[gallery].T).argmax(axis=1)]
    return float(np.mean(names[nearest] == names[probes]))
