"""What every detector returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Detections:
    """The faces of one picture, best score first.

    Attributes:
        boxes: float32 ``[n, 4]``, x1, y1, x2, y2 in pixels of the picture; may reach past its edges.
        landmarks: float32 ``[n, 5, 2]``, x, y of left eye, right eye, nose, left and right mouth corner,
            left and right as seen in the picture.
        scores: float32 ``[n]``, the detector's confidence, 0..1.
    """

    boxes: np.ndarray
    landmarks: np.ndarray
    scores: np.ndarray

    def __post_init__(self):
        for name, shape in (("boxes", (-1, 4)), ("landmarks", (-1, 5, 2)), ("scores", (-1,))):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float32).reshape(shape))
        if not len(self.boxes) == len(self.landmarks) == len(self.scores):
            raise ValueError(
                f"{len(self.boxes)} boxes, {len(self.landmarks)} sets of landmarks and {len(self.scores)} scores"
            )

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index) -> "Detections":
        """The faces of an index array, mask, slice or single index, as ``Detections`` again."""
        keep = np.atleast_1d(np.arange(len(self))[index])
        return Detections(self.boxes[keep], self.landmarks[keep], self.scores[keep])

    @classmethod
    def none(cls) -> "Detections":
        """A picture without a face."""
        return cls(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
