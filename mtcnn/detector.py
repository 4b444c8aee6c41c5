"""The small interface behind which every detector stands."""

from abc import ABC, abstractmethod

import cv2
import numpy as np

from common.errors import NoFace
from mtcnn.align import align
from mtcnn.detections import Detections
from mtcnn.pictures import Picture, read_picture

TIGHT_SIDE = 320  # pixels to which the longer side is shrunk for the second look: 7 to 14 ms on two cores
TIGHT_BORDER = 0.25  # of the shorter side, added all around


class Detector(ABC):
    """Finds faces. A new detector writes ``_detect`` and is listed in ``mtcnn.DETECTORS``.

    Where it finds nothing, ``detect`` looks a second time for one large face in the picture with a border around:
    crops in which the face touches the edges are common, and detectors miss them (2 of 40 of a set of face crops).
    """

    @abstractmethod
    def _detect(self, picture: np.ndarray) -> Detections:
        """Faces of a picture uint8 ``[H, W, 3]`` BGR, best score first."""

    def detect(self, img: Picture) -> Detections:
        """All faces of a picture (path, bytes or array), best score first.

        Raises:
            BadPicture: the picture cannot be read.
        """
        picture = read_picture(img)
        detections = self._detect(picture)
        return detections if len(detections) else self._detect_tight(picture)

    def detect_single(self, img: Picture) -> Detections:
        """The one face a portrait is about, large and central, as ``Detections`` of length 1.

        Raises:
            NoFace: there is none.
            BadPicture: the picture cannot be read.
        """
        picture = read_picture(img)
        detections = self.detect(picture)
        if not len(detections):
            raise NoFace("No face found. Use a photo in which the face is at least 40 pixels high and not covered.")
        return detections[most_prominent(detections, picture.shape)]

    def align(
        self, img: Picture, detections: Detections | None = None, size: int | tuple[int, int] = 112
    ) -> np.ndarray:
        """Aligned faces uint8 ``[n, size, size, 3]`` BGR of ``detections``, or of all faces found."""
        picture = read_picture(img)
        if detections is None:
            detections = self.detect(picture)
        return align(picture, detections.landmarks, size)

    def _detect_tight(self, picture: np.ndarray) -> Detections:
        height, width = picture.shape[:2]
        scale = min(1.0, TIGHT_SIDE / max(height, width))
        border = round(TIGHT_BORDER * scale * min(height, width))
        if border == 0:
            return Detections.none()
        small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        framed = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
        found = self._detect(framed)
        return Detections((found.boxes - border) / scale, (found.landmarks - border) / scale, found.scores)


def most_prominent(detections: Detections, shape: tuple[int, ...]) -> int:
    """Index of the face with the largest area less twice its squared distance from the centre (FaceNet's rule)."""
    boxes = detections.boxes
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    offset = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([shape[1], shape[0]]) / 2
    return int(np.argmax(area - 2 * np.sum(offset**2, axis=1)))
