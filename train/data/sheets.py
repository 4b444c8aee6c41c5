"""Sheets of pictures for people to look at: originals beside their aligned faces, or samples of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.errors import BadArgument, BadPicture, NoFace
from common.folders import write_whole
from mtcnn.aligner import Aligner
from mtcnn.pictures import read_picture
from train.data.prepare.options import Options
from train.data.prepare.selection import select
from train.data.sources import Source

SIDE, GAP, LINE = 144, 6, 16  # pixels: a cell, the space around it, and its caption
GROUND, INK, FADED = (255, 255, 255), (30, 30, 30), (225, 225, 225)
SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Cell:
    """A picture of a sheet.

    Attributes:
        picture: uint8 ``[H, W, 3]`` BGR of any size, or None for an empty place.
        caption: a line below it, shortened where it is too long.
    """

    picture: np.ndarray | None
    caption: str = ""


def sheet(cells: Sequence[Cell], columns: int = 4, side: int = SIDE) -> np.ndarray:
    """Cells row by row, each picture shrunk or enlarged to fit a square of ``side`` pixels; uint8 BGR."""
    rows = max(1, -(-len(cells) // columns))
    wide, high = side + 2 * GAP, side + 2 * GAP + LINE
    image = Image.new("RGB", (columns * wide, rows * high), GROUND)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(LINE - 5)
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        _draw(image, draw, font, cell, column * wide + GAP, row * high + GAP, side)
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def alignment_sheet(
    source: Source,
    options: Options,
    count: int = 10,
    seed: int = 0,
    identities: Sequence[str] = (),
    span: str | None = None,
) -> np.ndarray:
    """Photos of a source, drawn at random, each original beside its aligned face; uint8 BGR, two pairs a row.

    Without ``options.align``, the pictures alone, four a row.

    Raises:
        BadDataset: the source is damaged. BadArgument: no such identities.
    """
    if count < 1:
        raise BadArgument(f"A sheet needs at least 1 picture, not {count}.")
    names = source.identities()
    chosen = select(names, identities, span)
    items = source.items(chosen)
    drawn = np.random.default_rng(seed).permutation(len(items.labels))[:count]
    aligner = options.aligner() if options.align else None
    cells = []
    for item in np.sort(drawn):
        name = items.names[item] if items.names is not None else None
        caption = name or names[chosen[items.labels[item]]]
        cells += _cells(source, int(items.places[item]), name, caption, aligner)
    return sheet(cells)


def write_sheet(path: Path, picture: np.ndarray) -> None:
    """Write a sheet as PNG or JPEG, by the name's ending, wholly or not at all.

    Raises:
        BadArgument: another ending, or a place that cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadArgument(f"A sheet is written as {', '.join(SUFFIXES)}, not as {path.name!r}.")
    encoded = cv2.imencode(path.suffix.lower(), picture)[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encoded.tobytes())
    except OSError as error:
        raise BadArgument(f"{path} cannot be written: {error.strerror or error}.") from None


def _cells(source: Source, place: int, name: str | None, caption: str, aligner: Aligner | None) -> list[Cell]:
    try:
        picture = read_picture(source.read(place, name))
    except BadPicture:
        return [Cell(None, f"{caption}: damaged"), *([Cell(None)] if aligner else [])]
    if aligner is None:
        return [Cell(picture, caption)]
    try:
        return [Cell(picture, caption), Cell(aligner(picture).face, "aligned")]
    except NoFace:
        return [Cell(picture, caption), Cell(None, "no face found")]


def _draw(image: Image.Image, draw: ImageDraw.ImageDraw, font, cell: Cell, x: int, y: int, side: int) -> None:
    if cell.picture is None:
        draw.rectangle((x, y, x + side - 1, y + side - 1), fill=FADED)
    else:
        fitted = _fitted(cell.picture, side)
        high, wide = fitted.shape[:2]
        image.paste(Image.fromarray(fitted[:, :, ::-1]), (x + (side - wide) // 2, y + (side - high) // 2))
    draw.text((x, y + side + 2), _shortened(cell.caption, draw, font, side), fill=INK, font=font)


def _shortened(caption: str, draw: ImageDraw.ImageDraw, font, width: int) -> str:
    caption = caption.encode("utf-8", "replace").decode()  # names of files need not be valid text
    if draw.textlength(caption, font=font) <= width:
        return caption
    while caption and draw.textlength(f"{caption}...", font=font) > width:
        caption = caption[:-1]
    return f"{caption}..."


def _fitted(picture: np.ndarray, side: int) -> np.ndarray:
    scale = side / max(picture.shape[:2])
    size = tuple(max(1, round(length * scale)) for length in picture.shape[1::-1])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
