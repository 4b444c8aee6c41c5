import numpy as np

from bench.matching import match, unmatched


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
