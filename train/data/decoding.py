"""Encoded pictures become arrays of one size.

OpenCV's decoder gives exactly what Pillow's gives, so a network is trained on what it will see when it recognises.
TensorFlow's ``decode_jpeg``, at its default, differs from them by up to 10 of 255 levels.
"""

import cv2
import numpy as np

from mtcnn.pictures import read_picture

LARGE = 2**20  # bytes; a larger file may hold a picture that fills the memory, and is looked at before it is decoded


def decode(data: bytes, image_size: tuple[int, int]) -> np.ndarray:
    """A picture uint8 ``[h, w, 3]`` RGB of ``image_size``; one of another size is resized.

    Args:
        data: a JPEG; other formats that ``mtcnn.read_picture`` knows are taken too, and take longer.
        image_size: (height, width).

    Raises:
        BadPicture: it is damaged, cut short, or no picture.
    """
    picture = None
    if data[:2] == b"\xff\xd8" and len(data) < LARGE:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:  # for a JPEG that is cut short too, since OpenCV 4.12; 4.10 filled it up with grey
        picture = np.ascontiguousarray(read_picture(data)[..., ::-1])
    return resized(picture, image_size)


def resized(picture: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """A picture uint8 ``[H, W, 3]`` at (height, width), as it is where it has that size."""
    if picture.shape[:2] == image_size:
        return picture
    shrinks = picture.shape[0] > image_size[0] or picture.shape[1] > image_size[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, image_size[::-1], interpolation=interpolation)
