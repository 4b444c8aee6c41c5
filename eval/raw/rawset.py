"""What a raw form comes to: picture files, two for each pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from common.errors import BadDataset

MAX_PAIRS = 100_000  # a .bin holds two pictures for each, and eval.bins reads 200,000
SHOWN = 3  # missing pictures that an error names
FOLDS = 10

Pair = tuple[str, str, bool]


@dataclass(frozen=True)
class RawSet:
    """Pairs of pictures that are there, in the order in which they are measured.

    Attributes:
        source: what it was made from, in words without a path: "LFW: pairs.txt, 10 folds of 300 + 300, lfw-funneled".
        root: folder of the pictures.
        names: of 2 n pictures, two for each pair, below ``root``, with slashes.
        issame: of n pairs.
    """

    source: str
    root: Path
    names: list[str]
    issame: list[bool]


def raw_set(source: str, root: Path, pairs: Sequence[Pair]) -> RawSet:
    """The set of some pairs (name, name, same).

    Raises:
        BadDataset: no pairs, too many, or pictures that are not there, of which the first are named.
    """
    if not pairs:
        raise BadDataset(f"{source}: there are no pairs.")
    require_at_most(len(pairs), source)
    names = [name for first, second, _ in pairs for name in (first, second)]
    missing = [name for name in dict.fromkeys(names) if not (root / name).is_file()]
    if missing:
        shown = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise BadDataset(f"{len(missing)} of {len(set(names))} pictures are not in {root}: {shown}")
    return RawSet(source, root, names, [same for _, _, same in pairs])


def require_at_most(pairs: int, source: str) -> None:
    """Refuse more pairs than a set may hold."""
    if pairs > MAX_PAIRS:
        raise BadDataset(f"{source}: {pairs} pairs are more than the {MAX_PAIRS} that a verification set may hold.")


def below(name: str, where: str) -> str:
    """A picture's name as a path with slashes that stays below its folder, ``..`` resolved.

    Raises:
        BadDataset: it leads out of the folder; ``where`` says which file and line named it.
    """
    parts: list[str] = []
    path = PurePosixPath(name.replace("\\", "/"))
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        elif part in ("..", "/", "//") or part[1:2] == ":" or "\0" in part:
            raise BadDataset(f"{where}: {name[:80]!r} leads out of the folder of the pictures.")
        else:
            parts.append(part)
    if not parts:
        raise BadDataset(f"{where}: the name of a picture is empty.")
    return "/".join(parts)


def in_folds(pairs: Sequence[Pair], folds: int = FOLDS) -> list[Pair]:
    """The pairs so ordered that each of ``folds`` contiguous parts has its share of genuine and of impostor pairs.

    Of the genuine ones the first part gets the first, and so on; likewise of the impostor ones.
    """
    genuine = [pair for pair in pairs if pair[2]]
    impostor = [pair for pair in pairs if not pair[2]]
    ordered: list[Pair] = []
    size, rest = divmod(len(pairs), folds)
    bounds = [number * size + min(number, rest) for number in range(folds + 1)]  # as np.array_split cuts
    before = [round(len(genuine) * bound / max(len(pairs), 1)) for bound in bounds]
    for start, stop, first, last in zip(bounds, bounds[1:], before, before[1:]):
        ordered += genuine[first:last] + impostor[start - first : stop - last]
    return ordered
