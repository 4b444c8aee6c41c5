"""Pictures of a set in which no face was found, as far as the record beside the set knows them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.report.galleries import Picture, thumbnail
from eval.report.words import short

if TYPE_CHECKING:
    from eval.sets import VerificationSet

MAX_NAMED = 200  # names without a picture, of each set


@dataclass(frozen=True)
class Missed:
    """Failures of detection.

    Attributes:
        count: of all of them.
        pictures: of the first, what stands in the set for the face that was not found.
        names: of the first whose pictures are not in the set.
        left_off: how many are neither shown nor named.
    """

    count: int
    pictures: list[Picture]
    names: list[str]
    left_off: int


def missed(found: "VerificationSet", most: int) -> Missed | None:
    """What is known of a set's failures of detection; None where nothing is. ``most`` pictures are shown."""
    if not found.provenance:
        return None
    names = found.provenance.missed
    places: dict[str, int] = {}
    for place, name in enumerate(found.provenance.names):
        places.setdefault(name, place)
    there = [name for name in names if name in places][:most]
    gone = [name for name in names if name not in places][:MAX_NAMED]
    pictures = [Picture(thumbnail(found.pictures[places[name]]), short(name)) for name in there]
    return Missed(len(names), pictures, list(map(short, gone)), len(names) - len(there) - len(gone))
