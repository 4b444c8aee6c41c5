"""A folder of identities, ``SOURCE/NAME/picture.jpg``: all pairs, or some drawn by chance."""

from pathlib import Path

from eval.raw.drawing import Groups, drawn, every
from eval.raw.rawset import RawSet, raw_set
from mtcnn.pictures import identity_folders


def folder(source: Path, *, pairs: int | None = None, seed: int = 0) -> RawSet:
    """Pairs of the pictures of a folder of identities.

    Args:
        source: the folder.
        pairs: how many are drawn, half of them genuine; None takes all.
        seed: of the draw.

    Raises:
        BadDataset: no such folder, or more pairs than a set may hold. BadArgument: more than can be drawn.
    """
    people = [(name, [f"{name}/{path.name}" for path in pictures]) for name, pictures in identity_folders(source)]
    groups, called = Groups.of(people), source.resolve().name
    if pairs is None:
        chosen, how = every(groups, called), "all pairs"
    else:
        chosen, how = drawn(groups, pairs, seed), f"{pairs} pairs drawn, seed {seed}"
    said = f"the folder {called}: {how} of {len(groups.names)} pictures of {len(people)} people"
    return raw_set(said, source, chosen)
