"""The faces that a name is taken from: large, sharp, straight and certain."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mtcnn import create
from recognizer.quality import assess
from recognizer.video.weights import weigh, weight


def weight_of(picture):
    face = create("mtcnn").detect_single(picture)
    return float(weigh(picture, face)[0])


def test_a_blurred_face_weighs_less(portraits):
    sharp = weight_of(portraits.obama)
    weights = [weight_of(cv2.GaussianBlur(portraits.obama, (0, 0), sigma)) for sigma in (2, 4)]
    assert sharp > weights[0] > weights[1] > 0


def test_a_small_face_weighs_less(portraits):
    large = weight_of(portraits.obama)
    small = weight_of(cv2.copyMakeBorder(cv2.resize(portraits.obama, (110, 110)), 75, 75, 75, 75, cv2.BORDER_REPLICATE))
    assert small < 0.8 * large


@pytest.mark.parametrize("better, worse", [
    ({"yaw": 0.0}, {"yaw": 40.0}), ({"yaw": 0.0}, {"yaw": -40.0}), ({"pitch": 5.0}, {"pitch": 40.0}),
    ({"score": 0.99}, {"score": 0.7}), ({"size": 70.0}, {"size": 40.0}), ({"sharpness": 0.25}, {"sharpness": 0.1}),
])  # fmt: skip
def test_each_measure_counts(portraits, better, worse):
    face = create("mtcnn").detect_single(portraits.obama)
    quality = assess(portraits.obama, face, 0)
    assert weight(replace(quality, **better)) > weight(replace(quality, **worse)) > 0


def test_what_is_good_enough_is_not_bettered_by_more(portraits):
    face = create("mtcnn").detect_single(portraits.obama)
    quality = replace(assess(portraits.obama, face, 0), size=100.0, sharpness=0.5)
    assert weight(quality) == weight(replace(quality, size=1000.0, sharpness=5.0)) <= 1


def test_no_face_has_no_weight_and_the_worst_face_has_some(portraits):
    face = create("mtcnn").detect_single(portraits.obama)
    assert weigh(portraits.obama, face[[]]).shape == (0,)
    assert weigh(np.full_like(portraits.obama, 90), face)[0] > 0
