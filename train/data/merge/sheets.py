"""Sheets of pairs of identities, for a person to judge where the threshold should lie."""

from collections.abc import Sequence

import numpy as np

from common.errors import BadPicture
from mtcnn.pictures import read_picture
from train.data.merge.decisions import Decisions
from train.data.merge.profiles import Profile
from train.data.sheets import Cell, sheet

PICTURES = 3  # of each identity


def pairs_sheet(profiles: Sequence[Profile], decisions: Decisions, numbers: np.ndarray) -> np.ndarray:
    """A row for each of these identities: its pictures, the cosine, and those of the one that is most similar.

    Returns:
        uint8 ``[H, W, 3]`` BGR.
    """
    cells = []
    for number in numbers:
        partner = int(decisions.partner[number])
        cells += _cells(profiles, decisions, int(number), f"{decisions.cosine[number]:.3f}  ")
        cells.append(Cell(None))
        cells += _cells(profiles, decisions, partner, "")
    return sheet(cells, 2 * PICTURES + 1, 112)


def _cells(profiles: Sequence[Profile], decisions: Decisions, number: int, prefix: str) -> list[Cell]:
    profile, identity = profiles[decisions.sources[number]], int(decisions.identities[number])
    items = profile.items_of(identity)
    chosen = items[np.linspace(0, len(items) - 1, min(PICTURES, len(items))).astype(int)]
    captions = [f"{prefix}{profile.names[identity]}", f"of {profile.title}", f"{len(items)} pictures"]
    cells = [_cell(profile, int(item), captions[place]) for place, item in enumerate(chosen)]
    return cells + [Cell(None, captions[place]) for place in range(len(cells), PICTURES)]


def _cell(profile: Profile, item: int, caption: str) -> Cell:
    try:
        return Cell(read_picture(profile.read(item)), caption)
    except BadPicture:  # it was readable when it was embedded
        return Cell(None, caption)
