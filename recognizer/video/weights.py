"""How much a detected face tells about whose it is."""

import numpy as np

from mtcnn import Detections
from recognizer.quality import Quality, assess

SIZE = 75.0  # pixels of a box whose face is neither enlarged nor shrunk when it is aligned
SHARP = 0.3  # sharpness from which a face counts as sharp, see ``Quality``
LEAST = 1e-6  # so that the worst face still counts where there is no other


def weigh(picture: np.ndarray, faces: Detections) -> np.ndarray:
    """A weight 0..1 for each face, float64 ``[n]``, never 0.

    Args:
        picture: uint8 ``[H, W, 3]`` BGR.
        faces: where they are in it.
    """
    return np.array([max(LEAST, weight(assess(picture, faces, i))) for i in range(len(faces))])


def weight(quality: Quality) -> float:
    """Detector's score x size x sharpness x how far it looks straight ahead; each 1 where more would not help."""
    size = min(1.0, quality.size / SIZE)
    sharpness = min(1.0, quality.sharpness / SHARP)
    straight = max(0.0, np.cos(np.radians(quality.yaw))) * max(0.0, np.cos(np.radians(quality.pitch)))
    return float(quality.score * size * sharpness * straight)
