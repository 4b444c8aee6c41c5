"""The small interface behind which every detector stands."""

from abc import ABC, abstractmethod

import numpy as np

from common.errors import NoFace
from mtcnn.align import align
from mtcnn.detections import Detections
from mtcnn.pictures import Picture, read_picture


class Detector(ABC):
    """Finds faces. A new detector writes ``_detect`` and is listed in ``mtcnn.DETECTORS``."""

    @abstractmethod
    def _detect(self, picture: np.ndarray) -> Detections:
        """Faces of a picture uint8 ``[H, W, 3]`` BGR, best score first."""

    def detect(self, img: Picture) -> Detections:
        """All faces of a picture (path, bytes or array), best score first.

        Raises:
            BadPicture: the picture cannot be read.
        """
        return self._detect(read_picture(img))

    def detect_single(self, img: Picture) -> Detections:
        """The one face a portrait is about, large and central, as ``Detections`` of length 1.

        Raises:
            NoFace: there is none.
            BadPicture: the picture cannot be read.
        """
        picture = read_picture(img)
        detections = self._detect(picture)
        if not len(detections):
            raise NoFace("No face found. Use a photo in which the face is at least 40 pixels high and not covered.")
        return detections[most_prominent(detections, picture.shape)]

    def align(self, img: Picture, detections: Detections | None = None, size: int | tuple[int, int] = 112) -> np.ndarray:
        """Aligned faces uint8 ``[n, size, size, 3]`` BGR of ``detections``, or of all faces found."""
        picture = read_picture(img)
        if detections is None:
            detections = self._detect(picture)
        return align(picture, detections.landmarks, size)


def most_prominent(detections: Detections, shape: tuple[int, ...]) -> int:
    """Index of the face with the largest area less twice its squared distance from the centre (FaceNet's rule)."""
    boxes = detections.boxes
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    offset = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([shape[1], shape[0]]) / 2
    return int(np.argmax(area - 2 * np.sum(offset**2, axis=1)))
