"""YuNet, the small detector of OpenCV's model zoo, run by OpenCV itself.

Source: Wu et al., YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 20, 2023;
``face_detection_yunet_2023mar.onnx``. Its authors state that it finds faces of about 10 to 300 pixels.
"""

import threading
from pathlib import Path

import cv2
import numpy as np

from common.errors import BadModel
from mtcnn.detections import Detections
from mtcnn.detector import Detector
from mtcnn.letterbox import letterbox
from mtcnn.options import check_options

CANDIDATES = 5000  # kept before non-maximum suppression, OpenCV's own default
SIZE = (640, 640)  # the file's input; OpenCV would have to reshape the graph for any other
STRIDES = (8, 16, 32)
WIDTHS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}


class YuNet(Detector):
    """YuNet through ``cv2.FaceDetectorYN`` (tried with OpenCV 4.12 and 5.0); threads take turns.

    A picture larger than 640x640 is shrunk to fit and a smaller one is padded with black, so min_face_size 40
    asks for faces of 13 pixels in a picture of 1920.

    Args:
        path: the ``.onnx`` file.
        min_face_size: faces whose box is smaller (longer side, pixels of the picture) are left out.
        threads: CPU threads of OpenCV, which counts them for the whole process; None leaves them as they are.
        score_threshold: least score of a face, 0..1: the root of class score times objectness. This default
            and the next are OpenCV's own.
        nms_threshold: of two boxes that overlap by more (intersection over union), the better one stays.

    Raises:
        BadModel: not a network with the inputs and outputs of YuNet 2023mar.
        BadArgument: an option out of its range.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        min_face_size: float = 40,
        threads: int | None = None,
        score_threshold: float = 0.9,
        nms_threshold: float = 0.3,
    ):
        check_options(min_face_size, score_threshold, nms_threshold)
        if threads is not None:
            cv2.setNumThreads(threads)
        self.min_face_size = min_face_size
        self._turn = threading.Lock()
        try:
            _check(path)
            self._network = cv2.FaceDetectorYN.create(
                str(path), "", SIZE[::-1], score_threshold, nms_threshold, CANDIDATES
            )
        except cv2.error as error:
            raise BadModel(_refusal(path, error.err or str(error))) from None

    def _detect(self, picture: np.ndarray) -> Detections:
        canvas, scale = letterbox(picture, SIZE, enlarge=False)
        with self._turn:
            rows = self._network.detect(canvas)[1]
        if rows is None:
            return Detections.none()
        corner, extent = rows[:, :2] / scale, rows[:, 2:4] / scale
        # OpenCV speaks of the person's right eye first, which is the left one in the picture: our order.
        landmarks = rows[:, 4:14].reshape(-1, 5, 2) / scale
        faces = Detections(np.hstack([corner, corner + extent]), landmarks, rows[:, 14])
        return faces[extent.max(axis=1) >= self.min_face_size]


def _check(path: str | Path) -> None:
    """Run the network once by itself: ``cv2.FaceDetectorYN`` would read past the end of too small outputs."""
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(np.zeros((1, 3, *SIZE), np.float32))
    names = [f"{kind}_{stride}" for kind in WIDTHS for stride in STRIDES]
    for name, output in zip(names, network.forward(names), strict=True):
        kind, stride = name.split("_")
        expected = (SIZE[0] // int(stride)) * (SIZE[1] // int(stride)), WIDTHS[kind]
        if output.shape[-2:] != expected or output.size != expected[0] * expected[1]:
            reason = f"output {name} is {list(output.shape)} instead of {[1, *expected]}"
            raise BadModel(_refusal(path, reason))


def _refusal(path: str | Path, reason: str) -> str:
    reason = " ".join(reason.split())[:200]
    return (
        f"{path} is not a YuNet detector that OpenCV {cv2.__version__} can run ({reason}). Expected "
        "face_detection_yunet_2023mar.onnx of OpenCV's model zoo, or a newer export of it."
    )
