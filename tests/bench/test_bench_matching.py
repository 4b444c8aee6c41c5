import numpy as np
import pytest

from bench.matching import intersection_over_union, match, unmatched


def test_overlap_of_two_squares_is_shared_area_over_area_covered():
    # 10 x 10 and 10 x 10, shifted by 5 in x: 50 shared, 150 covered
    assert intersection_over_union([[0, 0, 10, 10]], [[5, 0, 15, 10]])[0, 0] == pytest.approx(1 / 3)


def test_boxes_apart_or_empty_do_not_overlap():
    boxes = [[0, 0, 10, 10], [3, 3, 3, 3]]
    assert np.array_equal(intersection_over_union(boxes, [[20, 20, 30, 30], [3, 3, 3, 3]]), np.zeros((2, 2)))


def test_each_box_is_matched_at_most_once_and_to_its_best_partner():
    ours = [[0, 0, 10, 10]]
    found = [[2, 0, 12, 10], [0, 0, 10, 9]]  # overlaps 0.67 and 0.9
    assert match(found, ours) == [(1, 0)]
    assert unmatched(found, ours) == [0]


def test_boxes_below_the_threshold_are_two_faces():
    assert unmatched([[6, 0, 16, 10]], [[0, 0, 10, 10]]) == [0]  # 40 / 160
    assert unmatched([[4, 0, 14, 10]], [[0, 0, 10, 10]]) == []  # 60 / 140


def test_all_faces_of_a_peer_are_unmatched_where_we_found_none():
    nothing = np.zeros((0, 4))
    assert unmatched([[0, 0, 9, 9], [20, 20, 40, 40]], nothing) == [0, 1]
    assert unmatched(nothing, [[0, 0, 9, 9]]) == []
