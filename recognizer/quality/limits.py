"""What is asked of a face."""

from dataclasses import dataclass


@dataclass(frozen=True)
class QualityLimits:
    """From where on a face falls short; None: not asked. The measures are described in ``Quality``.

    The values here are lenient: they refuse none of 35 faces of the sample photos, 63 of TV stills and 400 of the
    AT&T set, as it is and enlarged; the worst values among them stand beside the limits. Cosines are those of
    mobilefacenet's embeddings of 75 of these faces, spoilt on purpose, to the same faces unspoilt: median (lowest 5 %).
    """

    min_size: float | None = 20  # 24
    min_sharpness: float | None = 0.1  # 0.107; a blur to 0.1 leaves 0.81 (0.66), one to 0.08 leaves 0.68 (0.44)
    max_yaw: float | None = 60  # 43
    max_pitch: float | None = 60  # 34
    max_roll: float | None = 60  # 44
    min_brightness: float | None = 30  # 64; a face darkened to 28 leaves 0.93 (0.84), one to 14 leaves 0.81 (0.60)
    max_brightness: float | None = 225  # 190; 210 leaves 0.92 (0.73), 226 leaves 0.80 (0.52)
    min_contrast: float | None = 10  # 20; 9 leaves 0.85 (0.64), 4.5 leaves 0.45 (0.14)
    max_side_light: float | None = None  # 0.49
    min_score: float | None = 0.7  # 0.73


# What a camera can ask for, where another photo is had for the asking.
PORTRAIT = QualityLimits(
    min_size=100, min_sharpness=0.2, max_yaw=25, max_pitch=30, max_roll=20, min_brightness=60, max_brightness=200,
    min_contrast=20, max_side_light=0.35, min_score=0.95,
)  # fmt: skip
