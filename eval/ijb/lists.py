"""The official lists as arrays: every line is checked, and the first wrong one is named with its number."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

import numpy as np

from common.errors import BadDataset
from eval.ijb.lines import blocks, lines, refuse

MOST_PICTURES = 10_000_000  # IJB-C has 469,375
MOST_PAIRS = 200_000_000  # IJB-C has 15,658,489
LARGEST = 2**31 - 1  # number of a template, medium or person

FACE = "'NAME x1 y1 ... x5 y5 SCORE', points that differ and a score of 0 or more"
MEDIUM = "'NAME TEMPLATE MEDIUM', the same names in the same order as in the list of faces"
PAIR = "'TEMPLATE TEMPLATE LABEL', templates that have pictures, and 1 (same person) or 0"
SUBJECT = "'TEMPLATE,PERSON,...', a template that has pictures and always the same person of it"


@dataclass(frozen=True)
class Faces:
    """Pictures with a face each.

    Attributes:
        names: of the files, relative to ``loose_crop/``.
        landmarks: float32 ``[n, 5, 2]``, pixels of the picture.
        scores: float32 ``[n]``, the detector's.
    """

    names: list[str]
    landmarks: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Pairs:
    """Pairs of templates.

    Attributes:
        first, second: int32 ``[n]``, rows of the templates; same: bool ``[n]``, whether they are of one person.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray


def read_faces(path: Path) -> Faces:
    """The list ``*_name_5pts_score.txt``.

    Raises:
        BadDataset: a line that is not as it must be, or a name that leads out of its folder; names the line.
    """
    names: list[str] = []
    numbers: list[np.ndarray] = []
    for number, line in lines(path):
        name, *values = line.split()
        row = _floats(values)
        if row is None or not _inside(name):
            refuse(path, number, FACE, line)
        names.append(name)
        numbers.append(row)
        _bound(path, len(names), MOST_PICTURES, "pictures")
    if not names:
        raise BadDataset(f"{path} is empty.")
    table = np.stack(numbers)
    return Faces(names, table[:, :10].reshape(-1, 5, 2), table[:, 10].copy())


def read_media(path: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The list ``*_face_tid_mid.txt``: template and medium of each picture, int64 ``[n]`` both.

    Args:
        names: of the pictures, in the order in which this list must have them.

    Raises:
        BadDataset: a line that is not as it must be, or another number of lines; names the line.
    """
    found = np.zeros((len(names), 2), np.int64)
    count = 0
    for number, line in lines(path):
        parts = line.split()
        wanted = names[count] if count < len(names) else None
        if len(parts) != 3 or parts[0] != wanted or not all(map(_is_number, parts[1:])):
            refuse(path, number, MEDIUM if wanted else f"the end, after {len(names)} pictures", line)
        found[count] = [int(part) for part in parts[1:]]
        count += 1
    if count < len(names):
        raise BadDataset(f"{path} ends after {count} of {len(names)} pictures.")
    return found[:, 0], found[:, 1]


def read_pairs(path: Path, templates: np.ndarray) -> Pairs:
    """The list ``*_template_pair_label.txt``, a portion at a time.

    Args:
        templates: int64 ``[t]``, all numbers of templates, rising.

    Raises:
        BadDataset: a line that is not as it must be, or too many, named by its number; or pairs of one kind only.
    """
    parts: list[tuple[np.ndarray, ...]] = []
    count = 0
    for first, block in blocks(path):
        parts.append(_pairs(path, first, block, templates))
        count += len(parts[-1][0])
        _bound(path, count, MOST_PAIRS, "pairs")
    if not count:
        raise BadDataset(f"{path} is empty.")
    pairs = Pairs(*(np.concatenate(column) for column in zip(*parts)))
    genuine = int(pairs.same.sum())
    if genuine in (0, count):
        raise BadDataset(f"{path} must hold pairs of both kinds, not {genuine} genuine and {count - genuine} impostor.")
    return pairs


def read_subjects(path: Path, templates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A list of a gallery or of probes, ``*.csv``: rows of its templates, each once, and their people, int64 both.

    A template stands in it once for each of its pictures. A first line of headings is passed over.

    Args:
        templates: int64 ``[t]``, all numbers of templates, rising.

    Raises:
        BadDataset: a line that is not as it must be; names the line.
    """
    known = {int(template): row for row, template in enumerate(templates)}
    people: dict[int, int] = {}
    for number, line in lines(path):
        fields = [field.strip().strip('"') for field in line.split(",")[:2]]
        if number == 1 and not any(map(_is_number, fields)):
            continue
        row = known.get(int(fields[0])) if len(fields) == 2 and all(map(_is_number, fields)) else None
        if row is None or people.setdefault(row, int(fields[1])) != int(fields[1]):
            refuse(path, number, SUBJECT, line)
    if not people:
        raise BadDataset(f"{path} holds no template.")
    return np.array(list(people), np.int64), np.array(list(people.values()), np.int64)


def _pairs(path: Path, first: int, block: list[str], templates: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows of the first and second template, and whether they are of one person, of some lines."""
    if not any(map(str.strip, block)):
        return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, bool)
    try:
        table = np.loadtxt(block, np.int64, comments=None, ndmin=2)
        rows = np.minimum(np.searchsorted(templates, table[:, :2]), len(templates) - 1)
        right = table.shape[1] == 3 and (templates[rows] == table[:, :2]).all() and np.isin(table[:, 2], (0, 1)).all()
    except ValueError:
        right = False
    if not right:
        _refuse_first(path, first, block, set(templates.tolist()))
    return rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32), table[:, 2] == 1


def _refuse_first(path: Path, first: int, block: list[str], templates: set[int]) -> NoReturn:
    for number, line in enumerate(block, first):
        parts = line.split()
        numbers = len(parts) == 3 and all(map(_is_number, parts))
        known = numbers and parts[2] in ("0", "1") and {int(part) for part in parts[:2]} <= templates
        if parts and not known:
            refuse(path, number, PAIR, line)
    raise BadDataset(f"{path}, lines {first} to {first + len(block) - 1}: expected {PAIR}.")


def _floats(values: list[str]) -> np.ndarray | None:
    """Five points and a score, None where they are not that."""
    try:
        row = [float(value) for value in values]
    except ValueError:
        return None
    points = set(zip(row[0:10:2], row[1:10:2]))
    if len(row) != 11 or len(points) < 2 or not all(abs(value) < 1e6 for value in row):
        return None  # NaN, too
    return np.array(row, np.float32) if row[10] >= 0 else None


def _inside(name: str) -> bool:
    """Whether a name stays in its folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and "\0" not in name


def _is_number(text: str) -> bool:
    return len(text) <= 10 and text.isascii() and text.isdecimal() and int(text) <= LARGEST


def _bound(path: Path, count: int, most: int, what: str) -> None:
    if count > most:
        raise BadDataset(f"{path} holds more than {most} {what}: that is no such list.")
