"""The folder that annotated copies of photos go to."""

import os
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from common.errors import BadArgument
from recognizer.draw import annotate
from recognizer.results import Recognition

MARK = "annotated by insightface-tensorflow"
JPEG_SUFFIXES = (".jpg", ".jpeg")


class AnnotatedFolder:
    """Writes annotated copies under the photos' names.

    A file that is there is replaced only if it is such a copy, of an earlier run: copies carry a mark in
    their metadata. Otherwise the copy gets another name: ``photo-annotated.jpg``, ``photo-annotated-2.jpg``.

    Args:
        folder: made where missing.
        photos: all photos of this run; none of them is ever replaced.

    Raises:
        BadArgument: the folder cannot be made.
    """

    def __init__(self, folder: Path, photos: Iterable[Path]):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadArgument(
                f"{folder} cannot be made a folder for annotated photos: {error.strerror}."
            ) from None
        self._folder = folder
        self._taken = {photo.resolve() for photo in photos}

    def write(self, photo: Path, picture: np.ndarray, recognitions: list[Recognition]) -> Path:
        """Write the annotated copy of a photo whose pixels are uint8 ``[H, W, 3]`` BGR; returns its path.

        Raises:
            BadArgument: it cannot be written.
        """
        target = next(path for path in _candidates(self._folder, photo) if self._free(path))
        image = Image.fromarray(annotate(picture, recognitions)[:, :, ::-1])
        try:
            _save(image, target)
        except OSError as error:
            raise BadArgument(f"{target} cannot be written: {error.strerror or error}.") from None
        self._taken.add(target.resolve())
        return target

    def _free(self, path: Path) -> bool:
        return path.resolve() not in self._taken and (not os.path.lexists(path) or _is_copy(path))


def _candidates(folder: Path, photo: Path) -> Iterator[Path]:
    """Names for the copy, the photo's own first; JPEG stays JPEG, and everything else becomes PNG."""
    suffix = photo.suffix if photo.suffix.lower() in (*JPEG_SUFFIXES, ".png") else f"{photo.suffix}.png"
    yield folder / f"{photo.stem}{suffix}"
    yield folder / f"{photo.stem}-annotated{suffix}"
    for number in count(2):
        yield folder / f"{photo.stem}-annotated-{number}{suffix}"


def _is_copy(path: Path) -> bool:
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            return image.info.get("comment") in (MARK, MARK.encode())
    except (OSError, SyntaxError, ValueError):
        return False


def _save(image: Image.Image, target: Path) -> None:
    """Write all of the file or nothing."""
    png = target.suffix.lower() == ".png"
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text("comment", MARK)
    options = (
        {"format": "PNG", "pnginfo": metadata} if png else {"format": "JPEG", "quality": 95, "comment": MARK}
    )
    part = target.with_name(f".{os.getpid()}.part")
    try:
        image.save(part, **options)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
