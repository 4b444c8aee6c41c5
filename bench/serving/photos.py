"""Photos that are sent to the service, made of the sample photos."""

import cv2
import numpy as np

from common.errors import BadPicture
from networks import zoo

SIZE = (640, 480)
QUALITY = 90  # of JPEG


def portrait(name: str, size: tuple[int, int] = SIZE) -> bytes:
    """A sample photo as JPEG of that width and height: the whole width of the photo, from its top on.

    Raises:
        BadPicture: it cannot be read, or is not high enough. FetchFailed.
    """
    photo = cv2.imread(str(zoo.sample(name)))
    width, height = size
    if photo is None or photo.shape[0] * width < photo.shape[1] * height:
        raise BadPicture(f"The sample photo {name} gives none of {width}x{height} pixels.")
    factor = width / photo.shape[1]
    shrunk = cv2.resize(photo, (width, round(photo.shape[0] * factor)), interpolation=cv2.INTER_AREA)
    return jpeg(shrunk[:height])


def jpeg(picture: np.ndarray) -> bytes:
    """A picture uint8 ``[H, W, 3]`` BGR, encoded."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
