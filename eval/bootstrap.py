"""Confidence intervals by drawing the pairs anew, as many as there are of each kind, with putting back.

Pairs that share a person or a picture are not independent, so that the intervals are a little too narrow for sets in
which people come up often. See Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
"""

from dataclasses import dataclass

import numpy as np

from eval.roc import FARS, roc

LEVEL = 0.95

Interval = tuple[float, float]


@dataclass(frozen=True)
class Intervals:
    """95 % intervals (low, high); ``tar`` by FAR, None where there are too few pairs."""

    accuracy: Interval
    auc: Interval
    eer: Interval
    tar: dict[float, Interval | None]


def intervals(similarities: np.ndarray, same: np.ndarray, correct: np.ndarray, draws: int, seed: int) -> Intervals:
    """Intervals of what ``Verification`` states.

    Args:
        similarities: float ``[n]``; same: bool ``[n]``; correct: bool ``[n]``, which pairs the folds judged right.
        draws: how often the pairs are drawn; some hundred to thousand.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    genuine, impostor = np.flatnonzero(same), np.flatnonzero(~same)
    found: dict = {"accuracy": [], "auc": [], "eer": []} | {far: [] for far in FARS}
    for _ in range(draws):
        true, false = random.choice(genuine, len(genuine)), random.choice(impostor, len(impostor))
        curve = roc(similarities[true], similarities[false])
        found["accuracy"].append(np.concatenate([correct[true], correct[false]]).mean())
        found["auc"].append(curve.auc())
        found["eer"].append(curve.eer())
        for far in FARS:
            found[far].append(curve.tar(far)[0])
    carried = {far: far * len(impostor) >= 1 - 1e-9 for far in FARS}
    tar = {far: _interval(found[far]) if carried[far] else None for far in FARS}
    return Intervals(_interval(found["accuracy"]), _interval(found["auc"]), _interval(found["eer"]), tar)


def _interval(values: list[float]) -> Interval:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
