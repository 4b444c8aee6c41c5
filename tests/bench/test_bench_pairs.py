import itertools

import numpy as np
import pytest

from bench.pairs import Pairs, all_pairs, rank1_first_photo, rank1_leave_one_out, unit


def pairs(genuine, impostor):
    return Pairs(np.sort(np.array(genuine, float)), np.sort(np.array(impostor, float)))


@pytest.fixture
def random_pairs():
    rng = np.random.default_rng(3)
    return pairs(
        rng.normal(0.6, 0.2, 200).round(2), rng.normal(0.1, 0.2, 900).round(2)
    )  # rounding makes ties


def test_auc_is_the_share_of_genuine_impostor_pairs_in_order(random_pairs):
    wins = [
        1.0 if g > i else 0.5 if g == i else 0.0
        for g, i in itertools.product(random_pairs.genuine, random_pairs.impostor)
    ]
    assert random_pairs.auc() == pytest.approx(np.mean(wins), abs=1e-12)


def test_best_threshold_makes_no_more_errors_than_any_other(random_pairs):
    threshold, errors = random_pairs.best_threshold()

    def wrong(t):
        return np.sum(random_pairs.genuine < t) + np.sum(random_pairs.impostor >= t)

    assert errors == wrong(threshold) == min(wrong(t) for t in np.arange(-1, 1.5, 0.0025))


def test_best_threshold_of_separable_pairs_is_the_middle_of_the_gap():
    assert pairs([0.5, 0.9], [0.1, 0.3]).best_threshold() == (pytest.approx(0.4), 0)


def test_of_equally_good_thresholds_the_one_in_the_widest_gap_is_taken():
    # one error both between 0.1 and 0.2 and between 0.25 and 0.8
    assert pairs([0.2, 0.8], [0.1, 0.25]).best_threshold() == (pytest.approx(0.525), 1)


def test_no_more_impostors_than_the_far_allows_are_above_the_threshold(random_pairs):
    for far in (0.0, 1e-3, 0.01, 0.1):
        tar, threshold = random_pairs.tar_at_far(far)
        assert np.mean(random_pairs.impostor > threshold) <= far
        assert tar == np.mean(random_pairs.genuine > threshold)
        lower = random_pairs.impostor[random_pairs.impostor < threshold].max()
        assert np.mean(random_pairs.impostor > lower) > far


def test_all_pairs_takes_every_unordered_pair_once_and_tells_same_from_different():
    embeddings = np.random.default_rng(0).normal(size=(5, 4))
    labels = ["a", "a", "b", "b", "b"]
    found = all_pairs(embeddings * 7, labels)
    cosines = {
        (i, j): embeddings[i] @ embeddings[j] / np.linalg.norm(embeddings[i]) / np.linalg.norm(embeddings[j])
        for i, j in itertools.combinations(range(5), 2)
    }
    genuine = sorted(value for (i, j), value in cosines.items() if labels[i] == labels[j])
    impostor = sorted(value for (i, j), value in cosines.items() if labels[i] != labels[j])
    assert found.genuine == pytest.approx(genuine)
    assert found.impostor == pytest.approx(impostor)


def test_rank1_counts_photos_whose_nearest_other_photo_is_of_the_same_person():
    angles = np.radians([0, 10, 90, 15, 95])  # the fourth photo, of b, lies among those of a
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = ["a", "a", "b", "b", "b"]
    # nearest other: a-a right; a(10)-b(15) wrong; b(90)-b(95) right; b(15)-a(10) wrong; b(95)-b(90) right
    assert rank1_leave_one_out(embeddings, labels) == pytest.approx(3 / 5)
    # gallery a at 0, b at 90; probes: a(10) right, b(15) wrong, b(95) right
    assert rank1_first_photo(embeddings, labels) == pytest.approx(2 / 3)


def test_unit_rows_have_length_one():
    assert np.linalg.norm(unit([[3.0, 4.0], [0.0, 2.0]]), axis=1) == pytest.approx([1, 1])
