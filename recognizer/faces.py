"""Faces out of pictures: found, cut out, asked whether they are live, and embedded."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mtcnn import Detections, Detector
from mtcnn.align import align
from networks import Network
from recognizer.liveness import Antispoof, Liveness


@dataclass(frozen=True, eq=False)
class Seen:
    """The faces of one picture.

    Attributes:
        size: width and height in pixels.
        detections: best first.
        crops: aligned, uint8 ``[n, 112, 112, 3]`` BGR.
        alive: of each face; None where it was not asked.
    """

    size: tuple[int, int]
    detections: Detections
    crops: np.ndarray = field(repr=False)
    alive: list[Liveness | None]

    def __len__(self) -> int:
        """The number of faces."""
        return len(self.detections)


@dataclass(frozen=True)
class FaceReader:
    """What a recognizer sees with. May be used from several threads.

    Attributes:
        detector: finds faces.
        model: embeds them; its card says how large they are cut out.
        antispoof: None: nobody asks whether they are live.
    """

    detector: Detector
    model: Network
    antispoof: Antispoof | None

    def see(self, picture: np.ndarray, detections: Detections | None = None) -> Seen:
        """The faces of a picture uint8 ``[H, W, 3]`` BGR: those that were found already, or all."""
        if detections is None:
            detections = self.detector.detect(picture)
        alive = self.antispoof(picture, detections) if self.antispoof else [None] * len(detections)
        return Seen((picture.shape[1], picture.shape[0]), detections, self.crops(picture, detections), alive)

    def crops(self, picture: np.ndarray, detections: Detections) -> np.ndarray:
        """The faces of a picture cut out and aligned: uint8 ``[n, 112, 112, 3]`` BGR."""
        return align(picture, detections.landmarks, self.model.card.input_size)

    def embed(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The embeddings float32 ``[n, d]`` of the crops of several pictures, computed together."""
        if not crops:
            return []
        embeddings = self.model.embed(np.concatenate(crops))
        return np.split(embeddings, np.cumsum([len(each) for each in crops])[:-1])
