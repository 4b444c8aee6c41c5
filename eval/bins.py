"""Verification sets as InsightFace distributes them: ``lfw.bin`` and its siblings.

A file is a pickle of ``(bins, issame)`` with two pictures for each pair: pair i is bins[2 i] and bins[2 i + 1].
"""

import os
import pickle
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from common.cli.progress import counted
from common.errors import BadArgument, BadDataset, BadPicture
from common.folders import sync_folder
from eval.unpickling import Array, Refused, load
from mtcnn.pictures import read_picture

MAX_BYTES = 4 * 2**30  # of a file; the largest set in use, cfp_ff, has a tenth of a gigabyte
MAX_PICTURES = 200_000  # the largest set in use has 14,000
MAX_DECODED = 16 * 2**30
PORTION = 256  # pictures between two steps of the progress bar


@dataclass(frozen=True, eq=False)
class PairPictures:
    """The pictures of the pairs, each of them held once; it is indexed as the array ``[2 n, h, w, 3]`` would be.

    LFW's 12,000 are 7,701 different ones: fewer to decode, to hold and to embed.

    Attributes:
        different: uint8 ``[m, h, w, 3]`` BGR.
        places: int64 ``[2 n]``, which of them each is.
    """

    different: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        return self.different[self.places[key]]

    @property
    def shape(self) -> tuple[int, ...]:
        """(2 n, h, w, 3)."""
        return (len(self.places), *self.different.shape[1:])


