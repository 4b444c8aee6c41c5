"""Changes of colour as matrices: (red, green, blue, 1) -> (red, green, blue, 1), float64 ``[4, 4]``, of 0..255 values.

Several changes are multiplied and applied to the pixels once, which rounds and clips once.
"""

from math import cos, sin, sqrt, tau

import cv2
import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])  # grey of red, green and blue, ITU-R BT.601, as in JPEG


def apply(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The picture uint8 ``[h, w, 3]`` RGB with its colours changed, rounded and clipped to 0..255."""
    return cv2.transform(picture, matrix[:3])


def mean_grey(picture: np.ndarray) -> float:
    """The picture's mean grey, 0..255."""
    return float(LUMA @ cv2.mean(picture)[:3])


def brightness(factor: float) -> np.ndarray:
    """All values times the factor."""
    return np.diag([factor, factor, factor, 1.0])


def contrast(factor: float, middle: float) -> np.ndarray:
    """Distances from ``middle`` times the factor."""
    matrix = brightness(factor)
    matrix[:3, 3] = (1 - factor) * middle
    return matrix


def saturation(factor: float) -> np.ndarray:
    """Distances of a pixel's colour from its grey times the factor: 0 is grey, 1 as it was."""
    matrix = np.eye(4)
    matrix[:3, :3] = factor * np.eye(3) + (1 - factor) * LUMA
    return matrix


def hue(turns: float) -> np.ndarray:
    """Colours turned about the axis of greys, by a share of a whole turn."""
    axis, angle = 1 / sqrt(3), turns * tau
    cross = axis * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    matrix = np.eye(4)
    matrix[:3, :3] = cos(angle) * np.eye(3) + sin(angle) * cross + (1 - cos(angle)) / 3
    return matrix
