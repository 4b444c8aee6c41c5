"""Picture files as faces of one size: aligned already, or found and aligned here."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from common.errors import BadArgument, NoFace, UnknownChoice
from mtcnn.aligner import Aligner, check_framing
from mtcnn.pictures import read_picture

MISSING = ("centre", "exclude", "fail")


@dataclass(frozen=True)
class Options:
    """How pictures become faces of one size.

    Attributes:
        detector: a key of ``mtcnn.DETECTORS``.
        aligned: pictures are aligned already: taken as they are, and resized.
        size: (height, width) of the faces.
        enlarge, border: see ``mtcnn.aligner.Aligner``.
        missing: what stands for pictures without a face: "centre", their largest centred square; "exclude", nothing,
            and their pairs are left out; "fail" makes them an error.
        accept_license: accept the licence of the detector's weights.
        jobs: threads.
    """

    detector: str = "mtcnn"
    aligned: bool = False
    size: tuple[int, int] = (112, 112)
    enlarge: float = 1.0
    border: int = 0
    missing: str = "centre"
    accept_license: bool = False
    jobs: int = 1

    def __post_init__(self):
        if self.missing not in MISSING:
            raise UnknownChoice(f"Unknown rule {self.missing!r} for pictures without a face: {', '.join(MISSING)}.")
        if not all(16 <= side <= 1024 for side in self.size):
            raise BadArgument(f"size must be a height and a width of 16 to 1024 pixels, not {self.size!r}.")
        if self.jobs < 1:
            raise BadArgument(f"jobs must be 1 or more, not {self.jobs}.")
        check_framing(self.enlarge, self.border)
        if self.aligned and (self.enlarge != 1 or self.border):
            raise BadArgument("enlarge and border are for photos in which faces are looked for, not aligned pictures.")


class Face(NamedTuple):
    """What was made of a picture.

    Attributes:
        pixels: uint8 ``[height, width, 3]`` BGR.
        faces: how many the picture shows: 0 where none was found, and its centre stands for one; 1 where nobody looked.
    """

    pixels: np.ndarray
    faces: int


class FaceReader:
    """Reads pictures; several threads may share it.

    Raises:
        UnknownChoice, FetchFailed, LicenseNotAccepted: the detector cannot be had.
    """

    def __init__(self, options: Options):
        self._size = options.size
        self._aligner = None
        if not options.aligned:
            self._aligner = Aligner(
                options.detector,
                size=options.size,
                enlarge=options.enlarge,
                border=options.border,
                accept_license=options.accept_license,
            )

    def __call__(self, path: Path) -> Face:
        """The face of a picture file.

        Raises:
            BadPicture: it cannot be read.
        """
        picture = read_picture(path)
        if self._aligner is None:
            return Face(resized(picture, self._size), 1)
        try:
            aligned = self._aligner(picture)
        except NoFace:
            return Face(resized(centre(picture, self._size), self._size), 0)
        return Face(aligned.face, aligned.faces)


def centre(photo: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The largest part in the middle of a photo that has the proportions of (height, width)."""
    height, width = photo.shape[:2]
    scale = min(height / size[0], width / size[1])
    tall, wide = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    top, left = (height - tall) // 2, (width - wide) // 2
    return photo[top : top + tall, left : left + wide]


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture at (height, width), itself where that is its size."""
    if picture.shape[:2] == size:
        return picture
    method = cv2.INTER_AREA if picture.shape[0] > size[0] else cv2.INTER_CUBIC
    return cv2.resize(picture, size[::-1], interpolation=method)
