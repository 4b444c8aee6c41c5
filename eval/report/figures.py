"""The plots of a set and of a model on it, in both themes and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.protocols.verification import Verification
from eval.report import plots
from eval.report.galleries import data_address
from eval.report.labels import Labels
from eval.report.words import curve_summary, short
from eval.roc import roc

if TYPE_CHECKING:
    from eval.measuring import Measurement


@dataclass(frozen=True)
class Figure:
    """A plot as ``data:`` addresses for the light and the dark page, and in words for who does not see it."""

    title: str
    light: str
    dark: str
    words: str


def curves(name: str, measurements: Sequence["Measurement"], labels: Labels) -> list[Figure]:
    """ROC and DET of all models on the set ``name``; none where it holds pairs of one kind only."""
    known = [each for each in measurements if each.verification.auc is not None]
    if not known:
        return []
    series = [(labels(each).number, _roc(each.verification)) for each in known]
    models = [f"{labels(m).number + 1}, {short(m.model)}: {curve_summary(m.verification)}." for m in known]
    words = " ".join(models)
    where = f"on {short(name)}, against false accept rate."
    return [
        _figure("ROC", plots.roc(series), f"ROC curves: true accept rate {where} {words}"),
        _figure("DET", plots.det(series), f"DET curves: false reject rate {where} {words}"),
    ]


def histogram(verification: Verification) -> Figure:
    """Similarities of genuine and impostor pairs, with the threshold."""
    genuine, impostor = _by_kind(verification)
    kinds = [("genuine", genuine), ("impostor", impostor)]
    medians = " ".join(f"{len(s)} {kind} pairs, median {np.median(s):.4f}." for kind, s in kinds if len(s))
    words = f"Histogram of the similarities. {medians} Threshold {verification.threshold:.4f}."
    return _figure("Similarities", plots.histogram(genuine, impostor, verification.threshold), words)


def _by_kind(verification: Verification) -> tuple[np.ndarray, np.ndarray]:
    return verification.similarities[verification.issame], verification.similarities[~verification.issame]


def _roc(verification: Verification):
    return roc(*_by_kind(verification))


def _figure(title: str, drawing: bytes, words: str) -> Figure:
    light, dark = (data_address("image/svg+xml", each) for each in (drawing, plots.dark(drawing)))
    return Figure(title, light, dark, words)
