"""Similarities counted in bins, against NumPy's rounding and against the exact curve."""

import numpy as np
import pytest

from common.errors import BadArgument
from eval import histogram
from eval.histogram import BINS, IGNORED, STEP, Histogram, binned_roc, threads
from eval.roc import roc


@pytest.fixture
def pool():
    with threads() as pool:
        yield pool


def counted(pool, *parts):
    found = Histogram()
    for part in parts:
        found.add(np.asarray(part, np.float32), pool)
    return found


def naive(similarities):
    nearest = np.rint(np.float64(similarities) * 2**15).astype(int)
    return np.bincount(np.clip(nearest, -(2**15), 2**15 - 1).ravel() + 2**15, minlength=BINS)


def test_each_similarity_is_counted_at_the_nearest_step(pool):
    random = np.random.default_rng(0)
    edges = np.arange(-(2**16), 2**16 + 1, 911, dtype=np.float32) * np.float32(STEP / 2)
    near = np.concatenate([edges, np.nextafter(edges, np.float32(2)), np.nextafter(edges, np.float32(-2))])
    near = near[np.abs(near) < 1 + STEP]
    for values in (random.uniform(-1, 1, (40, 77)).astype(np.float32), near.astype(np.float32)):
        np.testing.assert_array_equal(counted(pool, values).counts, naive(values))


def test_parts_add_up_whatever_their_shape(pool):
    values = np.random.default_rng(1).uniform(-1, 1, (64, 50)).astype(np.float32)
    parts = [values[:10], values[10:11], values[11:30, :20], values[11:30, 20:], values[30:].reshape(-1), values[:0]]
    np.testing.assert_array_equal(counted(pool, *parts).counts, naive(values))


def test_no_count_is_rounded_where_all_similarities_are_equal(pool, monkeypatch):
    monkeypatch.setattr(histogram, "EXACT", 1000)
    seen = []
    whole = histogram._counts
    monkeypatch.setattr(histogram, "_counts", lambda part: seen.append(part.size) or whole(part))
    found = counted(pool, np.full((101, 100), 0.5))
    assert max(seen) <= 1000 and found.counts.max() == found.counts.sum() == 10_100


def test_what_is_to_be_ignored_is_not_counted(pool):
    found, values = Histogram(), np.random.default_rng(3).uniform(-1, 1, (30, 40)).astype(np.float32)
    values[:2] = -1  # in the same bin
    left_out = np.random.default_rng(4).random((30, 40)) < 0.4
    found.add(np.where(left_out, np.float32(IGNORED), values), pool, np.count_nonzero(left_out))
    np.testing.assert_array_equal(found.counts, naive(values[~left_out]))


def test_the_curve_is_the_exact_one_of_rounded_similarities(pool):
    random = np.random.default_rng(2)
    genuine = np.clip(random.normal(0.3, 0.1, 400), -1, 1).astype(np.float32)
    impostor = np.clip(random.normal(0, 0.1, 9000), -1, 1).astype(np.float32)
    found = binned_roc(counted(pool, genuine), counted(pool, impostor))
    expected = roc(*(np.rint(np.float64(each) * 2**15) / 2**15 for each in (genuine, impostor)))
    np.testing.assert_array_equal(found.similarities, expected.similarities - 2**-16)
    for name in ("genuine", "impostor", "above"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.impostors == 9000 and found.genuines == 400


def test_without_both_kinds_there_is_no_curve(pool):
    for parts in (([0.1], []), ([], [0.1])):
        with pytest.raises(BadArgument, match="genuine and impostor"):
            binned_roc(*(counted(pool, part) for part in parts))
