"""Labeled Faces in the Wild, unrestricted: pairs drawn within each of the ten sets of people of ``people.txt``."""

from collections.abc import Iterator
from pathlib import Path

from common.errors import BadArgument, BadDataset
from eval.raw.drawing import Groups, drawn
from eval.raw.lfw import folder_of_people, list_beside, picture
from eval.raw.lists import at, lines, whole_number
from eval.raw.rawset import Pair, RawSet, raw_set

MAX_PICTURES = 1_000_000
People = list[tuple[str, list[str]]]


def lfw_people(
    source: Path, *, pairs_file: Path | None = None, pictures: Path | None = None, pairs: int = 6000, seed: int = 0
) -> RawSet:
    """Pairs drawn by chance, as many from each set of people; no person is in two folds.

    Args:
        source: a folder with ``people.txt`` and ``lfw-funneled`` (or another of ``eval.raw.lfw.FOLDERS``).
        pairs_file: another list of people of that form.
        pictures: folder of the folders of people, where it has another name.
        pairs: how many, half of them genuine; as many from each set.
        seed: of the draw.

    Raises:
        BadDataset: what is missing or not in order. BadArgument: pairs that cannot be shared out, or had.
    """
    listed = pairs_file or list_beside(source, "people.txt")
    root = pictures or folder_of_people(source)
    sets = people(listed)
    if pairs < 1 or pairs % (2 * len(sets)):
        raise BadArgument(f"pairs must be a multiple of {2 * len(sets)}, not {pairs}: each set gives as many.")
    chosen: list[Pair] = []
    for number, members in enumerate(sets):
        chosen += drawn(Groups.of(members), pairs // len(sets), seed + number, folds=1)
    said = f"LFW: {listed.name}, {pairs} pairs drawn within {len(sets)} sets of people, seed {seed}"
    return raw_set(f"{said}, {root.resolve().name}", root, chosen)


def people(path: Path) -> list[People]:
    """The sets of people of a ``people.txt``: of each person the name and the pictures, below the folder of people.

    Raises:
        BadDataset: it is not in order; names the line.
    """
    found = lines(path)
    where, heading = _next(found, path)
    sets: list[People] = []
    pictures = 0
    for _ in range(whole_number(heading.strip(), where, "the number of sets")):
        where, size = _next(found, path)
        members: People = []
        for _ in range(whole_number(size.strip(), where, "the number of people")):
            where, line = _next(found, path)
            person, _, count = line.partition("\t") if "\t" in line else line.rpartition(" ")
            own = whole_number(count.strip(), where, "NAME NUMBER expected: the number of pictures")
            pictures += own
            if pictures > MAX_PICTURES:
                raise BadDataset(f"{path} lists more than {MAX_PICTURES} pictures: that is no list of people.")
            members.append((person, [picture(person.strip(), each, where) for each in range(1, own + 1)]))
        sets.append(members)
    rest = next(found, None)
    if rest:
        raise BadDataset(f"{at(path, rest[0])}: the {len(sets)} sets announced end before this line.")
    return sets


def _next(found: Iterator[tuple[int, str]], path: Path) -> tuple[str, str]:
    """How errors name the next line, and the line."""
    following = next(found, None)
    if following is None:
        raise BadDataset(f"{path} ends before all people that it announces are listed.")
    return at(path, following[0]), following[1]
