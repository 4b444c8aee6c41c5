"""The operations that RandAugment draws from: picture uint8 ``[h, w, 3]`` RGB, level -1..1 -> such a picture.

Level 0 leaves a picture as it was; -1 and 1 are the strongest changes of Cubuk et al. 2020. Autocontrast and equalize
know no strength.
"""

import cv2
import numpy as np

from train.data.augment import colours

FILL = (128, 128, 128)  # what lies beyond the edges
MOST_TURNED = 30  # degrees
MOST_SHEARED = 0.3
MOST_SHIFTED = 100 / 331  # of the side, as in the paper, which had pictures of 331 pixels


def identity(picture: np.ndarray, level: float) -> np.ndarray:
    """As it was."""
    return picture


def autocontrast(picture: np.ndarray, level: float) -> np.ndarray:
    """Each channel stretched to 0..255."""
    values = np.arange(256, dtype=np.float64)
    tables = np.empty((256, 1, 3), np.uint8)
    for channel in range(3):
        low, high = int(picture[..., channel].min()), int(picture[..., channel].max())
        stretched = (values - low) * (255 / (high - low)) if high > low else values
        tables[:, 0, channel] = np.clip(np.rint(stretched), 0, 255)
    return cv2.LUT(picture, tables)


def equalize(picture: np.ndarray, level: float) -> np.ndarray:
    """Each channel's values spread so that all are about equally frequent."""
    return cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(picture)])


def posterize(picture: np.ndarray, level: float) -> np.ndarray:
    """The lowest bits of each value taken away, 4 of them at the strongest."""
    return picture & np.uint8(0xFF << round(4 * abs(level)) & 0xFF)


def solarize(picture: np.ndarray, level: float) -> np.ndarray:
    """Values from a limit up inverted; the limit falls from 256 to 0."""
    limit = 256 * (1 - abs(level))
    return np.where(picture >= limit, 255 - picture, picture)


def brightness(picture: np.ndarray, level: float) -> np.ndarray:
    """Darker or lighter, by up to 0.9."""
    return colours.apply(picture, colours.brightness(1 + 0.9 * level))


def contrast(picture: np.ndarray, level: float) -> np.ndarray:
    """Less or more contrast, by up to 0.9."""
    return colours.apply(picture, colours.contrast(1 + 0.9 * level, colours.mean_grey(picture)))


def colour(picture: np.ndarray, level: float) -> np.ndarray:
    """Paler or more colourful, by up to 0.9."""
    return colours.apply(picture, colours.saturation(1 + 0.9 * level))


def sharpness(picture: np.ndarray, level: float) -> np.ndarray:
    """Softer or sharper, by up to 0.9 of the difference from a smoothed picture."""
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
    smooth = cv2.filter2D(picture, -1, kernel)
    return cv2.addWeighted(picture, 1 + 0.9 * level, smooth, -0.9 * level, 0)


def rotate(picture: np.ndarray, level: float) -> np.ndarray:
    """Turned about its centre by up to 30 degrees."""
    height, width = picture.shape[:2]
    return _move(picture, cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), MOST_TURNED * level, 1))


def shear_x(picture: np.ndarray, level: float) -> np.ndarray:
    """Rows moved against each other, the middle one kept."""
    shear = MOST_SHEARED * level
    return _move(picture, np.array([[1, shear, -shear * (picture.shape[0] - 1) / 2], [0, 1, 0]]))


def shear_y(picture: np.ndarray, level: float) -> np.ndarray:
    """Columns moved against each other, the middle one kept."""
    shear = MOST_SHEARED * level
    return _move(picture, np.array([[1, 0, 0], [shear, 1, -shear * (picture.shape[1] - 1) / 2]]))


def translate_x(picture: np.ndarray, level: float) -> np.ndarray:
    """Moved sideways."""
    return _move(picture, np.array([[1, 0, MOST_SHIFTED * level * picture.shape[1]], [0, 1, 0]]))


def translate_y(picture: np.ndarray, level: float) -> np.ndarray:
    """Moved up or down."""
    return _move(picture, np.array([[1, 0, 0], [0, 1, MOST_SHIFTED * level * picture.shape[0]]]))


OPERATIONS = {
    each.__name__: each
    for each in (
        identity, autocontrast, equalize, rotate, solarize, colour, posterize, contrast, brightness, sharpness,
        shear_x, shear_y, translate_x, translate_y,
    )
}  # fmt: skip


def _move(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=FILL)
