"""AgeDB-30 (Moschoglou et al., 2017): pairs of pictures that lie 30 years apart.

Its authors give the protocol as a MATLAB file, ``04_FINAL_protocol_30_years.mat``, to those who ask for the data;
lists of the same pairs as text go round as well.
"""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

from common.errors import BadDataset, MissingDependency
from eval.raw.lists import MAX_BYTES, at, first_that_is, is_same, lines
from eval.raw.rawset import Pair, RawSet, below, raw_set, require_at_most

LISTS = ("04_FINAL_protocol_30_years.mat", "agedb_30_pair.txt", "agedb_30_pairs.txt", "pairs.txt")
FOLDERS = ("03_Protocol_Images", "AgeDB", "images")
HEADER = 128  # bytes of a MATLAB file before its elements, each with a kind and a size in front
COMPRESSED = 15
MAX_UNPACKED = 64 * 2**20  # the 6000 pairs take five


def agedb_30(source: Path, *, pairs_file: Path | None = None, pictures: Path | None = None) -> RawSet:
    """The pairs of the protocol, in its order.

    Args:
        source: a folder with one of ``LISTS`` and the pictures in one of ``FOLDERS``, or directly in it.
        pairs_file: another list: the ``.mat``, or text with a line ``A B SAME`` each, separated by spaces, tabs or
            commas. Names may lack ``.jpg``.
        pictures: folder of the pictures, where it has another name.

    Raises:
        BadDataset: what is missing or not in order. MissingDependency: the ``.mat`` needs SciPy.
    """
    listed = pairs_file or first_that_is([source / name for name in LISTS], "list of AgeDB's pairs")
    root = pictures or first_that_is([*(source / name for name in FOLDERS), source], "AgeDB's pictures", folder=True)
    pairs = _of_matlab(listed) if listed.suffix == ".mat" else _of_text(listed)
    return raw_set(f"AgeDB-30: {listed.name}, {root.resolve().name}", root, pairs)


def _of_text(path: Path) -> list[Pair]:
    pairs: list[Pair] = []
    for number, line in lines(path):
        where = at(path, number)
        parts = line.replace(",", " ").split()
        if len(parts) != 3:
            raise BadDataset(f"{where}: expected A B SAME, not {line[:80]!r}.")
        pairs.append((_name(parts[0], where), _name(parts[1], where), is_same(parts[2], where)))
        require_at_most(len(pairs), str(path))
    return pairs


def _of_matlab(path: Path) -> list[Pair]:
    """``splits`` is a column of cells, one for each fold, in each a structure of 2 x n pictures and n labels."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise MissingDependency(f"{path.name} needs SciPy: pip install scipy. Or give the pairs as text.") from None
    content = _content(path)
    try:
        _refuse_bombs(content)
        folds = loadmat(io.BytesIO(content), variable_names=["splits"])["splits"].reshape(-1)
        return [pair for fold in folds for pair in _of_fold(fold, f"{path}, a fold")]
    except BadDataset:
        raise
    except Exception as error:  # SciPy raises nearly anything on a damaged file, and so does one of another form
        raise BadDataset(f"{path} is not AgeDB's protocol: {type(error).__name__}: {str(error)[:100]}.") from None


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise BadDataset(f"{path} is missing.")
    if path.stat().st_size > MAX_BYTES:
        raise BadDataset(f"{path} is larger than {MAX_BYTES >> 20} MB: that is no list of pairs.")
    return path.read_bytes()


def _refuse_bombs(content: bytes) -> None:
    """Refuse a file whose compressed parts unpack to more than a list of pairs takes."""
    place, left = HEADER, MAX_UNPACKED
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<II", content, place)
        if kind == COMPRESSED:
            left -= len(zlib.decompressobj().decompress(content[place + 8 : place + 8 + size], left + 1))
        if left < 0:
            raise ValueError(f"it unpacks to more than {MAX_UNPACKED >> 20} MB")
        place += 8 + size


def _of_fold(fold: Any, where: str) -> list[Pair]:
    pictures, labels = fold.reshape(-1)[0].item()[:2]
    first, second = ([_matlab_name(each, where) for each in row] for row in pictures)
    return [(a, b, int(label) > 0) for a, b, label in zip(first, second, labels.reshape(-1), strict=True)]


def _matlab_name(cell: Any, where: str) -> str:
    """The name of a picture out of a cell with the structure (name, age)."""
    return _name(str(cell.reshape(-1)[0].item()[0].reshape(-1)[0]), where)


def _name(text: str, where: str) -> str:
    return below(text if text.lower().endswith((".jpg", ".jpeg", ".png")) else f"{text}.jpg", where)
