"""Looks at one picture: usable as it is, to be encoded anew, or not usable."""

import io
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from common.errors import BadPicture
from mtcnn.pictures import read_picture
from train.data.prepare.options import Options

ORIENTATION = 0x0112  # EXIF
MAX_PLAIN = 4096  # pixels a side; read_picture has the limits for more


class Sight(NamedTuple):
    """What was made of a picture.

    Attributes:
        jpeg: the picture to be stored, or None where its file is stored as it is.
        size: (height, width).
        faces: how many were found; 1 where nobody looked.
    """

    jpeg: bytes | None
    size: tuple[int, int]
    faces: int = 1


class Looker:
    """Applies ``Options`` to pictures, one after another.

    Args:
        threads: of the detector, None for all.
    """

    def __init__(self, options: Options, threads: int | None = None):
        self._options = options
        self._aligner = options.aligner(threads) if options.align else None

    def __call__(self, data: bytes) -> Sight:
        """Decode a picture's file wholly, so that no damage is left for training to meet, and see what to store.

        Raises:
            BadPicture: it is damaged, cut short, or no picture.
            NoFace: a photo to be aligned without a face.
        """
        wanted = self._options.size
        plain = None if self._aligner else _plain_jpeg(data)
        if plain and plain == (wanted or plain):
            return Sight(None, plain)
        picture = read_picture(data)
        if self._aligner:
            aligned = self._aligner(picture)
            return Sight(self._encode(aligned.face), aligned.face.shape[:2], aligned.faces)
        if wanted and picture.shape[:2] != wanted:
            method = cv2.INTER_AREA if picture.shape[0] > wanted[0] else cv2.INTER_CUBIC
            picture = cv2.resize(picture, wanted[::-1], interpolation=method)
        return Sight(self._encode(picture), picture.shape[:2])

    def _encode(self, picture: np.ndarray) -> bytes:
        done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self._options.quality])
        if not done:
            raise BadPicture("The picture cannot be encoded as JPEG.")
        return encoded.tobytes()


def _plain_jpeg(data: bytes) -> tuple[int, int] | None:
    """(height, width) of a whole JPEG of which any decoder gives what ``read_picture`` gives, or None.

    That is: grey or YCbCr, and not turned by EXIF. It spares ``read_picture``'s second opening and its conversions.
    """
    if data[:2] != b"\xff\xd8":
        return None
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
        if image.mode not in ("L", "RGB") or image.getexif().get(ORIENTATION, 1) != 1 or max(image.size) > MAX_PLAIN:
            return None
        image.load()
    except Exception:  # decoders raise nearly anything on a damaged file; read_picture says what it is
        return None
    return image.height, image.width
