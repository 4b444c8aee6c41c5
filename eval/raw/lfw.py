"""Labeled Faces in the Wild, view 2: ten folds of 300 genuine and 300 impostor pairs.

See Huang et al., 2007, and the README of the data set for the form of ``pairs.txt``.
"""

from pathlib import Path

from common.errors import BadDataset
from eval.raw.lists import at, first_that_is, lines, whole_number
from eval.raw.rawset import Pair, RawSet, below, raw_set, require_at_most

FOLDERS = ("lfw-funneled", "lfw_funneled", "lfw", "lfw-deepfunneled", "lfw_deepfunneled")


def lfw(source: Path, *, pairs_file: Path | None = None, pictures: Path | None = None) -> RawSet:
    """The pairs of ``pairs.txt``, in its order.

    Args:
        source: a folder with ``pairs.txt`` and ``lfw-funneled`` (or another of ``FOLDERS``), or that folder itself
            with the list in it or beside it.
        pairs_file: another list of that form.
        pictures: folder of the folders of people, where it has another name.

    Raises:
        BadDataset: what is missing or not in order.
    """
    listed = pairs_file or list_beside(source, "pairs.txt")
    root = pictures or folder_of_people(source)
    folds, size, pairs = _pairs(listed)
    return raw_set(f"LFW: {listed.name}, {folds} folds of {size} + {size}, {root.resolve().name}", root, pairs)


def list_beside(source: Path, name: str) -> Path:
    """A list of the data set, in its folder or beside it."""
    return first_that_is([source / name, source.resolve().parent / name], f"{name} of LFW")


def folder_of_people(source: Path) -> Path:
    """The folder in which each person has one."""
    inside = [source / name for name in FOLDERS]
    if source.name in FOLDERS and not any(folder.is_dir() for folder in inside):
        return first_that_is([source], "folder of LFW's pictures", folder=True)
    return first_that_is(inside, "folder of LFW's pictures", folder=True)


def picture(person: str, number: int, where: str) -> str:
    """Where a person's picture lies below the folder of people."""
    return below(f"{person}/{person}_{number:04d}.jpg", where)


def _pairs(path: Path) -> tuple[int, int, list[Pair]]:
    """Numbers of folds and of genuine pairs in each, and all pairs."""
    found = lines(path)
    first, heading = next(found, (1, ""))
    parts = heading.split()
    if len(parts) == 1:  # the lists of view 1 are one fold
        parts = ["1", *parts]
    if len(parts) != 2:
        raise BadDataset(f"{at(path, first)}: expected the numbers of folds and of pairs, 10 300.")
    folds, size = (whole_number(part, at(path, first), "the number") for part in parts)
    require_at_most(2 * folds * size, str(path))
    pairs: list[Pair] = []
    for number, line in found:
        if len(pairs) == 2 * folds * size:
            raise BadDataset(f"{at(path, number)}: the {len(pairs)} pairs announced end before this line.")
        genuine = len(pairs) % (2 * size) < size
        pairs.append(_pair(line, genuine, at(path, number)))
    if len(pairs) != 2 * folds * size:
        raise BadDataset(f"{path} announces {folds} folds of {size} + {size} pairs and holds {len(pairs)} pairs.")
    return folds, size, pairs


def _pair(line: str, genuine: bool, where: str) -> Pair:
    parts = line.strip().split("\t") if "\t" in line else line.split()
    if len(parts) != (3 if genuine else 4):
        form = "NAME NUMBER NUMBER" if genuine else "NAME NUMBER NAME NUMBER"
        raise BadDataset(f"{where}: expected {form}, not {line[:80]!r}.")
    first, second = (parts[0], parts[0]) if genuine else (parts[0], parts[2])
    numbers = [whole_number(part.strip(), where, "a picture's number") for part in (parts[1], parts[-1])]
    return picture(first.strip(), numbers[0], where), picture(second.strip(), numbers[1], where), genuine
