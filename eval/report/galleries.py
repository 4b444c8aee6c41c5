"""The pairs a model judges wrong, the worst first, with small pictures of them."""

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from eval.protocols.verification import Verification
from eval.report.words import short

SIDE = 96  # pixels, the longer one
QUALITY = 78  # 2 to 4 KB a picture


@dataclass(frozen=True)
class Picture:
    """A ``data:`` address of a small picture, and its name, empty where it is not known."""

    address: str
    name: str


@dataclass(frozen=True)
class Pair:
    """A pair of a gallery: its number in the set, its cosine and its two pictures."""

    number: int
    similarity: float
    pictures: tuple[Picture, Picture]


@dataclass(frozen=True)
class Gallery:
    """Mistakes of one kind: ``count`` of ``total`` pairs of a ``kind``, and the worst of them."""

    title: str
    kind: str
    count: int
    total: int
    pairs: list[Pair]


def galleries(
    verification: Verification, pictures: np.ndarray, names: list[str] | None, most: int
) -> tuple[Gallery, Gallery]:
    """False positives and false negatives, at most ``most`` pairs shown of each.

    Args:
        pictures: uint8 ``[2 n, h, w, 3]`` BGR; names: of each, None where they are not known.
    """
    false_positives, false_negatives = mistakes(verification)
    genuine = int(verification.issame.sum())
    impostor = len(verification.issame) - genuine

    def pairs(numbers: np.ndarray) -> list[Pair]:
        return [_pair(int(number), verification, pictures, names) for number in numbers[:most]]

    return (
        Gallery("False positives", "impostor", len(false_positives), impostor, pairs(false_positives)),
        Gallery("False negatives", "genuine", len(false_negatives), genuine, pairs(false_negatives)),
    )


def mistakes(verification: Verification) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the pairs on the wrong side of ``verification.threshold``, one threshold for all of them.

    Returns:
        Impostor pairs above it, the most similar first; genuine pairs not above it, the least similar first.
    """
    similarities, same = verification.similarities, verification.issame
    above = similarities > verification.threshold
    rising, falling = (np.argsort(sign * similarities, kind="stable") for sign in (1, -1))
    return falling[(above & ~same)[falling]], rising[(~above & same)[rising]]


def thumbnail(picture: np.ndarray) -> str:
    """A picture uint8 ``[h, w, 3]`` BGR as the address of a small JPEG."""
    scale = SIDE / max(picture.shape[:2])
    if scale < 1:
        size = [max(round(side * scale), 1) for side in picture.shape[1::-1]]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
    return data_address("image/jpeg", encoded)


def data_address(kind: str, content: bytes) -> str:
    """A file as an address that holds it whole."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _pair(number: int, verification: Verification, pictures: np.ndarray, names: list[str] | None) -> Pair:
    first, second = (
        Picture(thumbnail(pictures[place]), short(names[place]) if names else "")
        for place in (2 * number, 2 * number + 1)
    )
    return Pair(number, float(verification.similarities[number]), (first, second))
