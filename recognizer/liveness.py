"""Whether a face is a person before the camera, or a picture of one: the public network ``antispoof``.

Crop, feeding and rules are those of the app that the network comes from
(syaringan357/Android-MobileFaceNet-MTCNN-FaceAntiSpoofing, commit d635649e). See docs/quality.md for what was, and
what could not be, found out about it.
"""

import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from common.errors import BadModel
from mtcnn import Detections, Picture, read_picture
from networks import zoo
from networks.engines import ENGINES
from networks.engines.preprocess import Preprocess

NAME = "antispoof"
SIDE, LEAVES = 256, 8  # pixels of the network's input; leaves of its decision tree
EDGE = 50  # grey values that the Laplacian of a pixel must exceed to count as detail
_loaded: dict[int | None, Any] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class LivenessLimits:
    """From where on a face is not taken for live; None: not asked.

    Attributes:
        max_score: a face below it is live.
        min_sharpness: pixels with detail; with fewer, the app does not ask the network.
    """

    max_score: float | None = 0.2
    min_sharpness: float | None = 1000


@dataclass(frozen=True)
class Liveness:
    """What is known of whether a face is live.

    Attributes:
        live: whether it is taken for a person before the camera.
        score: what the network says, about 0 (live) to 1 (a picture of a face).
        sharpness: pixels, of 256x256, whose Laplacian exceeds 50.
        reason: why it is not taken for live; None where it is.
    """

    live: bool
    score: float
    sharpness: int
    reason: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"live": self.live, "score": round(self.score, 4), "sharpness": self.sharpness, "reason": self.reason}


class Antispoof:
    """The network and the limits. Safe to call from several threads; the network is loaded once per process.

    Args:
        limits: ``LivenessLimits()`` when None.
        threads: CPU threads, None for all.

    Raises:
        FetchFailed, ChecksumMismatch: the network cannot be had. BadModel: it is not the one it should be.
    """

    def __init__(self, limits: LivenessLimits | None = None, threads: int | None = None):
        self.limits = limits or LivenessLimits()
        self._engine = _engine(threads)

    def __call__(self, img: Picture, detections: Detections) -> list[Liveness]:
        """What is known of each face that was found in a picture; about 0.1 s of one core for each."""
        if not len(detections):
            return []
        picture = read_picture(img)
        crops = np.stack([crop(picture, *face) for face in zip(detections.boxes, detections.landmarks)])
        classes, leaf = self._engine(crops)
        scores = np.sum(np.abs(classes) * leaf, axis=1)
        return [self._judged(float(score), sharpness(each)) for score, each in zip(scores, crops)]

    def _judged(self, score: float, detail: int) -> Liveness:
        limits = self.limits
        reason = None
        if limits.min_sharpness is not None and detail < limits.min_sharpness:
            reason = f"not sharp enough to tell whether it is live ({detail}; at least {limits.min_sharpness:g})"
        elif limits.max_score is not None and not score < limits.max_score:
            reason = f"looks like a picture of a face (score {score:.3f}; live below {limits.max_score:g})"
        return Liveness(reason is None, score, detail, reason)


def crop(picture: np.ndarray, box: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The square around a face, turned so that the eyes are level: uint8 ``[256, 256, 3]`` BGR.

    As the app does it, but that the face is turned about the middle of the square, where the app turns the whole
    picture and detects again.

    Args:
        picture: uint8 ``[H, W, 3]`` BGR.
        box: float ``[4]``. landmarks: float ``[5, 2]``.
    """
    x, y, side = _square(box, picture.shape)
    across, down = (float(value) for value in landmarks[1] - landmarks[0])
    angle = np.degrees(np.arctan(down / across)) if across else 0.0
    middle = np.array([x, y]) - 0.5  # from edges of pixels to their middles: half a pixel moves the score
    turned = cv2.getRotationMatrix2D(tuple(middle), float(angle), SIDE / side)
    turned[:, 2] += (SIDE - 1) / 2 - middle
    return cv2.warpAffine(picture, turned, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def sharpness(face: np.ndarray) -> int:
    """How many pixels of a crop uint8 ``[256, 256, 3]`` BGR have a Laplacian above 50: the app's measure."""
    grey = (face @ np.array([0.11, 0.59, 0.3], np.float32)).astype(np.int16).astype(np.float32)
    return int((cv2.Laplacian(grey, cv2.CV_32F)[1:-1, 1:-1] > EDGE).sum())


def _square(box: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Middle and side of the box made square; what lies outside the picture is cut off on two sides alike."""
    x1, y1, x2, y2 = (float(value) for value in box)
    wider = (y2 - y1) - (x2 - x1)
    x1, x2 = x1 - max(wider, 0) / 2, x2 + max(wider, 0) / 2
    y1, y2 = y1 - max(-wider, 0) / 2, y2 + max(-wider, 0) / 2
    start = max(-x1, -y1, 0.0)
    end = max(x2 - shape[1], y2 - shape[0], 0.0)
    side = max(x2 - x1 - start - end, 1.0)
    return x1 + start + side / 2, y1 + start + side / 2, side


def _engine(threads: int | None) -> Any:
    with _lock:
        if threads not in _loaded:
            card = zoo.entry(NAME).card
            preprocess = Preprocess(card.colour, card.mean, card.scale)
            engine = ENGINES["openvino"](zoo.pull(NAME)["model"], preprocess=preprocess, threads=threads)
            if engine.output_shapes != [(None, LEAVES)] * 2:
                raise BadModel(f"{NAME} has outputs {engine.output_shapes}, not two of {LEAVES} numbers.")
            _loaded[threads] = engine
        return _loaded[threads]
