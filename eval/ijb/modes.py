"""How a picture's raw embedding becomes its part of a template: the modes N, D and F, which every result names.

Public code gives N opposite meanings. Here it is that of InsightFace's ``ijb_evals.py``: N1 scales each face to length
1, N0 keeps the length that the network gave it, which is small for bad pictures. ``eval_ijbc.py`` of arcface_torch and
``ijb_11.py`` call the kept length N1: their N1D1F1 is N0D1F1 here.
"""

import re
from dataclasses import dataclass
from itertools import product

import numpy as np

from common.errors import UnknownChoice
from networks.network import normalise


@dataclass(frozen=True)
class Mode:
    """One way to weigh faces.

    Attributes:
        normalise: N, whether each face is scaled to length 1.
        detector: D, whether it is then multiplied by the detector's score.
        flip: F, whether the raw embedding of the mirrored face is added first.
    """

    normalise: bool
    detector: bool
    flip: bool

    def __str__(self) -> str:
        return f"N{self.normalise:d}D{self.detector:d}F{self.flip:d}"

    def describe(self) -> str:
        """What it does, in words."""
        face = "f(x) + f(mirrored x)" if self.flip else "f(x)"
        length = "scaled to length 1" if self.normalise else "length kept"
        return f"{face}, {length}, {'times the detector score' if self.detector else 'without the detector score'}"

    def apply(self, raw: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """What each face adds to its template, float32 ``[n, d]``.

        Args:
            raw: float32 ``[n, s, d]``, f(x), and f(mirrored x) where s is 2.
            scores: float32 ``[n]``, the detector's.
        """
        faces = raw[:, 0] + raw[:, 1] if self.flip else raw[:, 0]
        faces = normalise(faces) if self.normalise else faces
        return faces * scores[:, None] if self.detector else faces


ALL = tuple(Mode(*flags) for flags in product((True, False), repeat=3))


def parse(text: str) -> tuple[Mode, ...]:
    """Modes of a list such as "N1D1F1,N0D1F1", or "all" eight; each once.

    Raises:
        UnknownChoice: another name.
    """
    if text == "all":
        return ALL
    found = {}
    for name in text.split(","):
        match = re.fullmatch(r"N([01])D([01])F([01])", name.strip())
        if not match:
            names = ", ".join(map(str, ALL))
            raise UnknownChoice(f"Unknown mode {name.strip()!r}. Expected all, or some of: {names}.")
        found[Mode(*(digit == "1" for digit in match.groups()))] = None
    return tuple(found)
