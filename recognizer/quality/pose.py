"""Where a face looks, from its five landmarks."""

from typing import NamedTuple

import numpy as np

# Millimetres at 63 between the eyes: x to the right, y down, z away from the viewer. The mean of 498 faces (sample
# photos, TV stills, AT&T) as MTCNN marks them, made symmetric; the depth of the nose is the one with the least squared
# error over them, 36 mm. ArcFace's template in its place gave most faces a pitch of -10.
MODEL = np.array([[-31.5, -33, 0], [31.5, -33, 0], [0, 2.5, -36], [-27.6, 31.7, 0], [27.6, 31.7, 0]])
SOLVED = np.linalg.pinv((MODEL - MODEL.mean(axis=0)).T)


class Pose(NamedTuple):
    """Degrees.

    Attributes:
        yaw: 0 straight on, positive where the face looks to the right in the picture.
        pitch: 0 as faces are held on average, positive where the face looks up.
        roll: positive where the head leans clockwise in the picture.
    """

    yaw: float
    pitch: float
    roll: float


def pose(landmarks: np.ndarray) -> Pose:
    """An estimate from landmarks float ``[5, 2]`` in pixels: a rigid mean face under scaled orthographic projection.

    Faces differ from the mean one, so pitch is easily off by 10 degrees, and a smile lowers it.

    The linear fit of DeMenthon and Davis, Model-based object pose in 25 lines of code (1995), and then the rotation
    nearest to it.
    """
    points = np.asarray(landmarks, np.float64)
    left, _, right = np.linalg.svd((points - points.mean(axis=0)).T @ SOLVED, full_matrices=False)
    rows = left @ right
    x, y, z = -np.vstack([rows, np.cross(*rows)])[:, 2]  # where the nose points
    yaw, pitch = np.arctan2(x, -z), np.arctan2(-y, np.hypot(x, z))
    roll = np.arctan2(rows[1, 0], rows[0, 0])
    return Pose(*(float(angle) for angle in np.degrees([yaw, pitch, roll])))
