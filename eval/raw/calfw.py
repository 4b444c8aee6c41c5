"""Cross-Age and Cross-Pose LFW (Zheng et al., 2017 and 2018): one form of list, two lines for each pair.

Their lists hold the 3000 genuine pairs first. The protocol's folds are tenths of those and of the impostor pairs.
"""

from pathlib import Path

from common.errors import BadDataset
from eval.raw.lists import at, first_that_is, lines, whole_number
from eval.raw.rawset import Pair, RawSet, below, in_folds, raw_set, require_at_most

FOLDERS = ("images", "images&landmarks/images", "images&landmarks/images&landmarks/images", "aligned images")


def calfw(source: Path, *, pairs_file: Path | None = None, pictures: Path | None = None) -> RawSet:
    """The pairs of ``pairs_CALFW.txt``, fold after fold, of each the genuine ones first.

    Args:
        source: the folder ``calfw`` with the list, and ``images`` (or another of ``FOLDERS``).
        pairs_file: another list of that form.
        pictures: folder of the pictures, where it has another name.

    Raises:
        BadDataset: what is missing or not in order.
    """
    return _set("CALFW", source, pairs_file, pictures)


def cplfw(source: Path, *, pairs_file: Path | None = None, pictures: Path | None = None) -> RawSet:
    """The pairs of ``pairs_CPLFW.txt``; as ``calfw``."""
    return _set("CPLFW", source, pairs_file, pictures)


def _set(name: str, source: Path, pairs_file: Path | None, pictures: Path | None) -> RawSet:
    listed = pairs_file or first_that_is([source / f"pairs_{name}.txt"], f"list of {name}")
    folders = [source / folder for folder in FOLDERS]
    root = pictures or first_that_is(folders, f"folder of {name}'s pictures", folder=True)
    return raw_set(f"{name}: {listed.name}, {root.resolve().name}", root, in_folds(_pairs(listed)))


def _pairs(path: Path) -> list[Pair]:
    """Two lines NAME NUMBER each; a number over 0 (in CALFW the fold) marks a genuine pair."""
    pairs: list[Pair] = []
    found = lines(path)
    for number, line in found:
        first, mark = _line(line, at(path, number))
        after, next_line = next(found, (number, ""))
        second, same_mark = _line(next_line, at(path, after))
        if mark != same_mark:
            raise BadDataset(f"{at(path, after)}: the two lines of a pair must end alike, not in {mark}, {same_mark}.")
        pairs.append((first, second, mark > 0))
        require_at_most(len(pairs), str(path))
    return pairs


def _line(line: str, where: str) -> tuple[str, int]:
    name, _, mark = line.strip().rpartition(" ")
    if not name.strip():
        raise BadDataset(f"{where}: expected a picture's name and a number, not {line[:80]!r}.")
    return below(name.strip(), where), whole_number(mark, where, "the number after the picture's name", 0)
