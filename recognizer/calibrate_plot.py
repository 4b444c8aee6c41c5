"""A picture of a calibration: how similar photos of one person are, and how similar strangers, with the threshold."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.errors import BadArgument
from recognizer.calibrate import Calibration

WIDTH, HEIGHT, SCALE = 1000, 520, 2  # drawn larger by SCALE, then made smaller: smooth edges
LEFT, RIGHT, TOP, BOTTOM = 40, 40, 92, 60
BARS = 200  # over -1..1
INK, FAINT, STRANGERS, SAME, BAND = (40, 40, 48), (205, 205, 212), (214, 92, 60), (46, 120, 186), (236, 232, 214)


def plot(calibration: Calibration, path: str | Path) -> None:
    """Draw both distributions, each to its own height, and write a PNG. Raises BadArgument where it cannot be."""
    image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), "white")
    draw = ImageDraw.Draw(image, "RGBA")
    first = min(_first(calibration.impostor_histogram), _first(calibration.genuine_histogram))
    axis = _Axis(first)
    _axes(draw, axis, calibration)
    _bars(draw, axis, calibration.impostor_histogram, STRANGERS)
    _bars(draw, axis, calibration.genuine_histogram, SAME)
    _legend(draw, axis, calibration)
    try:
        image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).save(path, "PNG")
    except (OSError, ValueError) as error:
        raise BadArgument(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error}).") from None


class _Axis:
    """Cosines to the right, from ``first`` to 1."""

    def __init__(self, first: float):
        self.first = first
        self.bottom = (HEIGHT - BOTTOM) * SCALE
        self.top = TOP * SCALE

    def x(self, cosine: float) -> float:
        share = (cosine - self.first) / (1 - self.first)
        return SCALE * (LEFT + share * (WIDTH - LEFT - RIGHT))


def _first(histogram: np.ndarray) -> float:
    """A tenth below the least cosine that occurs."""
    filled = np.flatnonzero(histogram)
    least = -1 + 2 * filled[0] / len(histogram) if len(filled) else 0.0
    return max(-1.0, np.floor(least * 10) / 10)


def _axes(draw: ImageDraw.ImageDraw, axis: _Axis, calibration: Calibration) -> None:
    draw.rectangle((axis.x(calibration.low), axis.top, axis.x(calibration.high), axis.bottom), BAND)
    for tenth in range(round(axis.first * 10), 11):
        x = axis.x(tenth / 10)
        draw.line((x, axis.top, x, axis.bottom), FAINT, SCALE)
        draw.text((x, axis.bottom + 8 * SCALE), f"{tenth / 10:g}", INK, _font(13), anchor="mt")
    draw.line((axis.x(axis.first), axis.bottom, axis.x(1), axis.bottom), INK, SCALE)
    draw.text((axis.x(1), axis.bottom + 30 * SCALE), "cosine", INK, _font(13), anchor="rt")


def _bars(draw: ImageDraw.ImageDraw, axis: _Axis, histogram: np.ndarray, colour: tuple[int, int, int]) -> None:
    counts = histogram.reshape(BARS, -1).sum(1)
    heights = counts / max(counts.max(), 1) * (axis.bottom - axis.top) * 0.95
    for number in np.flatnonzero(counts):
        left, right = axis.x(-1 + 2 * number / BARS), axis.x(-1 + 2 * (number + 1) / BARS)
        top = axis.bottom - max(heights[number], SCALE)  # a single pair is seen, too
        draw.rectangle((left, top, right - 1, axis.bottom), (*colour, 150))


def _legend(draw: ImageDraw.ImageDraw, axis: _Axis, calibration: Calibration) -> None:
    x = axis.x(calibration.threshold)
    draw.line((x, axis.top - 6 * SCALE, x, axis.bottom), INK, 2 * SCALE)
    label = f"threshold {calibration.threshold:.4f} ({calibration.low:.4f} to {calibration.high:.4f})"
    right = calibration.threshold > (1 + axis.first) / 2
    draw.text((x, axis.top - 10 * SCALE), label, INK, _font(14), anchor="rb" if right else "lb")
    rate = f"of which {calibration.far:.2g} are accepted"
    draw.text((LEFT * SCALE, 10 * SCALE), f"{calibration.impostor:,} pairs of strangers, {rate}", STRANGERS, _font(16))
    share = "" if calibration.tar is None else f", of which {calibration.tar:.4f} are accepted"
    text = f"{calibration.genuine:,} photos of people who have others{share}"
    draw.text((LEFT * SCALE, 32 * SCALE), text, SAME, _font(16))


def _font(size: int) -> ImageFont.ImageFont:
    return ImageFont.load_default(size * SCALE)
