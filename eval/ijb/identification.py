"""IJB 1:N: the mixed probes searched in each of the two galleries.

The galleries share no person. Who is in the other one is a stranger to this one, so that every probe is searched twice:
once as mated and once as not. FPIR counts searches of strangers, each by its most similar template.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import BadDataset
from eval.protocols.identification import FPIRS, RANKS, Identification, identification


@dataclass(frozen=True)
class Search:
    """What searching both galleries gave.

    Attributes:
        galleries: name -> what searching it gave.
        rank: by k (1, 5, 10), share of all mated searches whose person is among the k most similar.
        tpir: by FPIR (0.1, 0.01), mean of the galleries; None where one has too few strangers.
    """

    galleries: dict[str, Identification]
    rank: dict[int, float]
    tpir: dict[float, float | None]


@dataclass(frozen=True)
class Subjects:
    """Templates of a gallery or of probes: ``path`` is their list, ``rows`` and ``people`` int64 ``[n]``."""

    path: Path
    rows: np.ndarray
    people: np.ndarray


def search(templates: np.ndarray, galleries: dict[str, Subjects], probes: Subjects) -> Search:
    """Search all probes in each gallery.

    Args:
        templates: float32 ``[t, d]`` of length 1.

    Raises:
        BadArgument: no probe's person is in a gallery; ``require_common`` says it earlier and better.
    """
    found = {
        name: identification(templates[gallery.rows], gallery.people, templates[probes.rows], probes.people)
        for name, gallery in galleries.items()
    }
    mated = sum(each.mated for each in found.values())
    rank = {k: sum(each.rank[k] * each.mated for each in found.values()) / mated for k in RANKS}
    return Search(found, rank, {fpir: _mean([each.tpir[fpir] for each in found.values()]) for fpir in FPIRS})


def require_common(galleries: dict[str, Subjects], probes: Subjects) -> None:
    """Refuse lists of which none of the probes can be found in a gallery."""
    for gallery in galleries.values():
        if not np.isin(probes.people, gallery.people).any():
            raise BadDataset(f"{gallery.path} and {probes.path} have no person in common.")


def _mean(values: list[float | None]) -> float | None:
    return None if None in values else float(np.mean(values))
