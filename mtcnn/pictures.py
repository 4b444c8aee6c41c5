"""Photos in: whatever people have on disk becomes ``uint8 [H, W, 3]`` BGR, or one clear error."""

import io
import os
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from common.errors import BadArgument, BadDataset, BadPicture, FaceError
from common.folders import natural

Picture: TypeAlias = str | os.PathLike | bytes | np.ndarray

# Decoders that parse pixels only; Pillow's full list would start Ghostscript for an EPS file.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".avif")
MAX_PIXELS = 120_000_000  # 360 MB decoded; the largest phone sensor has 108 million
MAX_SIDE = 32_000  # cv2.remap counts rows and columns in 16 bits
REMEDY = "Shrink it, or set RECOGNIZER_MAX_PIXELS."


def read_picture(img: Picture) -> np.ndarray:
    """A picture as ``uint8 [H, W, 3]``, BGR.

    EXIF orientation is applied, transparency is laid on white, grey is expanded, 16 bit is scaled, CMYK is converted.
    Arrays are taken as OpenCV gives them: ``[H, W]``, ``[H, W, 1]``, BGR or BGRA, uint8 or uint16.

    Args:
        img: path, encoded bytes, or array.

    Raises:
        BadPicture: missing, empty, truncated, of no known format, too large (``RECOGNIZER_MAX_PIXELS`` moves the
            limit of 120 million pixels), or an array of another type or shape.
    """
    if isinstance(img, np.ndarray):
        return _from_array(np.asarray(img))  # not a matrix or masked array, which reshape in ways of their own
    if isinstance(img, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(img), f"the picture ({len(img)} bytes)")
    if isinstance(img, (str, os.PathLike)):
        return _from_path(Path(img))
    raise BadPicture(f"A picture is a path, bytes or a NumPy array, not {type(img).__name__}.")


def picture_files(folder: str | os.PathLike) -> list[Path]:
    """The picture files directly in a folder, by suffix, sorted by name; hidden files are passed over."""
    return sorted(
        path
        for path in Path(folder).iterdir()
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def identity_folders(folder: str | os.PathLike) -> list[tuple[str, list[Path]]]:
    """``FOLDER/NAME/picture.jpg`` as (name, pictures); both in natural order, s2 before s10; hidden ones passed over.

    Raises:
        BadDataset: no such folder, or none of a person in it.
    """
    folder = Path(folder)
    try:
        people = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        found = [
            (path.name, sorted(picture_files(path), key=lambda each: natural(each.name)))
            for path in sorted(people, key=lambda each: natural(each.name))
        ]
    except OSError as error:
        raise BadDataset(f"{error.filename} cannot be read: {error.strerror}.") from None
    if not found:
        raise BadDataset(f"{folder} holds no folder of an identity. Expected {folder}/NAME/picture.jpg.")
    return found


def _from_path(path: Path) -> np.ndarray:
    try:
        if path.is_dir():
            raise BadPicture(f"{path} is a folder, not a picture.")
        if not path.is_file():  # a pipe or device could block or never end
            raise BadPicture(f"{path} is not a regular file." if path.exists() else f"No such picture: {path}")
        with path.open("rb") as file:
            return _decode(file, str(path))
    except OSError as error:
        raise BadPicture(f"{path} cannot be read: {error.strerror or error}.") from None


def _decode(file, name: str) -> np.ndarray:
    from PIL import AvifImagePlugin, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401

    if Image.MAX_IMAGE_PIXELS is not None:  # Pillow's own limit, for the whole process: never lowered
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels())
    try:
        image = Image.open(file, formats=FORMATS)
        _check_size(*image.size, name)
        image.load()
        return _to_bgr(ImageOps.exif_transpose(image), name)
    except FaceError:
        raise
    except UnidentifiedImageError:
        raise BadPicture(f"{name} is not a picture. Expected one of: {', '.join(FORMATS)}.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadPicture(f"{name} has too many pixels; at most {max_pixels()} are read. {REMEDY}") from None
    except Exception as error:  # decoders and metadata parsers raise nearly anything on a damaged file
        raise BadPicture(f"{name} is damaged or cut short ({str(error)[:120]}).") from None


def _check_size(width: int, height: int, name: str) -> None:
    limit = max_pixels()
    if width * height > limit or max(width, height) > MAX_SIDE:
        raise BadPicture(
            f"{name} has {width}x{height} pixels; at most {limit} in all and {MAX_SIDE} a side are read. {REMEDY}"
        )


def max_pixels() -> int:
    """The most pixels a picture may have, from ``RECOGNIZER_MAX_PIXELS`` or 120 million."""
    text = os.environ.get("RECOGNIZER_MAX_PIXELS", "")
    if not text:
        return MAX_PIXELS
    if not text.isdecimal() or int(text) < 1:
        raise BadArgument(f"RECOGNIZER_MAX_PIXELS must be a positive whole number, not {text!r}.")
    return int(text)


def _to_bgr(image, name: str) -> np.ndarray:
    mode = image.mode
    if mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        wide = np.asarray(image).astype(np.int64)
        return _from_array(np.clip(wide, 0, 65535).astype(np.uint16))
    if mode == "F":
        raise BadPicture(f"{name} holds floating-point values; expected 8 or 16 bits a channel.")
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _from_array(cv2.cvtColor(np.asarray(image.convert("RGBA")), cv2.COLOR_RGBA2BGRA))
    if mode in ("1", "L"):
        return _from_array(np.asarray(image.convert("L")))
    return cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.dtype not in (np.uint8, np.uint16):
        raise BadPicture(f"A picture's array must be uint8 or uint16, not {array.dtype}; scale it to 0..255 first.")
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        expected = "[H, W], [H, W, 1], [H, W, 3] or [H, W, 4]"
        raise BadPicture(f"A picture's array must be {expected}, not {list(array.shape)}.")
    _check_size(array.shape[1], array.shape[0], "The array")
    if array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)
    if array.shape[2] == 4:
        array = _on_white(array)
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array)


def _on_white(bgra: np.ndarray) -> np.ndarray:
    alpha = bgra[:, :, 3:].astype(np.uint16)
    return ((bgra[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
