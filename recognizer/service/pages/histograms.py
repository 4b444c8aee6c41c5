"""Prometheus' histograms as what a page draws: bars of counts, and quantiles between the bounds."""

import math
from collections import defaultdict
from dataclasses import dataclass

from prometheus_client import Metric

WIDTH, HEIGHT = 480, 120  # of the drawing, in its own units
GAP = 2
MOST = {"seconds": math.inf, "cosine": 1.0, "score": 1.0}  # that a value can be, by its unit


@dataclass(frozen=True)
class Bar:
    """How many values lay above one bound and not above the next."""

    low: float | None
    high: float
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Histogram:
    """One histogram.

    Attributes:
        title, unit: in words.
        count: of all values.
        bars: from the first to the last that has values, drawn in ``WIDTH`` x ``HEIGHT``.
        quantiles: the values below which 50, 90 and 99 % lie, as (words, value), interpolated within a bar; infinite
            where that is above the last bound and there is no greatest value.
    """

    title: str
    unit: str
    count: int
    bars: tuple[Bar, ...]
    quantiles: tuple[tuple[str, float], ...]


def histograms(family: Metric, title: str, unit: str, wanted: dict[str, str]) -> list[Histogram]:
    """The histogram of the samples with the ``wanted`` labels, all others added up; none where there are no values."""
    cumulated: dict[float, float] = defaultdict(float)
    for sample in family.samples:
        if sample.name.endswith("_bucket") and wanted.items() <= sample.labels.items():
            cumulated[min(float(sample.labels["le"]), MOST[unit])] += sample.value
    bounds = sorted(cumulated)
    counts = [int(cumulated[bound] - (cumulated[bounds[i - 1]] if i else 0)) for i, bound in enumerate(bounds)]
    if not sum(counts):
        return []
    return [Histogram(title, unit, sum(counts), _bars(bounds, counts), _quantiles(bounds, counts))]


def _bars(bounds: list[float], counts: list[int]) -> tuple[Bar, ...]:
    filled = [i for i, count in enumerate(counts) if count]
    shown = range(filled[0], filled[-1] + 1)
    width, most = WIDTH / len(shown), max(counts)
    return tuple(
        Bar(
            low=bounds[i - 1] if i else None, high=bounds[i], count=counts[i], x=round(place * width + GAP / 2, 1),
            y=round(HEIGHT * (1 - counts[i] / most), 1), width=round(width - GAP, 1),
            height=round(HEIGHT * counts[i] / most, 1),
        )
        for place, i in enumerate(shown)
    )  # fmt: skip


def _quantiles(bounds: list[float], counts: list[int]) -> tuple[tuple[str, float], ...]:
    return tuple((f"{share} %", _quantile(bounds, counts, share / 100)) for share in (50, 90, 99))


def _quantile(bounds: list[float], counts: list[int], share: float) -> float:
    wanted, below = share * sum(counts), 0
    for i, count in enumerate(counts):
        if count and below + count >= wanted:
            if math.isinf(bounds[i]):
                return math.inf
            low = bounds[i - 1] if i else min(0.0, bounds[i])
            return low + (bounds[i] - low) * (wanted - below) / count
        below += count
    return math.inf
