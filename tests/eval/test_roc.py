"""ROC curves against scikit-learn, against counting every comparison, and in closed form."""

import numpy as np
import pytest

from common.errors import BadArgument
from eval.roc import FARS, Counter, roc


def scores(seed, ties):
    random = np.random.default_rng(seed)
    genuine, impostor = random.normal(1.2, 1, 300), random.normal(0, 1, 5000)
    return (np.round(genuine, 1), np.round(impostor, 1)) if ties else (genuine, impostor)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_curve_and_area_are_those_of_scikit_learn(seed, ties):
    metrics = pytest.importorskip("sklearn.metrics", reason="the reference: pip install scikit-learn")
    genuine, impostor = scores(seed, ties)
    truth = np.r_[np.ones(len(genuine)), np.zeros(len(impostor))]
    everything = np.r_[genuine, impostor]
    far, tar, _ = metrics.roc_curve(truth, everything, drop_intermediate=False)
    curve = roc(genuine, impostor)
    our_far, our_tar = curve.points()
    assert as_set(our_far, our_tar) <= as_set(far, tar)
    np.testing.assert_allclose(np.interp(far + tar, our_far + our_tar, our_far), far, atol=1e-9)  # all lie on our lines
    assert curve.auc() == pytest.approx(metrics.roc_auc_score(truth, everything), abs=1e-12)


def as_set(far, tar):
    return set(zip(*np.round([far, tar], 9).tolist()))


def strictly_rising(far, tar):
    last = np.append(far[1:] != far[:-1], True)
    return far[last], tar[last]


@pytest.mark.parametrize("ties", [False, True])
def test_tar_is_the_best_of_all_thresholds_that_keep_the_far(ties):
    genuine, impostor = scores(7, ties)
    curve = roc(genuine, impostor)
    for far in FARS:
        best = max(
            [np.mean(genuine >= t) for t in np.unique(np.r_[genuine, impostor]) if np.sum(impostor >= t) <= far * 5000],
            default=0.0,
        )
        tar, threshold = curve.tar(far)
        assert tar == best
        if threshold is not None:
            assert np.mean(genuine >= threshold) == tar and np.mean(impostor >= threshold) <= far
        assert curve.carries(far) == (far >= 2e-4)


@pytest.mark.parametrize("ties", [False, True])
def test_at_the_equal_error_rate_both_errors_are_equal(ties):
    genuine, impostor = scores(9, ties)
    eer = roc(genuine, impostor).eer()
    gaps = [(abs(np.mean(impostor >= t) - np.mean(genuine < t)), t) for t in np.r_[genuine, impostor]]
    nearest = min(gaps)[1]
    assert eer == pytest.approx((np.mean(impostor >= nearest) + np.mean(genuine < nearest)) / 2, abs=0.01)
    far, tar = roc(genuine, impostor).points()
    assert np.interp(eer, *strictly_rising(far, tar)) == pytest.approx(1 - eer, abs=4e-3)


def test_normal_distributions_have_the_area_and_equal_error_rate_of_the_textbook():
    random = np.random.default_rng(0)
    curve = roc(random.normal(2, 1, 20_000), random.normal(0, 1, 200_000))
    assert curve.auc() == pytest.approx(0.92135, abs=2e-3)  # normal distribution function at 2 / sqrt 2
    assert curve.eer() == pytest.approx(0.15866, abs=3e-3)  # at -1
    assert curve.tar(1e-2)[0] == pytest.approx(0.3721, abs=1e-2)  # above the 99 % point, 2.3263, of the impostors


@pytest.mark.parametrize(
    ("genuine", "impostor", "auc", "eer"),
    [([1.0], [0.0], 1, 0), ([0.0], [1.0], 0, 1), ([0.5], [0.5], 0.5, 0.5), ([3, 1], [2, 0], 0.75, 0.5)],
)
def test_smallest_cases(genuine, impostor, auc, eer):
    curve = roc(np.array(genuine, float), np.array(impostor, float))
    assert (curve.auc(), curve.eer()) == (auc, eer)


def test_impostors_counted_in_blocks_give_the_same_curve():
    genuine, impostor = scores(1, True)
    counter = Counter(genuine)
    for part in np.array_split(impostor, 7):
        counter.add(part.reshape(1, -1))
    whole, parts = roc(genuine, impostor), counter.roc()
    np.testing.assert_array_equal(whole.points(), parts.points())
    assert whole.impostors == parts.impostors == 5000 and whole.genuines == 300


@pytest.mark.parametrize(("genuine", "impostor"), [([], [1.0]), ([1.0], []), ([], [])])
def test_without_both_kinds_there_is_no_curve(genuine, impostor):
    with pytest.raises(BadArgument, match="genuine and impostor"):
        roc(np.array(genuine), np.array(impostor))
