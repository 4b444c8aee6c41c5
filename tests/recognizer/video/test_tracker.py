"""Tracks: a face keeps its own, through movement, crossings and gaps, and nobody gets somebody else's."""

import numpy as np
import pytest

from mtcnn import Detections
from recognizer.video.examine import Examined
from recognizer.video.tracker import KEPT, LOST_AFTER, OTHER, Tracker, iou

THRESHOLD = 0.5
ANN, BOB = np.eye(8, dtype=np.float32)[:2]


def look(share, of=ANN, other=BOB):
    """An embedding whose cosine to ``of`` is ``share``."""
    return (share * of + np.sqrt(1 - share**2) * other).astype(np.float32)


def frame(*faces):
    """Faces, each as (x, embedding) or (x, embedding, weight), 40 pixels wide."""
    boxes = [[face[0], 0, face[0] + 40, 40] for face in faces]
    embeddings = np.array([face[1] for face in faces], np.float32).reshape(-1, 8)
    weights = np.array([face[2] if len(face) > 2 else 1.0 for face in faces])
    count = len(faces)
    detections = Detections(boxes, np.zeros((count, 5, 2)), np.ones(count))
    return Examined(detections, embeddings, weights, [None] * count)


def followed(*frames, interval=0.1, **options):
    """A tracker that saw these frames."""
    tracker = Tracker(THRESHOLD, **options)
    for number, faces in enumerate(frames):
        tracker.update(number * interval, frame(*faces))
    return tracker


def test_overlap_is_the_shared_area_over_the_joint_one():
    rng = np.random.default_rng(3)
    corners = rng.integers(0, 30, (2, 20, 2, 2)).astype(float)
    boxes = np.concatenate([corners.min(axis=2), corners.max(axis=2)], axis=2)
    grid = [{(x, y) for x in range(int(a), int(c)) for y in range(int(b), int(d))} for a, b, c, d in boxes[0]]
    other = [{(x, y) for x in range(int(a), int(c)) for y in range(int(b), int(d))} for a, b, c, d in boxes[1]]
    expected = [[len(a & b) / max(1, len(a | b)) for b in other] for a in grid]
    np.testing.assert_allclose(iou(boxes[0], boxes[1]), expected, atol=1e-9)


def test_a_face_that_moves_is_one_track():
    [trail] = followed(*([(10 * i, ANN)] for i in range(10))).finish()
    assert [box[0] for box in trail.boxes] == [10 * i for i in range(10)]


def test_movement_is_predicted_where_looks_alone_would_not_do():
    """Two thirds of a width further each time, then nine tenths: without prediction the boxes hardly overlap."""
    doubtful = look(THRESHOLD * (1 + OTHER) / 2)
    frames = [[(0, ANN)], [(25, ANN)], [(50, ANN)], [(86, doubtful)]]
    [trail] = followed(*frames).finish()
    assert len(trail.times) == 4


def test_people_who_cross_keep_their_tracks():
    frames = [[(10 * i, ANN), (90 - 10 * i, BOB)] for i in range(10)]
    trails = followed(*frames).finish()
    assert len(trails) == 2
    for trail, start, end in zip(sorted(trails, key=lambda each: each.boxes[0][0]), (0, 90), (90, 0)):
        assert (trail.boxes[0][0], trail.boxes[-1][0]) == (start, end)


def test_somebody_else_in_the_same_place_is_another_track():
    trails = followed([(0, ANN)], [(0, ANN)], [(0, BOB)], [(0, BOB)]).finish()
    assert [len(trail.times) for trail in trails] == [2, 2]
    assert trails[0].embedding() @ ANN == pytest.approx(1) and trails[1].embedding() @ BOB == pytest.approx(1)


def test_a_blurred_face_in_the_same_place_is_the_same_track():
    assert len(followed([(0, ANN)], [(3, look(THRESHOLD * OTHER + 0.02))]).finish()) == 1


def test_the_same_person_far_from_where_they_were_is_the_same_track_and_a_stranger_is_not():
    assert len(followed([(0, ANN)], [(500, look(0.9))]).finish()) == 1
    assert len(followed([(0, ANN)], [(500, look(THRESHOLD - 0.05))]).finish()) == 2


def test_each_face_of_a_frame_has_a_track_of_its_own():
    """A mirror, or a picture on the wall: alike, but two faces are never one."""
    trails = followed(*([(0, ANN), (60, look(0.99))] for _ in range(4))).finish()
    assert [len(trail.times) for trail in trails] == [4, 4]
    trails = followed([(0, ANN)], [(0, ANN), (60, look(0.99))]).finish()
    assert [len(trail.times) for trail in trails] == [2, 1]


def test_a_head_that_turns_away_is_followed_by_how_it_looked_last():
    turning = [[(0, look(np.cos(np.radians(angle))), 1.0 if angle == 0 else 0.01)] for angle in range(0, 100, 20)]
    [trail] = followed(*turning).finish()
    assert trail.embedding() @ trail.newest.embedding < THRESHOLD * OTHER


def test_a_short_gap_is_bridged_and_a_long_one_ends_the_track():
    there, away = [(0, ANN)], []
    missed = int(LOST_AFTER / 0.1) - 2
    assert len(followed(there, *[away] * missed, there).finish()) == 1
    assert len(followed(there, *[away] * (missed + 3), there).finish()) == 2


def test_frames_far_apart_do_not_end_a_track_that_was_missed_once():
    assert len(followed([(0, ANN)], [], [(0, ANN)], interval=1.0).finish()) == 1


def test_it_is_known_when_a_face_was_looked_for_before_and_after():
    [trail] = followed([], [(0, ANN)], [(0, ANN)], []).finish()
    assert (trail.before, trail.after) == (0.0, pytest.approx(0.3))
    [trail] = followed([(0, ANN)], [], [(0, ANN)]).finish()
    assert (trail.before, trail.after) == (None, None)


def test_the_name_is_taken_from_the_best_faces_by_weight():
    bad = [[(0, look(0.6), 0.1)] for _ in range(30)]
    good = [[(0, look(0.95 + i / 1000), 0.9)] for i in range(KEPT)]
    [trail] = followed(*bad, *good, *bad).finish()
    assert len(trail.best) == KEPT
    expected = np.sum([0.9 * look(0.95 + i / 1000) for i in range(KEPT)], axis=0)
    np.testing.assert_allclose(trail.embedding(), expected / np.linalg.norm(expected), atol=1e-6)
    assert trail.best_sighting().weight == 0.9
    assert trail.best_sighting().time == pytest.approx(3.0)  # of equal ones the first


def test_better_faces_count_for_more():
    [trail] = followed([(0, ANN, 0.9)], [(0, look(0.6), 0.1)]).finish()
    expected = 0.9 * ANN + 0.1 * look(0.6)
    np.testing.assert_allclose(trail.embedding(), expected / np.linalg.norm(expected), atol=1e-6)


def test_a_camera_that_runs_for_weeks_keeps_no_history():
    frames = [[(0, ANN)] if i % 40 < 20 else [] for i in range(410)]
    tracker = followed(*frames, history=False)
    assert tracker.ended == [] and len(tracker.active) == 1
    for trail in tracker.active:
        assert len(trail.times) <= 2 and len(trail.boxes) <= 2 and len(trail.best) <= KEPT
    kept = followed(*frames)
    assert len(kept.finish()) == 11