def read_bin(path: str | os.PathLike, *, progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A verification set: pictures uint8 ``[2 n, h, w, 3]`` BGR (112x112 in all sets in use), issame bool ``[n]``.

    See ``read_pairs``, which holds pictures that come up in several pairs once.
    """
    pictures, same = read_pairs(path, progress=progress)
    _check_size(path, pictures.shape)
    return pictures[:], same


def read_pairs(path: str | os.PathLike, *, progress: bool = False) -> tuple[PairPictures, np.ndarray]:
    """A verification set: the pictures of its pairs, and issame bool ``[n]``.

    Pictures may be JPEG or PNG as bytes or as an array of bytes, or decoded, uint8 ``[h, w, 3]``, which are taken as
    BGR. Files of Python 2, and of NumPy 1 and 2, are read alike. Nothing in the file is run: see ``eval.unpickling``.

    Args:
        progress: whether to show a bar on a terminal.

    Raises:
        BadDataset: no such file, not such a file, or a picture in it that cannot be read, named by its number.
    """
    path = Path(path)
    bins, same = _parts(path, _content(path))
    numbers, places = _different(bins)
    first = _decoded(path, 0, bins[0])
    _check_size(path, (len(numbers), *first.shape))
    different = np.empty((len(numbers), *first.shape), np.uint8)

    def place(row: int) -> None:
        different[row] = _decoded(path, numbers[row], bins[numbers[row]], first.shape)

    starts = range(0, len(numbers), PORTION)
    with ThreadPoolExecutor() as pool:  # decoders leave Python's lock
        for start in counted(starts, len(starts), f"decoding {path.name}") if progress else starts:
            list(pool.map(place, range(start, min(start + PORTION, len(numbers)))))
    return PairPictures(different, places), same


def write_bin(path: str | os.PathLike, pictures: Sequence, issame: Sequence[bool]) -> None:
    """Write a verification set, whole or not at all; other tools of the field read it.

    Args:
        pictures: two for each pair: uint8 ``[h, w, 3]`` BGR, which are stored as PNG, or encoded bytes, stored as is.
        issame: one for each pair.

    Raises:
        BadArgument: not two pictures for each pair. BadPicture: one that is neither.
    """
    if len(pictures) != 2 * len(issame) or not len(issame):
        raise BadArgument(f"Two pictures for each pair are needed, not {len(pictures)} for {len(issame)} pairs.")
    content = ([_encoded(each) for each in pictures], [bool(same) for same in issame])
    path = Path(path)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            pickle.dump(content, file, protocol=4)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(0o644)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)
    sync_folder(path.parent)


def _content(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadDataset(f"No such verification set: {path}")
        if path.stat().st_size > MAX_BYTES:
            raise BadDataset(f"{path} is larger than {MAX_BYTES >> 30} GiB: that is no verification set.")
        return path.read_bytes()
    except OSError as error:
        raise BadDataset(f"{path} cannot be read: {error.strerror or error}.") from None


def _different(bins: list) -> tuple[list[int], np.ndarray]:
    """The numbers of the first of all equal items, and which of those each item is."""
    first: dict[Any, int] = {}
    numbers: list[int] = []
    places = np.empty(len(bins), np.int64)
    for number, item in enumerate(bins):
        places[number] = first.setdefault(_content_of(item), len(numbers))
        if places[number] == len(numbers):
            numbers.append(number)
    return numbers, places


def _content_of(item: Any) -> Any:
    """What two equal pictures have in common; the object itself for what is no picture, which decoding will say."""
    if isinstance(item, Array) and item.array is not None:
        return item.array.shape, item.array.dtype.str, item.array.tobytes()
    return bytes(item) if isinstance(item, bytes | bytearray) else id(item)


def _check_size(path: str | os.PathLike, shape: tuple[int, ...]) -> None:
    if np.prod(shape, dtype=np.float64) > MAX_DECODED:
        size = f"{shape[2]}x{shape[1]}"
        raise BadDataset(f"{path}: {shape[0]} pictures of {size} pixels do not fit into {MAX_DECODED >> 30} GiB.")


def _parts(path: Path, content: bytes) -> tuple[list, np.ndarray]:
    """The still encoded pictures and issame, each of the right type and number."""
    try:
        loaded = load(content)
    except Refused as refused:
        raise BadDataset(f"{path} is refused as a verification set: {refused}.") from None
    if type(loaded) not in (tuple, list) or len(loaded) != 2:
        raise BadDataset(f"{path} must hold a pair (pictures, issame), not {_kind(loaded)}.")
    bins, same = loaded
    if type(bins) not in (tuple, list) or not 0 < len(bins) <= MAX_PICTURES:
        raise BadDataset(f"{path} must hold a list of 2 to {MAX_PICTURES} pictures, not {_kind(bins)}.")
    return list(bins), _issame(path, same, len(bins))


def _issame(path: Path, same: Any, pictures: int) -> np.ndarray:
    values = same.array.reshape(-1) if isinstance(same, Array) and same.array is not None else same
    if not isinstance(values, tuple | list | np.ndarray) or 2 * len(values) != pictures:
        raise BadDataset(f"{path} holds {pictures} pictures and must hold half as many booleans, not {_kind(same)}.")
    # Looked at one by one: NumPy would unfold lists within lists, of which a few bytes can stand for billions.
    if not all(isinstance(each, bool | int | np.bool_ | np.integer) and each in (0, 1) for each in values):
        raise BadDataset(f"{path}: issame must hold booleans only.")
    return np.array([bool(each) for each in values])


def _decoded(path: Path, number: int, item: Any, shape: tuple | None = None) -> np.ndarray:
    item = item.array if isinstance(item, Array) else item
    try:
        if not isinstance(item, bytes | bytearray | np.ndarray):
            raise BadPicture(f"A picture is bytes or an array of them, not {_kind(item)}.")
        # Bytes in an array are [n], or [n, 1] in PaddlePaddle's files.
        encoded = (
            isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.shape in ((item.size,), (item.size, 1))
        )
        picture = read_picture(item.tobytes() if encoded else item)
    except BadPicture as error:
        raise BadDataset(f"{path}: picture {number}: {error}") from None
    if shape and picture.shape != shape:
        sizes = [f"{width}x{height}" for height, width, _ in (picture.shape, shape)]
        raise BadDataset(f"{path}: picture {number} has {sizes[0]} pixels and picture 0 has {sizes[1]}.")
    return picture


def _encoded(picture: Any) -> bytes:
    if isinstance(picture, bytes | bytearray):
        return bytes(picture)
    if not isinstance(picture, np.ndarray):
        raise BadPicture(f"A picture is an array or bytes, not {type(picture).__name__}.")
    return cv2.imencode(".png", read_picture(picture))[1].tobytes()


def _kind(value: Any) -> str:
    sized = f" of {len(value)}" if isinstance(value, tuple | list | bytes) else ""
    return ("an array" if isinstance(value, Array) else type(value).__name__) + sized
