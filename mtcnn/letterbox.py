"""A picture of any size on a canvas of one size: for networks that are fed one fixed input size."""

import cv2
import numpy as np


def letterbox(picture: np.ndarray, size: tuple[int, int], enlarge: bool) -> tuple[np.ndarray, np.ndarray]:
    """Resize with the aspect kept, place at the top left and fill what is left with black.

    Args:
        picture: uint8 ``[H, W, 3]``.
        size: (height, width) of the canvas in pixels.
        enlarge: whether a picture smaller than the canvas grows to fill it; a larger one always shrinks.

    Returns:
        canvas: uint8 ``[height, width, 3]``.
        scale: float32 ``[2]``, x and y: canvas pixels per picture pixel. The two differ slightly where a side
            was rounded to whole pixels; dividing canvas coordinates by them is exact.
    """
    height, width = picture.shape[:2]
    if not enlarge and height <= size[0] and width <= size[1]:
        new_height, new_width = height, width
    elif height * size[1] > width * size[0]:
        new_height, new_width = size[0], max(1, width * size[0] // height)
    else:
        new_height, new_width = max(1, height * size[1] // width), size[1]
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[:new_height, :new_width] = cv2.resize(picture, (new_width, new_height))
    return canvas, np.array([new_width / width, new_height / height], np.float32)
