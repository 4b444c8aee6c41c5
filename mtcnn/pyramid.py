"""The image pyramid of MTCNN, laid out on one canvas so that P-Net runs once for all scales.

Everything is transposed (x runs down): that is how the public MTCNN graphs want their input.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

CELL = 12  # P-Net looks at 12x12 pixels ...
STRIDE = 2  # ... every 2 pixels
CANVAS_STEP = 8  # canvas sides are rounded up, so that similar pictures share prepared kernels


@dataclass(frozen=True)
class Level:
    """One scale: the resized picture's size and its place on the canvas (rows are the picture's columns)."""

    scale: float
    width: int
    height: int
    row: int
    column: int


@dataclass(frozen=True)
class Layout:
    """Where each level lies, and what each cell of P-Net's output map means.

    Attributes:
        shape: rows, columns of the canvas.
        levels: largest first.
        cell_level: int16 ``[map rows, map columns]``, the level a cell looks at; -1 where it looks across an edge.
    """

    shape: tuple[int, int]
    levels: tuple[Level, ...]
    cell_level: np.ndarray


@lru_cache(maxsize=64)
def layout(height: int, width: int, min_face_size: float, scale_factor: float) -> Layout | None:
    """The pyramid for pictures of one size; None where they are smaller than a face may be."""
    sizes = []
    scale = CELL / min_face_size
    while min(height, width) * scale >= CELL:
        sizes.append((scale, round(width * scale), round(height * scale)))
        scale *= scale_factor
    if not sizes:
        return None
    levels, rows, columns = _shelves(sizes)
    shape = tuple(-(-side // CANVAS_STEP) * CANVAS_STEP for side in (rows, columns))
    cell_level = np.full(((shape[0] - CELL) // STRIDE + 1, (shape[1] - CELL) // STRIDE + 1), -1, np.int16)
    for index, level in enumerate(levels):
        cells = (level.width - CELL) // STRIDE + 1, (level.height - CELL) // STRIDE + 1
        top, left = level.row // STRIDE, level.column // STRIDE
        cell_level[top : top + cells[0], left : left + cells[1]] = index
    return Layout(shape, tuple(levels), cell_level)


def _shelves(sizes: list[tuple[float, int, int]]) -> tuple[list[Level], int, int]:
    """Place the levels on shelves as tall as the first: 10 % of the canvas stays empty.

    Places are even, as those of cells are.
    """
    shelf_length = _even(sizes[0][2])
    shelves: list[list[int]] = []  # start row, depth, used length
    levels = []
    for scale, width, height in sizes:
        depth, length = _even(width), _even(height)
        shelf = next((s for s in shelves if s[2] + length <= shelf_length and depth <= s[1]), None)
        if shelf is None:
            start = shelves[-1][0] + shelves[-1][1] if shelves else 0
            shelf = [start, depth, 0]
            shelves.append(shelf)
        levels.append(Level(scale, width, height, shelf[0], shelf[2]))
        shelf[2] += length
    return levels, shelves[-1][0] + shelves[-1][1], shelf_length


def _even(value: int) -> int:
    return value + value % 2


def halvings(picture: np.ndarray, smallest: int = 24) -> list[np.ndarray]:
    """The picture and its repeated halves (means of 2x2 pixels), down to a side of ``smallest``."""
    pictures = [picture]
    while min(pictures[-1].shape[:2]) >= 2 * smallest:
        height, width = (side // 2 * 2 for side in pictures[-1].shape[:2])
        pictures.append(
            cv2.resize(pictures[-1][:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        )
    return pictures


def draw(halves: list[np.ndarray], plan: Layout) -> np.ndarray:
    """The canvas, uint8 ``[1, rows, columns, 3]``: each level is resized from the smallest half that is larger."""
    canvas = np.zeros((*plan.shape, 3), np.uint8)
    for level in plan.levels:
        source = halves[halving_for(level.scale, len(halves))]
        resized = cv2.resize(source, (level.width, level.height), interpolation=cv2.INTER_LINEAR)
        rows = slice(level.row, level.row + level.width)
        canvas[rows, level.column : level.column + level.height] = cv2.transpose(resized)
    return canvas[None]


def halving_for(scale: float, count: int) -> int:
    """Which half to read when the picture is wanted at ``scale``: the smallest that still has to be shrunk."""
    return int(np.clip(np.floor(-np.log2(scale)), 0, count - 1))
