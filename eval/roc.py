"""The ROC curve, exact for any number of impostor comparisons in memory that grows with the genuine ones only.

Between two neighbouring genuine similarities the true accept rate stands still, so the whole curve is known from the
numbers of impostors at and above each genuine similarity. A pair is accepted when its similarity is at least the
threshold.
"""

from dataclasses import dataclass

import numpy as np

from eval.checks import require_both

FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Roc:
    """Numbers of accepted comparisons, at each distinct genuine similarity as the threshold, the highest first.

    Attributes:
        similarities: float ``[k]``, the distinct genuine similarities, falling.
        genuine: int64 ``[k]``, genuine comparisons at or above each.
        impostor: int64 ``[k]``, impostor comparisons at or above each; above: those above it.
        impostors: number of all impostor comparisons.
    """

    similarities: np.ndarray
    genuine: np.ndarray
    impostor: np.ndarray
    above: np.ndarray
    impostors: int

    @property
    def genuines(self) -> int:
        """Number of all genuine comparisons."""
        return int(self.genuine[-1])

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """The corners of the curve: FAR and TAR, float64 ``[2 k + 2]``, both rising from 0 to 1.

        Genuine and impostor comparisons of equal similarity are accepted together: a slanted piece.
        """
        before = np.concatenate([[0], self.genuine[:-1]])
        false = np.stack([self.above, self.impostor], 1).reshape(-1) / self.impostors
        true = np.stack([before, self.genuine], 1).reshape(-1) / self.genuines
        return np.concatenate([[0.0], false, [1.0]]), np.concatenate([[0.0], true, [1.0]])

    def auc(self) -> float:
        """Area under the curve: how often a genuine comparison beats an impostor one; equal ones count half."""
        return float(np.trapezoid(*reversed(self.points())))

    def eer(self) -> float:
        """Equal error rate: where FAR = 1 - TAR, on straight lines between the corners."""
        far, tar = self.points()
        excess = far + tar - 1
        after = int(np.argmax(excess >= 0))
        share = excess[after - 1] / (excess[after - 1] - excess[after])
        return float(far[after - 1] + share * (far[after] - far[after - 1]))

    def carries(self, far: float) -> bool:
        """Whether there are enough impostor comparisons for one false accept to fit into ``far``."""
        return far * self.impostors >= 1 - 1e-9

    def tar(self, far: float) -> tuple[float, float | None]:
        """The largest TAR at a FAR of at most ``far``, and the least genuine similarity that is accepted there.

        No interpolation. (0.0, None) where the most similar impostors are above all genuine comparisons.
        """
        fitting = int(np.searchsorted(self.impostor, int(far * self.impostors + 1e-9), side="right"))
        if fitting == 0:
            return 0.0, None
        return float(self.genuine[fitting - 1] / self.genuines), float(self.similarities[fitting - 1])


class Counter:
    """Counts impostors against genuine similarities, a block at a time.

    Args:
        genuine: the similarities of all genuine comparisons, ``[g]``.
    """

    def __init__(self, genuine: np.ndarray):
        self._similarities, counts = np.unique(genuine, return_counts=True)
        self._genuine = np.cumsum(counts[::-1])
        self._at_least = np.zeros(len(counts), np.int64)
        self._above = np.zeros(len(counts), np.int64)
        self._impostors = 0

    def add(self, impostor: np.ndarray) -> None:
        """Count more impostor similarities."""
        ordered = np.sort(impostor, axis=None)
        self._at_least += len(ordered) - np.searchsorted(ordered, self._similarities, side="left")
        self._above += len(ordered) - np.searchsorted(ordered, self._similarities, side="right")
        self._impostors += len(ordered)

    def roc(self) -> Roc:
        """The curve of all that was counted.

        Raises:
            BadArgument: no genuine or no impostor comparisons.
        """
        require_both(len(self._similarities), self._impostors)
        return Roc(
            self._similarities[::-1], self._genuine, self._at_least[::-1], self._above[::-1], self._impostors
        )  # fmt: skip


def roc(genuine: np.ndarray, impostor: np.ndarray) -> Roc:
    """The curve of two sets of similarities.

    Raises:
        BadArgument: one of them is empty.
    """
    counter = Counter(genuine)
    counter.add(impostor)
    return counter.roc()


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What is read off a curve; None where there are no pairs of one kind.

    Attributes:
        genuine, impostor: numbers of comparisons.
        auc: area under the ROC curve.
        eer: equal error rate.
        tar: by FAR (1e-1 to 1e-6), the largest true accept rate at a false accept rate of at most that; None where
            there are too few impostor pairs for a single false accept to fit.
        thresholds: by FAR, the cosine it is reached at; None where there is none.
    """

    genuine: int
    impostor: int
    auc: float | None
    eer: float | None
    tar: dict[float, float | None]
    thresholds: dict[float, float | None]


def readings(curve: Roc) -> dict:
    """The fields of ``Rates``."""
    found = {far: curve.tar(far) if curve.carries(far) else (None, None) for far in FARS}
    return {
        "genuine": curve.genuines,
        "impostor": curve.impostors,
        "auc": curve.auc(),
        "eer": curve.eer(),
        "tar": {far: tar for far, (tar, _) in found.items()},
        "thresholds": {far: threshold for far, (_, threshold) in found.items()},
    }


def no_readings(genuine: int, impostor: int) -> dict:
    """The fields of ``Rates`` where there are no pairs of one kind."""
    nothing = dict.fromkeys(FARS)
    rates = {"auc": None, "eer": None, "tar": nothing, "thresholds": nothing}
    return {"genuine": genuine, "impostor": impostor, **rates}
