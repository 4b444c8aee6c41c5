"""The ten-fold protocol against a naive loop of it, and rates against answers that are known."""

import numpy as np
import pytest

import eval
from common.errors import BadArgument, BadEmbedding
from eval.bootstrap import intervals
from eval.protocols.verification import _validation_threshold


def pairs(count, noise, seed=0, dimensions=16, alternate=True):
    """Embeddings of ``count`` pairs, genuine ones being noisy copies; not normalised."""
    random = np.random.default_rng(seed)
    first = random.normal(size=(count, dimensions))
    issame = np.arange(count) % 2 == 0 if alternate else random.random(count) < 0.4
    second = np.where(issame[:, None], first + noise * random.normal(size=first.shape), random.normal(size=first.shape))
    scale = random.uniform(0.5, 20, (2 * count, 1))
    return (np.stack([first, second], 1).reshape(2 * count, dimensions) * scale).astype(np.float32), issame


def squared_distances(embeddings):
    rows = [np.float64(row) / np.sqrt(sum(float(v) ** 2 for v in row)) for row in embeddings]
    return [sum((a - b) ** 2 for a, b in zip(rows[i], rows[i + 1])) for i in range(0, len(rows), 2)]


def folds_of(count, folds):
    """Contiguous, the first ones one longer where it does not come out even."""
    sizes = [count // folds + (number < count % folds) for number in range(folds)]
    starts = np.cumsum([0, *sizes])
    return [range(starts[n], starts[n + 1]) for n in range(folds)]


def rates_at(threshold, distances, issame, chosen):
    """TAR, FAR and accuracy of the chosen pairs, counted one by one."""
    counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for i in chosen:
        counts[bool(distances[i] < threshold), bool(issame[i])] += 1
    genuine = counts[True, True] + counts[False, True]
    impostor = counts[True, False] + counts[False, False]
    tar = counts[True, True] / genuine if genuine else float("nan")
    far = counts[True, False] / impostor if impostor else float("nan")
    return tar, far, (counts[True, True] + counts[False, False]) / len(chosen)


def naive(embeddings, issame, folds=10):
    """Accuracies, their distance thresholds, and (TAR, FAR) at FAR 1e-3 of each fold."""
    distances, everything = squared_distances(embeddings), range(len(issame))
    accuracies, thresholds, validation = [], [], []
    for fold in folds_of(len(issame), folds):
        others = [i for i in everything if i not in fold]
        found = [rates_at(t, distances, issame, others)[2] for t in np.arange(0, 4, 0.01)]
        thresholds.append(np.arange(0, 4, 0.01)[found.index(max(found))])
        accuracies.append(rates_at(thresholds[-1], distances, issame, fold)[2])
        validation.append(rates_at(naive_threshold(distances, issame, others), distances, issame, fold)[:2])
    return np.array(accuracies), np.array(thresholds), np.array(validation)


def naive_threshold(distances, issame, others):
    by_far = {}
    for t in np.arange(0, 4, 0.001):
        by_far[rates_at(t, distances, issame, others)[1]] = t  # of many with the same FAR, the last stays
    fars = sorted(by_far)
    if fars[-1] < 1e-3:
        return 0.0
    after = next(i for i, far in enumerate(fars) if far >= 1e-3)
    if fars[after] == 1e-3:
        return by_far[fars[after]]
    low, high = fars[after - 1], fars[after]
    return by_far[low] + (1e-3 - low) / (high - low) * (by_far[high] - by_far[low])


@pytest.mark.parametrize(
    ("count", "noise", "alternate"), [(60, 1.0, True), (47, 2.0, False), (60, 0.01, True), (40, 50.0, True)]
)
def test_ten_folds_are_those_of_the_official_protocol(count, noise, alternate):
    embeddings, issame = pairs(count, noise, alternate=alternate)
    found = eval.verification(embeddings, issame)
    accuracies, thresholds, validation = naive(embeddings, issame)
    np.testing.assert_allclose(found.accuracies, accuracies)
    np.testing.assert_allclose(found.fold_thresholds, 1 - thresholds / 2)
    assert found.accuracy == pytest.approx(np.mean(accuracies))
    assert found.std == pytest.approx(np.sqrt(np.mean((accuracies - np.mean(accuracies)) ** 2)))
    assert found.threshold == pytest.approx(np.mean(1 - thresholds / 2))
    assert found.validation_rate == pytest.approx(np.nanmean(validation[:, 0]))
    assert found.validation_std == pytest.approx(np.nanstd(validation[:, 0]))
    assert found.validation_far == pytest.approx(np.nanmean(validation[:, 1]))


def test_a_far_between_two_steps_is_interpolated_from_the_largest_threshold_of_each():
    random = np.random.default_rng(3)
    impostor = np.sort(random.uniform(0.5, 4, 1980))  # FAR 1e-3 is 1.98 false accepts: between one and two
    distances = np.r_[random.uniform(0, 1.5, 1980), impostor]
    grid = np.arange(0, 4, 0.001)
    one, two = (grid[grid <= impostor[k]].max() for k in (1, 2))
    expected = one + 0.98 * (two - one)
    assert _validation_threshold(distances, np.arange(3960) < 1980) == pytest.approx(expected, abs=1e-9)


def at_distances(distances):
    """Pairs in the plane at these squared distances."""
    angles = 2 * np.arcsin(np.sqrt(np.asarray(distances)) / 2)
    second = np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.stack([np.tile([1.0, 0.0], (len(angles), 1)), second], 1).reshape(-1, 2)


def test_a_perfect_model():
    found = eval.verification(at_distances([0.1, 3.0] * 30), [True, False] * 30)
    assert (found.accuracy, found.std, found.auc, found.eer) == (1.0, 0.0, 1.0, 0.0)
    assert found.tar[0.1] == 1.0 and found.far == 0.0 and found.validation_rate == 1.0
    assert found.genuine == found.impostor == 30
    assert found.thresholds[0.1] == pytest.approx(1 - 0.1 / 2)
    # The first threshold of the grid that takes in 0.1 is 0.11 (or 0.1, where rounding lets it).
    assert found.threshold == pytest.approx(1 - 0.11 / 2, abs=0.0051)


def test_a_model_that_has_it_all_the_wrong_way_round():
    found = eval.verification(at_distances([3.0, 0.1] * 30), [True, False] * 30)
    assert (found.auc, found.eer, found.tar[0.1]) == (0.0, 1.0, 0.0)
    assert found.thresholds[0.1] is None
    assert found.accuracy == 0.5


def test_rates_that_too_few_pairs_carry_are_none():
    found = eval.verification(at_distances([0.1, 3.0] * 500), [True, False] * 500)
    assert {far: tar is None for far, tar in found.tar.items()} == {
        1e-1: False, 1e-2: False, 1e-3: True, 1e-4: True, 1e-5: True, 1e-6: True,
    }  # fmt: skip
    assert found.thresholds[1e-3] is None


def test_normalised_or_not_gives_the_same():
    embeddings, issame = pairs(40, 2.0)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first, second = eval.verification(embeddings, issame), eval.verification(unit, issame)
    np.testing.assert_allclose(first.similarities, second.similarities, atol=1e-6)
    np.testing.assert_allclose(first.similarities, (unit[0::2] * unit[1::2]).sum(1), atol=1e-6)
    assert first.accuracy == second.accuracy


def test_a_set_of_genuine_pairs_alone_has_an_accuracy_and_no_rates():
    found = eval.verification(at_distances([0.1] * 20), [True] * 20)
    assert found.accuracy == 1.0 and found.impostor == 0
    assert [found.auc, found.eer, found.far, found.validation_rate, found.tar[0.1]] == [None] * 5


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Sets of 200 pairs from a known distribution, whose AUC is 0.8413 (normal, one standard deviation * sqrt 2)."""
    held = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        same = np.arange(200) % 2 == 0
        similarities = random.normal(np.where(same, 2**0.5, 0), 1)
        low, high = intervals(similarities, same, same, 120, seed).auc
        held += low <= 0.84134 <= high
    assert 51 <= held <= 60


def test_intervals_of_accuracy_are_those_of_a_share():
    embeddings, issame = pairs(300, 2.5)
    found = eval.verification(embeddings, issame, bootstrap=400)
    low, high = found.intervals.accuracy
    spread = 1.96 * np.sqrt(found.accuracy * (1 - found.accuracy) / 300)
    assert found.accuracy < 1 and low < found.accuracy < high
    assert high - low == pytest.approx(2 * spread, rel=0.25)
    assert found.intervals.tar[1e-2][0] <= found.tar[1e-2] <= found.intervals.tar[1e-2][1]
    assert found.intervals.tar[1e-3] is None
    assert eval.verification(embeddings, issame, bootstrap=400).intervals == found.intervals


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda e, s: (e[:-1], s), BadEmbedding, "even number, not 39"),
        (lambda e, s: (e.astype(int), s), BadEmbedding, "floats"),
        (lambda e, s: (e[:, 0], s), BadEmbedding, r"\[n, d\]"),
        (lambda e, s: (np.where(np.arange(40)[:, None] == 7, np.nan, e), s), BadEmbedding, "row 7 is not finite"),
        (lambda e, s: (np.where(np.arange(40)[:, None] == 3, 0, e), s), BadEmbedding, "row 3 is zero"),
        (lambda e, s: (e, s[:-1]), BadArgument, "20 booleans"),
        (lambda e, s: (e, s * 2), BadArgument, "20 booleans"),
        (lambda e, s: (e[:18], s[:9]), BadArgument, "2 to the number of pairs, 9, not 10"),
    ],
)
def test_what_is_no_set_of_pairs_is_refused(change, error, said):
    embeddings, issame = pairs(20, 1.0)
    with pytest.raises(error, match=said):
        eval.verification(*change(embeddings, issame.astype(int)))
