"""Five-point alignment: a similarity transform that puts eyes, nose and mouth where recognisers expect them."""

from numbers import Integral

import cv2
import numpy as np

from common.errors import BadArgument

# ArcFace's target in a 112x112 picture: left eye, right eye, nose, left and right mouth corner (insightface).
FIVE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


def five_points(height: int, width: int) -> np.ndarray:
    """The target points in a picture of another size, float32 ``[5, 2]``: scaled with the height, centred in width."""
    points = FIVE_POINTS * (height / 112)
    points[:, 0] += (width - height) / 2
    return points


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, uniform scale and shift that take ``source`` to ``target`` with the least squared error.

    Args:
        source, target: float ``[k, 2]`` points.

    Returns:
        float32 ``[2, 3]``, for ``cv2.warpAffine``. Umeyama 1991 without reflection.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(0), target.mean(0)
    x, y = (source - source_mean).T
    u, v = (target - target_mean).T
    spread = max(float(x @ x + y @ y), np.finfo(np.float64).tiny)
    a, b = float(x @ u + y @ v) / spread, float(x @ v - y @ u) / spread
    rotation = np.array([[a, -b], [b, a]])
    return np.hstack([rotation, (target_mean - rotation @ source_mean)[:, None]]).astype(np.float32)


def align(picture: np.ndarray, landmarks: np.ndarray, size: int | tuple[int, int] = 112) -> np.ndarray:
    """Cut faces out of a picture, upright and of one size.

    Args:
        picture: uint8 ``[H, W, 3]``.
        landmarks: float ``[n, 5, 2]`` in pixels of the picture.
        size: side, or (height, width), of the result.

    Returns:
        uint8 ``[n, height, width, 3]``, black where the picture ends, in the picture's colour order.
    """
    height, width = (size, size) if isinstance(size, Integral) else size
    if height < 1 or width < 1:
        raise BadArgument(f"size must be positive, not {size!r}.")
    target = five_points(height, width)
    faces = [
        cv2.warpAffine(picture, similarity_transform(points, target), (width, height), flags=cv2.INTER_LINEAR)
        for points in np.asarray(landmarks, np.float32).reshape(-1, 5, 2)
    ]
    return np.stack(faces) if faces else np.zeros((0, height, width, 3), np.uint8)
