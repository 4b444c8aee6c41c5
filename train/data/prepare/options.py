"""What is done with each picture."""

from dataclasses import asdict, dataclass
from typing import Any

from common.errors import BadArgument
from mtcnn.aligner import Aligner, check_framing


@dataclass(frozen=True)
class Options:
    """How pictures become training pictures.

    Attributes:
        align: find the most prominent face and cut it out; else pictures are taken as aligned already.
        size: (height, width) of the result. None, for aligned pictures only, leaves each as it is.
        quality: of JPEGs that have to be encoded, 1..100.
        detector: a key of ``mtcnn.DETECTORS``.
        accept_license: accept the licence of its weights.
        enlarge: photos are enlarged so many times before detection.
        border: and then framed by so many pixels that repeat their edges.
    """

    align: bool = False
    size: tuple[int, int] | None = None
    quality: int = 95
    detector: str = "mtcnn"
    accept_license: bool = False
    enlarge: float = 1.0
    border: int = 0

    def __post_init__(self):
        if self.align and self.size is None:
            object.__setattr__(self, "size", (112, 112))
        if self.size is not None and not all(1 <= side <= 4096 for side in self.size):
            raise BadArgument(f"size must be a height and a width of 1 to 4096 pixels, not {self.size!r}.")
        if not 1 <= self.quality <= 100:
            raise BadArgument(f"quality must be 1 to 100, not {self.quality!r}.")
        check_framing(self.enlarge, self.border)
        if not self.align and (self.enlarge != 1 or self.border):
            raise BadArgument("enlarge and border are for photos in which faces are looked for: add align.")

    def aligner(self, threads: int | None = None) -> Aligner:
        """What cuts the faces out; ``threads`` of the detector, None for all."""
        return Aligner(
            self.detector, size=self.size, enlarge=self.enlarge, border=self.border,
            accept_license=self.accept_license, threads=threads,
        )  # fmt: skip

    def to_mapping(self) -> dict[str, Any]:
        """What decides the outcome, for a recipe."""
        mapping = asdict(self)
        del mapping["accept_license"]
        return mapping
