"""Cuts the aligned face out of a photo of one person."""

from dataclasses import dataclass
from inspect import signature

import cv2
import numpy as np

import mtcnn
from common.errors import BadArgument, NoFace
from mtcnn.detector import most_prominent


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
        detector: a key of ``mtcnn.DETECTORS``.
        size: (height, width) of what is cut out.
        enlarge: photos are enlarged so many times before detection, 1..16.
        border: and then framed by so many pixels that repeat their edges, 0..4096.
        accept_license: accept the licence of the detector's weights.
        threads: of the detector, None for all.

    Raises:
        UnknownChoice, FetchFailed, LicenseNotAccepted: the detector cannot be had. BadArgument: a number out of range.
    """

    def __init__(
        self,
        detector: str = "mtcnn",
        *,
        size: tuple[int, int] = (112, 112),
        enlarge: float = 1.0,
        border: int = 0,
        accept_license: bool = False,
        threads: int | None = None,
    ):
        check_framing(enlarge, border)
        self._size, self._enlarge, self._border = size, enlarge, border
        takes_threads = "threads" in signature(mtcnn.DETECTORS[detector]).parameters
        chosen = {"threads": threads} if takes_threads else {}
        self._detector = mtcnn.create(detector, accept_license=accept_license, **chosen)

    def __call__(self, photo: np.ndarray) -> Aligned:
        """The face of a photo uint8 ``[H, W, 3]`` BGR.

        Raises:
            NoFace: there is none.
        """
        photo = framed(photo, self._enlarge, self._border)
        found = self._detector.detect(photo)
        if not len(found):
            raise NoFace("No face found.")
        chosen = found[most_prominent(found, photo.shape)]
        return Aligned(self._detector.align(photo, chosen, self._size)[0], len(found))


def check_framing(enlarge: float, border: int) -> None:
    """Refuse what would make a photo absurdly large. Raises BadArgument."""
    if not 1 <= enlarge <= 16:
        raise BadArgument(f"enlarge must be 1 to 16, not {enlarge!r}.")
    if not 0 <= border <= 4096:
        raise BadArgument(f"border must be 0 to 4096 pixels, not {border!r}.")


def framed(photo: np.ndarray, enlarge: float, border: int) -> np.ndarray:
    """A photo enlarged, and then framed by its own edges: detectors miss faces that are tiny or fill the picture."""
    if enlarge != 1:
        photo = cv2.resize(photo, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    return cv2.copyMakeBorder(photo, border, border, border, border, cv2.BORDER_REPLICATE) if border else photo
