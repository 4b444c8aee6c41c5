"""Verification on pairs: the ten-fold protocol of LFW as InsightFace and FaceNet measure it, and rates on all pairs.

Distance is the sum of squared differences of normalised embeddings, 0..4; similarity is the cosine, 1 - distance / 2.
See Huang et al., Labeled Faces in the Wild, 2007, and Schroff et al., FaceNet, https://arxiv.org/abs/1503.03832.
"""

from dataclasses import dataclass, field

import numpy as np

from common.errors import BadArgument, BadEmbedding
from eval.bootstrap import Intervals, intervals
from eval.checks import flags, unit_rows
from eval.roc import Rates, no_readings, readings, roc

ACCURACY_GRID = np.arange(0, 4, 0.01)
VALIDATION_GRID = np.arange(0, 4, 0.001)
VALIDATION_FAR = 1e-3
BLOCK = 4096  # pairs whose differences are held at a time


@dataclass(frozen=True, kw_only=True)
class Verification(Rates):
    """Beside the rates on all pairs, what ten-fold cross-validation gives.

    Attributes:
        accuracy, std: mean and population standard deviation over the folds.
        threshold: cosine, mean of those that the folds chose; far: the false accept rate of all pairs at it, None
            without impostor pairs.
        accuracies, fold_thresholds: float64 ``[folds]``; thresholds as cosines.
        validation_rate, validation_std, validation_far: TAR (VAL) over the folds at a threshold that was chosen for
            FAR = 1e-3 on the other folds, and the FAR reached; None without pairs of both kinds. A fold without pairs
            of a kind is left out of the means of that kind.
        intervals: 95 % confidence intervals, None unless asked for, or without pairs of both kinds.
        similarities: float64 ``[n]``, cosine of each pair; issame: bool ``[n]``.
    """

    accuracy: float
    std: float
    threshold: float
    far: float | None
    accuracies: np.ndarray = field(repr=False)
    fold_thresholds: np.ndarray = field(repr=False)
    validation_rate: float | None
    validation_std: float | None
    validation_far: float | None
    intervals: Intervals | None = None
    similarities: np.ndarray = field(repr=False)
    issame: np.ndarray = field(repr=False)


def verification(
    embeddings: np.ndarray, issame: np.ndarray, *, folds: int = 10, bootstrap: int = 0, seed: int = 0
) -> Verification:
    """Measure a model on pairs.

    Args:
        embeddings: float ``[2 n, d]``, normalised or not; pair i is rows 2 i and 2 i + 1.
        issame: bool ``[n]``.
        folds: contiguous parts, as even as can be, in the order of the pairs.
        bootstrap: draws for confidence intervals; 0 for none.
        seed: of those draws.

    Raises:
        BadEmbedding: not ``[2 n, d]``, or a row that is not finite or zero.
        BadArgument: issame does not fit, or there are fewer pairs than folds.
    """
    rows = unit_rows(embeddings)
    if len(rows) % 2:
        raise BadEmbedding(f"embeddings must be two for each pair, an even number, not {len(rows)}.")
    same = flags(issame, len(rows) // 2)
    if type(folds) is not int or not 2 <= folds <= len(same):
        raise BadArgument(f"folds must be a whole number from 2 to the number of pairs, {len(same)}, not {folds!r}.")
    distances = _distances(rows)
    similarities = 1 - distances / 2
    parts = np.array_split(np.arange(len(same)), folds)
    accuracies, chosen, correct = _accuracies(distances, same, parts)
    both = bool(same.any() and not same.all())
    rate, rate_std, rate_far = _validation(distances, same, parts) if both else (None, None, None)
    threshold = float(np.mean(1 - chosen / 2))
    return Verification(
        **_readings(similarities, same, both),
        accuracy=float(accuracies.mean()),
        std=float(accuracies.std()),
        threshold=threshold,
        far=None if same.all() else float(np.mean(similarities[~same] > threshold)),
        accuracies=accuracies,
        fold_thresholds=1 - chosen / 2,
        validation_rate=rate,
        validation_std=rate_std,
        validation_far=rate_far,
        intervals=intervals(similarities, same, correct, bootstrap, seed) if bootstrap and both else None,
        similarities=similarities,
        issame=same,
    )


def _readings(similarities: np.ndarray, same: np.ndarray, both: bool) -> dict:
    genuine, impostor = similarities[same], similarities[~same]
    return readings(roc(genuine, impostor)) if both else no_readings(len(genuine), len(impostor))


def _distances(rows: np.ndarray) -> np.ndarray:
    first, second = rows[0::2], rows[1::2]
    starts = range(0, len(first), BLOCK)
    return np.concatenate([np.square(first[s : s + BLOCK] - second[s : s + BLOCK]).sum(1) for s in starts])


def _accuracies(distances: np.ndarray, same: np.ndarray, parts: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracy and distance threshold of each fold, and which pairs were judged right."""
    correct = np.zeros(len(same), bool)
    chosen = np.zeros(len(parts))
    for number, part in enumerate(parts):
        others = np.delete(np.arange(len(same)), part)
        accepted, false = _accepted(distances[others], same[others], ACCURACY_GRID)
        right = accepted + (~same[others]).sum() - false
        chosen[number] = ACCURACY_GRID[np.argmax(right)]
        correct[part] = (distances[part] < chosen[number]) == same[part]
    return np.array([correct[part].mean() for part in parts]), chosen, correct


def _accepted(distances: np.ndarray, same: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many genuine and impostor pairs are nearer than each threshold."""
    genuine, impostor = np.sort(distances[same]), np.sort(distances[~same])
    return np.searchsorted(genuine, grid, side="left"), np.searchsorted(impostor, grid, side="left")


def _validation(distances: np.ndarray, same: np.ndarray, parts: list) -> tuple[float, float, float]:
    rates, fars = [], []
    for part in parts:
        others = np.delete(np.arange(len(same)), part)
        nearer = distances[part] < _validation_threshold(distances[others], same[others])
        rates.append(_share(nearer[same[part]]))
        fars.append(_share(nearer[~same[part]]))
    return float(np.nanmean(rates)), float(np.nanstd(rates)), float(np.nanmean(fars))


def _validation_threshold(distances: np.ndarray, same: np.ndarray) -> float:
    """The distance at which FAR, linear between points of the grid, reaches 1e-3; 0 if it never does."""
    _, false = _accepted(distances, same, VALIDATION_GRID)
    fars = false / max((~same).sum(), 1)
    if fars[-1] < VALIDATION_FAR:
        return 0.0
    # Many thresholds share a FAR: the largest stands for it. FAR rises with the threshold.
    last = np.append(fars[1:] != fars[:-1], True)
    return float(np.interp(VALIDATION_FAR, fars[last], VALIDATION_GRID[last]))


def _share(hits: np.ndarray) -> float:
    return float(hits.mean()) if len(hits) else float("nan")
