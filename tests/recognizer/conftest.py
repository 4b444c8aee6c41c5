"""Portraits cut to what the detector needs, for speed, and a recognizer with nobody in it."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from mtcnn import create, read_picture
from recognizer import Recognizer


@pytest.fixture(scope="session")
def portraits(mtcnn_files, sample_photo):
    """obama, obama2, obama3, biden: ``uint8 [260, 260, 3]`` BGR, one face each; wall: no face."""
    names = ("obama", "obama2", "obama3", "biden")
    faces = {name: _portrait(read_picture(sample_photo(name))) for name in names}
    return SimpleNamespace(**faces, wall=np.full((200, 200, 3), 90, np.uint8))


@pytest.fixture
def recognizer(mobilefacenet_files, mtcnn_files):
    """A recognizer whose people are in memory."""
    with Recognizer(database="sqlite://") as empty:
        yield empty


@pytest.fixture(params=["sqlite", "server"])
def shared_url(request, tmp_path):
    """The URL of an empty database that several processes may use, of each engine."""
    return f"sqlite:///{tmp_path}/people.db" if request.param == "sqlite" else request.getfixturevalue("server_url")


def _portrait(picture):
    x1, y1, x2, y2 = create("mtcnn").detect_single(picture).boxes[0]
    x, y, half = (x1 + x2) / 2, (y1 + y2) / 2, 0.9 * max(x2 - x1, y2 - y1)
    cut = picture[max(0, int(y - half)) : int(y + half), max(0, int(x - half)) : int(x + half)]
    return cv2.resize(cut, (260, 260), interpolation=cv2.INTER_AREA)
