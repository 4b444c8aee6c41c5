"""Cuts the aligned face out of a raw photo."""

from dataclasses import dataclass
from inspect import signature

import cv2
import numpy as np

import mtcnn
from common.errors import NoFace
from mtcnn.detector import most_prominent
from train.data.prepare.options import Options


@dataclass(frozen=True)
class Aligned:
    """What was made of a photo.

    Attributes:
        face: uint8 ``[height, width, 3]`` BGR.
        faces: how many the photo shows.
    """

    face: np.ndarray
    faces: int


class Aligner:
    """Finds the most prominent face of a photo and cuts it out, upright.

    Args:
        options: detector, size, and how photos are enlarged and framed before.
        threads: of the detector, None for all.

    Raises:
        UnknownChoice, FetchFailed, LicenseNotAccepted: the detector cannot be had.
    """

    def __init__(self, options: Options, threads: int | None = None):
        self._options = options
        takes_threads = "threads" in signature(mtcnn.DETECTORS[options.detector]).parameters
        chosen = {"threads": threads} if takes_threads else {}
        self._detector = mtcnn.create(options.detector, accept_license=options.accept_license, **chosen)

    def __call__(self, photo: np.ndarray) -> Aligned:
        """The face of a photo uint8 ``[H, W, 3]`` BGR.

        Raises:
            NoFace: there is none.
        """
        photo = framed(photo, self._options.enlarge, self._options.border)
        found = self._detector.detect(photo)
        if not len(found):
            raise NoFace("No face found.")
        chosen = found[most_prominent(found, photo.shape)]
        return Aligned(self._detector.align(photo, chosen, self._options.size)[0], len(found))


def framed(photo: np.ndarray, enlarge: float, border: int) -> np.ndarray:
    """A photo enlarged, and then framed by its own edges: detectors miss faces that are tiny or fill the picture."""
    if enlarge != 1:
        photo = cv2.resize(photo, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(photo, border, border, border, border, cv2.BORDER_REPLICATE) if border else photo
