"""Small made-up datasets for the tests here."""

import cv2
import numpy as np


def jpeg(seed, side=40, quality=95):
    """A JPEG of coloured noise, another for each seed."""
    small = np.random.default_rng(seed).integers(0, 255, (side // 8, side // 8, 3), np.uint8)
    return cv2.imencode(".jpg", cv2.resize(small, (side, side)), [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def folder(path, counts, side=40):
    """Identities p1, p2... with so many pictures each; {name: bytes} of what was written."""
    written = {}
    for person, count in enumerate(counts, 1):
        (path / f"p{person}").mkdir(parents=True)
        for number in range(1, count + 1):
            name = f"p{person}/{number}.jpg"
            written[name] = jpeg(1000 * person + number, side)
            (path / name).write_bytes(written[name])
    return written
