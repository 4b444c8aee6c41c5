"""Any list of pairs as CSV: ``a,b,same``."""

import csv
from pathlib import Path

from common.errors import BadDataset
from eval.raw.lists import at, is_same, lines
from eval.raw.rawset import Pair, RawSet, below, raw_set, require_at_most

HEADING = ("a", "b", "same")


def csv_pairs(source: Path, *, pictures: Path | None = None) -> RawSet:
    """The pairs of a CSV, in its order. A first line ``a,b,same`` may stand or not.

    Args:
        source: the list; same is 1 or 0 (or true, false).
        pictures: the folder that its paths are relative to; the list's own without it.

    Raises:
        BadDataset: what is not in order, with the line.
    """
    pairs: list[Pair] = []
    for number, line in lines(source):
        where = at(source, number)
        cells = _cells(line, where)
        if not pairs and tuple(cell.lower() for cell in cells) == HEADING:
            continue
        if len(cells) != 3:
            raise BadDataset(f"{where}: expected a,b,same, not {line[:80]!r}.")
        pairs.append((below(cells[0], where), below(cells[1], where), is_same(cells[2], where)))
        require_at_most(len(pairs), str(source))
    root = pictures or source.parent
    return raw_set(f"the list {source.name}, pictures of {root.resolve().name}", root, pairs)


def _cells(line: str, where: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise BadDataset(f"{where} is not CSV: {error}.") from None
