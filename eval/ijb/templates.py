"""Templates: the pictures of a person that are compared as one."""

import numpy as np

from common.errors import BadDataset


class Templates:
    """Adds faces up to templates as they come: mean within a medium, sum over media, length 1.

    Memory: the templates only, not the faces. A face of a medium with m faces of that template counts 1 / m.

    Args:
        templates: int64 ``[n]``, the template of each face; media: int64 ``[n]``, its medium.
    """

    def __init__(self, templates: np.ndarray, media: np.ndarray):
        self.numbers, self._rows = np.unique(templates, return_inverse=True)
        _, medium = np.unique(media, return_inverse=True)
        _, groups, counts = np.unique(self._rows * (medium.max() + 1) + medium, return_inverse=True, return_counts=True)
        self._shares = (1 / counts[groups]).astype(np.float32)

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, sums: np.ndarray, start: int, faces: np.ndarray) -> None:
        """Add faces to ``sums``, float32 ``[t, d]``, one row a template.

        Args:
            start: number of the first of them; faces: float32 ``[k, d]``.
        """
        span = slice(start, start + len(faces))
        order = np.argsort(self._rows[span], kind="stable")
        rows, starts = np.unique(self._rows[span][order], return_index=True)
        sums[rows] += np.add.reduceat((faces * self._shares[span, None])[order], starts)

    def finish(self, sums: np.ndarray) -> None:
        """Scale the sums to length 1, in place.

        Raises:
            BadDataset: one is zero or not finite; names the template.
        """
        lengths = np.linalg.norm(sums, axis=1)
        wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
        if len(wrong):
            raise BadDataset(
                f"The faces of template {self.numbers[wrong[0]]} add up to nothing that has a direction: "
                "their detector scores are 0, or their embeddings cancel or overflow."
            )
        sums /= lengths[:, None]
