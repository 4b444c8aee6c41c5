"""Non-maximum suppression against a loop over all pairs."""

import numpy as np
import pytest

from common.errors import UnknownChoice
from mtcnn.nms import intersection_over_union, nms


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(a, b, method):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (area(a) + area(b) - shared if method == "union" else min(area(a), area(b)))


def naive(boxes, scores, threshold, method="union", groups=None):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        rivals = [j for j in kept if groups is None or groups[i] == groups[j]]
        if all(overlap(boxes[i], boxes[j], method) <= threshold for j in rivals):
            kept.append(i)
    return kept


def random_boxes(random, count, low=0.0):
    corners = random.uniform(low, low + 100, (count, 2))
    return np.hstack([corners, corners + random.uniform(5, 60, (count, 2))])


@pytest.mark.parametrize("method", ["union", "min"])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keeps_what_a_loop_over_all_pairs_keeps(method, seed, threshold, dtype):
    random = np.random.default_rng(seed)
    boxes, scores = random_boxes(random, 80).astype(dtype), random.permutation(80) / 80
    kept = nms(boxes, scores, threshold, method)
    assert kept.dtype == np.int64
    assert kept.tolist() == naive(boxes, scores, threshold, method)


@pytest.mark.parametrize("low", [0.0, 500.0, -500.0])
@pytest.mark.parametrize("seed", range(4))
def test_boxes_suppress_only_those_of_their_group(low, seed):
    random = np.random.default_rng(seed)
    boxes, scores = random_boxes(random, 90, low), random.permutation(90) / 90
    groups = random.integers(0, 5, 90)
    assert nms(boxes, scores, 0.3, groups=groups).tolist() == naive(boxes, scores, 0.3, groups=groups)


@pytest.mark.parametrize("method", ["union", "min"])
def test_scores_may_be_logits_of_either_sign(method):
    random = np.random.default_rng(9)
    boxes, scores = random_boxes(random, 60), np.float32(random.normal(-3, 4, 60))
    assert nms(boxes, scores, 0.4, method).tolist() == naive(boxes, scores, 0.4, method)


@pytest.mark.parametrize("method", ["union", "min"])
def test_of_equal_scores_the_first_wins(method):
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60], [1, 0, 11, 10]], np.float32)
    assert nms(boxes, np.full(4, 0.5), 0.5, method).tolist() == [0, 2]


@pytest.mark.parametrize("method", ["union", "min"])
def test_no_boxes(method):
    kept = nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.5, method)
    assert kept.shape == (0,) and kept.dtype == np.int64
    assert nms(np.zeros((0, 4)), np.zeros(0), 0.5, groups=np.zeros(0, int)).shape == (0,)


def test_a_box_inside_another_is_covered_by_the_smaller_area_only():
    boxes = np.array([[0, 0, 100, 100], [40, 40, 50, 50]])
    assert nms(boxes, np.array([0.9, 0.8]), 0.5, "union").tolist() == [0, 1]
    assert nms(boxes, np.array([0.9, 0.8]), 0.5, "min").tolist() == [0]


@pytest.mark.parametrize("method", ["union", "min"])
def test_boxes_without_area_do_no_harm(method):
    boxes = np.array([[0, 0, 10, 10], [20, 20, 20, 30], [5, 5, 5, 5], [40, 40, 60, 60]], float)
    kept = nms(boxes, np.array([0.5, 0.9, 0.8, 0.7]), 0.5, method).tolist()
    assert set(kept) >= {0, 3}
    assert kept == sorted(kept, key=lambda i: -[0.5, 0.9, 0.8, 0.7][i])


def test_unknown_method_lists_the_choices():
    with pytest.raises(UnknownChoice, match="union, min"):
        nms(np.zeros((1, 4)), np.ones(1), 0.5, "soft")


def test_overlap_of_two_squares_is_shared_area_over_area_covered():
    # 10 x 10 and 10 x 10, shifted by 5 in x: 50 shared, 150 covered
    found = intersection_over_union(np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 15, 10], [20, 0, 30, 10]]))
    assert found == pytest.approx(np.array([[1 / 3, 0]]))


def test_empty_boxes_overlap_nothing():
    boxes = np.array([[0.0, 0, 10, 10], [3, 3, 3, 3]])
    others = np.array([[20.0, 20, 30, 30], [3, 3, 3, 3]])
    assert np.array_equal(intersection_over_union(boxes, others), np.zeros((2, 2)))
    assert intersection_over_union(boxes, np.zeros((0, 4))).shape == (2, 0)
