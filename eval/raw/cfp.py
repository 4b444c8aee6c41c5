"""Celebrities in Frontal-Profile (Sengupta et al., 2016): frontal with frontal, and frontal with profile pictures."""

from pathlib import Path

from common.errors import BadDataset
from eval.raw.lists import at, lines, whole_number
from eval.raw.rawset import Pair, RawSet, below, raw_set

FOLDS = 10
MAX_PICTURES = 100_000


def cfp_ff(source: Path) -> RawSet:
    """Frontal-frontal pairs, fold after fold, of each the genuine ones first.

    Args:
        source: the folder ``cfp-dataset`` with ``Data`` and ``Protocol``.

    Raises:
        BadDataset: what is missing or not in order.
    """
    return _cfp(source, "FF")


def cfp_fp(source: Path) -> RawSet:
    """Frontal-profile pairs; as ``cfp_ff``."""
    return _cfp(source, "FP")


def _cfp(source: Path, split: str) -> RawSet:
    protocol = source / "Protocol"
    frontal = _pictures(protocol / "Pair_list_F.txt")
    others = _pictures(protocol / "Pair_list_P.txt") if split == "FP" else frontal
    pairs: list[Pair] = []
    for fold in range(1, FOLDS + 1):
        for file, same in (("same.txt", True), ("diff.txt", False)):
            path = protocol / "Split" / split / f"{fold:02d}" / file
            pairs += [(first, second, same) for first, second in _numbered(path, frontal, others)]
    return raw_set(f"CFP: Split/{split}, {FOLDS} folds, {source.resolve().name}", source, pairs)


def _pictures(path: Path) -> dict[int, str]:
    """By number, where the picture lies below the data set's folder; the list says it from its own."""
    found: dict[int, str] = {}
    for number, line in lines(path):
        where = at(path, number)
        index, _, name = line.strip().partition(" ")
        if not name.strip():
            raise BadDataset(f"{where}: expected a number and a path, not {line[:80]!r}.")
        found[whole_number(index, where, "the picture's number")] = below(f"Protocol/{name.strip()}", where)
        if len(found) > MAX_PICTURES:
            raise BadDataset(f"{path} lists more than {MAX_PICTURES} pictures: that is no list of CFP.")
    return found


def _numbered(path: Path, first: dict[int, str], second: dict[int, str]) -> list[tuple[str, str]]:
    pairs = []
    for number, line in lines(path):
        where = at(path, number)
        parts = line.split(",")
        if len(parts) != 2:
            raise BadDataset(f"{where}: expected two numbers, 1,2, not {line[:80]!r}.")
        a, b = (whole_number(part.strip(), where, "the picture's number") for part in parts)
        for index, known in ((a, first), (b, second)):
            if index not in known:
                raise BadDataset(f"{where}: there is no picture {index} in the list of pictures.")
        pairs.append((first[a], second[b]))
    return pairs
