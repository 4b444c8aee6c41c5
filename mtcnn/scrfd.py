"""SCRFD, the detector of insightface's model packs: det_10g, det_2.5g, det_500m and their kin.

Source: Guo et al., Sample and Computation Redistribution for Efficient Face Detection, 2021
(arXiv:2105.04714).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from common.errors import BadArgument, BadModel
from mtcnn.detections import Detections
from mtcnn.detector import Detector
from mtcnn.letterbox import letterbox
from mtcnn.nms import nms
from mtcnn.options import check_options
from networks.engines.openvino import OpenVINOEngine
from networks.engines.preprocess import Preprocess

STRIDES = (8, 16, 32)
ANCHORS = 2  # per cell
WIDTHS = {"score": 1, "box": 4, "landmarks": 10}
EXPECTED = Preprocess(colour="rgb", mean=127.5, scale=128.0)


class Scrfd(Detector):
    """SCRFD with five landmarks, run by OpenVINO.

    Args:
        path: an ``.onnx`` file with nine outputs: for each stride s of 8, 16 and 32, with
            n = 2 (height/s) (width/s), scores ``[n, 1]``, distances of the box's left, top, right and bottom
            side from the cell's origin ``[n, 4]`` and offsets of the landmarks ``[n, 10]``, both in strides.
            The order of the outputs and a leading dimension of 1 do not matter.
        min_face_size: faces whose box is smaller (longer side, pixels of the picture) are left out.
        threads: CPU threads; None lets OpenVINO choose.
        score_threshold: least score of a face, 0..1.
        nms_threshold: of two boxes that overlap by more (intersection over union), the better one stays.
        input_size: (height, width) that pictures are fitted into, multiples of 32. Small faces in large
            pictures need a larger one.

    Raises:
        BadModel: not a network with these outputs.
        BadArgument: an option out of its range.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        min_face_size: float = 40,
        threads: int | None = None,
        score_threshold: float = 0.5,
        nms_threshold: float = 0.4,
        input_size: tuple[int, int] = (640, 640),
    ):
        check_options(min_face_size, score_threshold, nms_threshold)
        self.min_face_size = min_face_size
        self.score_threshold = score_threshold
        self.nms_threshold = nms_threshold
        self.input_size = _checked(input_size)
        self._centres = {stride: _centres(self.input_size, stride) for stride in STRIDES}
        self._engine = _load(path, self.input_size, threads)

    def _detect(self, picture: np.ndarray) -> Detections:
        canvas, scale = letterbox(picture, self.input_size, enlarge=True)
        outputs = _by_shape(self._engine(canvas[None]))
        levels = [self._decode(outputs, stride) for stride in STRIDES]
        boxes, landmarks, scores = (np.concatenate(part) for part in zip(*levels, strict=True))
        faces = Detections(boxes / np.tile(scale, 2), landmarks / scale, scores)
        faces = faces[nms(faces.boxes, faces.scores, self.nms_threshold)]
        return faces[(faces.boxes[:, 2:] - faces.boxes[:, :2]).max(axis=1) >= self.min_face_size]

    def _decode(self, outputs: dict, stride: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes ``[k, 4]``, landmarks ``[k, 5, 2]`` and scores ``[k]`` of one stride, in canvas pixels."""
        score, box, landmarks = (outputs[shape] for shape in _shapes(self.input_size, stride))
        kept = np.flatnonzero(score[:, 0] >= self.score_threshold)
        centres = self._centres[stride][kept]
        sides = np.tile(centres, 2) + box[kept] * (np.float32([-1, -1, 1, 1]) * stride)
        points = centres[:, None] + landmarks[kept].reshape(-1, 5, 2) * stride
        return sides, points, score[kept, 0]


def _checked(size: tuple[int, int]) -> tuple[int, int]:
    sides = tuple(size) if isinstance(size, list | tuple) else ()
    whole = all(isinstance(side, int) and side > 0 and side % max(STRIDES) == 0 for side in sides)
    if len(sides) != 2 or not whole:
        raise BadArgument(f"input_size is (height, width), multiples of {max(STRIDES)}, not {size!r}.")
    return sides


def _centres(size: tuple[int, int], stride: int) -> np.ndarray:
    """x, y of every anchor on the canvas, float32 ``[n, 2]``: its cell's top left corner."""
    rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
    cells = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    return np.repeat(cells, ANCHORS, axis=0).astype(np.float32) * stride


def _shapes(size: tuple[int, int], stride: int) -> list[tuple[int, int]]:
    count = ANCHORS * (size[0] // stride) * (size[1] // stride)
    return [(count, width) for width in WIDTHS.values()]


def _by_shape(outputs: list[np.ndarray]) -> dict[tuple[int, ...], np.ndarray]:
    """Outputs by their shape without a leading batch of 1; no two of SCRFD's nine share one."""
    flat = [output[0] if output.ndim == 3 and len(output) == 1 else output for output in outputs]
    return {output.shape: output for output in flat}


def _load(path: str | Path, size: tuple[int, int], threads: int | None) -> OpenVINOEngine:
    """The engine, after one run on a black picture has shown that the outputs are SCRFD's."""
    expected = [shape for stride in STRIDES for shape in _shapes(size, stride)]
    try:
        engine = OpenVINOEngine(path, preprocess=EXPECTED, threads=threads, batched=False)
        came = _by_shape(engine(np.zeros((1, *size, 3), np.uint8)))
        reason = f"{_listed(came)} came"
    except RuntimeError as error:
        came, reason = {}, f"it cannot run: {str(error).strip().splitlines()[-1][:200]}"
    if not came.keys() >= set(expected):
        raise BadModel(
            f"{path} is not an SCRFD detector with landmarks for input_size {size[0]} x {size[1]}: outputs "
            f"{_listed(expected)} were expected; {reason}. Use a det_*.onnx of insightface, and the "
            "input_size it was exported for if that is fixed."
        )
    return engine


def _listed(shapes: Iterable[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in sorted(shapes))
