"""Histograms of the system page, recomputed from the values themselves."""

import math

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Histogram

from recognizer.service.pages.histograms import HEIGHT, WIDTH, histograms

BOUNDS = (0.1, 0.2, 0.5, 0.9)


def family(values, **labels):
    registry = CollectorRegistry()
    made = Histogram("seconds", "Time.", ("route", "method"), buckets=BOUNDS, registry=registry)
    for value in values:
        made.labels(labels.get("route", "a"), labels.get("method", "GET")).observe(value)
    for method in ("GET", "POST"):
        made.labels("other", method).observe(0.7)
    return next(iter(registry.collect()))


def test_bars_count_the_values_between_their_bounds():
    values = [0.15, 0.16, 0.3, 0.6, 0.7, 0.8]
    [found] = histograms(family(values), "Times", "seconds", {"route": "a"})
    counted = np.histogram(values, bins=[0.1, 0.2, 0.5, 0.9])[0].tolist()
    assert [(bar.low, bar.high) for bar in found.bars] == [(0.1, 0.2), (0.2, 0.5), (0.5, 0.9)]
    assert [bar.count for bar in found.bars] == counted and found.count == len(values)
    assert max(bar.height for bar in found.bars) == HEIGHT
    assert all(bar.y + bar.height == pytest.approx(HEIGHT, abs=0.11) for bar in found.bars)
    assert found.bars[-1].x + found.bars[-1].width < WIDTH


def test_labels_that_are_not_asked_for_are_added_up():
    [found] = histograms(family([0.3], route="a"), "Times", "seconds", {"route": "other"})
    assert found.count == 2
    [found] = histograms(family([0.3], route="a"), "Times", "seconds", {})
    assert found.count == 3
    assert histograms(family([]), "Times", "seconds", {"route": "a"}) == []


def test_quantiles_lie_in_the_bar_that_holds_them():
    values = np.random.default_rng(7).uniform(0, 0.9, 500)
    [found] = histograms(family(values), "Times", "seconds", {"route": "a"})
    for (words, value), share in zip(found.quantiles, (0.5, 0.9, 0.99), strict=True):
        assert words == f"{round(100 * share)} %"
        assert value == pytest.approx(np.quantile(values, share), abs=0.05)


def test_values_above_the_last_bound_have_no_quantile():
    [found] = histograms(family([0.05, 5, 6]), "Times", "seconds", {"route": "a"})
    assert math.isinf(found.quantiles[0][1]) and found.bars[-1].count == 2


def test_cosines_end_at_one():
    [found] = histograms(family([0.05, 0.95, 0.99]), "Similarity", "cosine", {"route": "a"})
    assert found.bars[-1].high == 1.0 and found.bars[-1].count == 2
