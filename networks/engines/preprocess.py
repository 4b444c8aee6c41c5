"""What every engine can do to pictures inside its graph."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preprocess:
    """From uint8 BGR pictures to what a network expects: it sees ``(x - mean) / scale``, RGB or BGR.

    Attributes:
        colour: "rgb" or "bgr".
        mean, scale: of 0..255 values.
    """

    colour: str
    mean: float
    scale: float
