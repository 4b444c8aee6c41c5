"""Draws what was recognised into a picture."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from recognizer.results import Recognition

KNOWN, STRANGER = (40, 167, 69), (214, 109, 20)  # RGB
UNKNOWN = "unknown"
# Looked for by file name in the system's font folders: Latin, Greek, Cyrillic, Arabic, Hebrew; then
# Chinese, Japanese and Korean; Indic scripts; then fonts that macOS and Windows bring.
FONTS = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc", "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "FreeSans.ttf",
    "Arial Unicode.ttf", "Arial.ttf", "msyh.ttc", "YuGothR.ttc", "malgun.ttf", "Nirmala.ttc", "segoeui.ttf",
)  # fmt: skip
NO_CHARACTER = "\U0010ffff"  # drawn as a font's sign for what it lacks


def annotate(picture: np.ndarray, recognitions: Iterable[Recognition]) -> np.ndarray:
    """A copy of a picture with boxes, landmarks and names drawn in.

    Lines and text grow with the picture. Names are written in any script for which the system has a
    font; characters that no font has become "?". Labels stay inside the picture.

    Args:
        picture: uint8 ``[H, W, 3]``, BGR.
        recognitions: faces of that picture, in its pixels.

    Returns:
        uint8 ``[H, W, 3]``, BGR.
    """
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    draw = ImageDraw.Draw(image)
    recognitions = list(recognitions)
    for recognition in recognitions:
        _mark(draw, recognition, max(1, round(min(image.size) / 300)))
    for recognition in recognitions:  # after all boxes, so that none crosses a label
        _label(draw, image.size, recognition)
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def _colour(recognition: Recognition) -> tuple[int, int, int]:
    return STRANGER if recognition.name is None else KNOWN


def _mark(draw: ImageDraw.ImageDraw, recognition: Recognition, width: int) -> None:
    left, top, right, bottom = (round(float(value)) for value in recognition.box)
    draw.rectangle((left, top, max(left, right), max(top, bottom)), outline=_colour(recognition), width=width)
    for x, y in recognition.landmarks:
        draw.ellipse(
            (x - width, y - width, x + width, y + width), fill=(255, 255, 255), outline=_colour(recognition)
        )


def _label(draw: ImageDraw.ImageDraw, size: tuple[int, int], recognition: Recognition) -> None:
    height = max(11, round(min(size) / 32))
    padding = max(1, height // 6)
    name, number = recognition.name or UNKNOWN, f" {recognition.similarity:.2f}"
    font, name = _drawable(name, height)
    text = _fitting(font, name, number, size[0] - 2 * padding)
    ascent, descent = font.getmetrics()
    wide, high = round(font.getlength(text)) + 2 * padding, ascent + descent + 2 * padding
    left, top, _, bottom = (round(float(value)) for value in recognition.box)
    x = min(max(left, 0), max(size[0] - wide, 0))
    y = top - high if top >= high else bottom
    y = min(max(y, 0), max(size[1] - high, 0))
    draw.rectangle((x, y, x + wide - 1, y + high - 1), fill=_colour(recognition))
    draw.text((x + padding, y + padding), text, font=font, fill=(255, 255, 255))


def _fitting(font: ImageFont.FreeTypeFont, name: str, number: str, width: int) -> str:
    """``name`` and ``number``, the name shortened until both fit into ``width`` pixels."""
    if font.getlength(name + number) <= width:
        return name + number
    while name and font.getlength(f"{name}...{number}") > width:
        name = name[:-1]
    return f"{name}...{number}" if name else number.strip()


def _drawable(name: str, height: int) -> tuple[ImageFont.FreeTypeFont, str]:
    """The first font that has all characters of a name, or else the most, and the name as it can draw it."""
    best, lacking = None, None
    for font in _fonts(height):
        missing = {character for character in set(name) if not _has(font, character)}
        if best is None or len(missing) < len(lacking):
            best, lacking = font, missing
        if not missing:
            break
    return best, "".join("?" if character in lacking else character for character in name)


def _fonts(height: int) -> Iterator[ImageFont.FreeTypeFont]:
    """The fonts of this system, and last the one that Pillow brings."""
    for name in FONTS:
        font = _font(name, height)
        if font:
            yield font
    yield ImageFont.load_default(height)


@lru_cache(64)
def _font(name: str, height: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, height)
    except OSError:
        return None


def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    return character.isspace() or bytes(font.getmask(character)) != bytes(font.getmask(NO_CHARACTER))
