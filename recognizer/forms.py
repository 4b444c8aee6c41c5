"""The forms in which callers hand over pictures and people."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from common.errors import BadArgument, BadEmbedding, NothingEnrolled
from mtcnn.pictures import Picture, picture_files
from networks.network import normalise


@dataclass(frozen=True)
class NamedPicture:
    """A picture for enrolment that says itself what it is called.

    Attributes:
        picture: as ever: a path, encoded bytes, or an array.
        source: its name in reports and in the database.
    """

    picture: Picture = field(repr=False)
    source: str


Pictures: TypeAlias = Picture | NamedPicture | Iterable[Picture | NamedPicture]
ONE = (str, PathLike, bytes, bytearray, memoryview)  # iterable, and yet one picture


def is_many(img: Any) -> bool:
    """Whether several pictures were handed over: an iterable of them, or a 4-dimensional array."""
    if isinstance(img, np.ndarray):
        return img.ndim == 4
    return isinstance(img, Iterable) and not isinstance(img, ONE)


def each(img: Pictures, function: Callable[[Picture], Any]) -> Any:
    """``function`` of a picture, or the list of its values over several."""
    return [function(one) for one in as_list(img)] if is_many(img) else function(img)


def are_embeddings(given: list) -> bool:
    """Whether a person's list holds ready embeddings, float ``[d]`` or ``[n, d]``, instead of pictures."""
    return bool(given) and all(
        isinstance(one, np.ndarray) and one.ndim <= 2 and np.issubdtype(one.dtype, np.floating) for one in given
    )


def people_and_pictures(name, imgs) -> list[tuple[str, list[Picture]]]:
    """The forms in which people are handed over, as a list of (name, pictures).

    Args:
        name: a person's name, with ``imgs`` one picture or several; or, with ``imgs`` None, a mapping
            ``{name: pictures}`` or the path of a facebank folder with one folder of pictures per person.

    Raises:
        BadArgument: none of these.
        NothingEnrolled: a facebank without people.
    """
    if isinstance(name, Mapping):
        if imgs is not None:
            raise BadArgument("Give either a name and its pictures, or one mapping {name: pictures}.")
        return [(person, as_list(pictures)) for person, pictures in name.items()]
    if imgs is not None:
        return [(name, as_list(imgs))]
    if isinstance(name, (str, PathLike)) and os.path.isdir(name):  # noqa: PTH112 (no error on any text)
        return facebank(Path(name))
    raise BadArgument(f"{str(name)[:80]!r} is no facebank folder. Give a name and its pictures, or such a folder.")


def facebank(folder: Path) -> list[tuple[str, list[Picture]]]:
    """``FOLDER/NAME/*.jpg`` as (name, pictures), in the order of the names; hidden folders are passed over."""
    if not folder.is_dir():
        raise BadArgument(f"No such folder: {folder}")
    try:
        people = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = [(path.name, list(picture_files(path))) for path in people]
    except OSError as error:
        raise BadArgument(f"{error.filename} cannot be read: {error.strerror}.") from None
    if not found:
        raise NothingEnrolled(f"{folder} has no folders. Expected one per person: {folder}/NAME/photo.jpg")
    return found


def as_list(imgs: Pictures) -> list[Picture]:
    """One picture or several, as a list."""
    return list(imgs) if is_many(imgs) else [imgs]


def picture_and_source(img: Picture | NamedPicture, number: int) -> tuple[Picture, str]:
    """A picture, and what it is called: by itself, by its path, or by its place in the call."""
    if isinstance(img, NamedPicture):
        return img.picture, img.source
    return img, str(img) if isinstance(img, (str, PathLike)) else f"picture {number}"


def ready_rows(embeddings: Sequence[np.ndarray], dimension: int) -> np.ndarray:
    """Embeddings of a caller, each ``[d]`` or ``[n, d]`` and of any length, as rows float32 ``[n, d]`` of length 1.

    Raises:
        BadEmbedding: of another dimension, not finite, or zero.
    """
    for given in embeddings:
        if given.ndim == 0 or given.shape[-1] != dimension or given.size == 0:
            raise BadEmbedding(f"Expected embeddings [n, {dimension}], got {list(given.shape)}.")
    rows = np.concatenate([np.atleast_2d(given) for given in embeddings]).astype(np.float32)
    if not np.isfinite(rows).all() or not rows.any(axis=1).all():
        raise BadEmbedding("Embeddings must be finite and not zero; nothing was stored.")
    return normalise(rows)
