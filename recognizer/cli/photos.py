"""From what is named on the command line to photos."""

from collections.abc import Iterable
from pathlib import Path

from common.errors import BadArgument
from mtcnn.pictures import SUFFIXES, picture_files


def expand(places: Iterable[Path]) -> list[Path]:
    """The photos of a command line: files as they are named, folders as the pictures directly in them.

    Raises:
        BadArgument: a folder without pictures, or one that cannot be read.
    """
    return [photo for place in places for photo in (_in_folder(place) if place.is_dir() else [place])]


def _in_folder(folder: Path) -> list[Path]:
    try:
        photos = picture_files(folder)
    except OSError as error:
        raise BadArgument(f"{folder} cannot be read: {error.strerror}.") from None
    if not photos:
        raise BadArgument(f"{folder} holds no pictures. Expected files that end in {', '.join(SUFFIXES)}.")
    return photos
