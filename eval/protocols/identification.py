"""Identification: probes searched in a gallery of people.

Closed set: the rank of the right person among all (cumulative match characteristic, CMC). Open set: TPIR at a FPIR,
where strangers search too, each counted once, by its best score. The right person must come first to be found, as in
the detection and identification rate and in InsightFace's evaluation of IJB; NIST's FRVT finds it at any rank, which
gives a higher TPIR where people are beaten and yet reach the threshold. See Grother and Ngan, Face Recognition Vendor
Test, NIST IR 8009, 2014.
"""

from dataclasses import dataclass, field

import numpy as np

from common.errors import BadArgument, BadEmbedding
from eval.checks import labels as checked
from eval.checks import unit_rows
from eval.roc import roc

RANKS = (1, 5, 10)
FPIRS = (0.1, 0.01)
BLOCK_PAIRS = 4_000_000


@dataclass(frozen=True)
class Identification:
    """What searching gave.

    Attributes:
        people: of the gallery; mated, unmated: probes of people who are in it, and of strangers.
        rank: by k (1, 5, 10), the share of mated probes whose person is among the k most similar. Somebody else who
            is just as similar counts as more similar.
        cmc: float64 ``[people]``, the same for k = 1, 2, ...
        tpir: by FPIR (0.1, 0.01), the largest share of mated probes whose person is the most similar, at or above a
            threshold that at most that share of the unmated probes reach with anybody; None where there are too few
            unmated probes.
        thresholds: by FPIR, the cosine it is reached at; None where there is none.
    """

    people: int
    mated: int
    unmated: int
    rank: dict[int, float]
    cmc: np.ndarray = field(repr=False)
    tpir: dict[float, float | None]
    thresholds: dict[float, float | None]


def identification(
    gallery: np.ndarray, gallery_labels: np.ndarray, probes: np.ndarray, probe_labels: np.ndarray
) -> Identification:
    """Search every probe in the gallery.

    Args:
        gallery: float ``[m, d]``; a person may have several: the most similar one counts.
        gallery_labels: who they are, ``[m]``.
        probes: float ``[p, d]``. probe_labels: who they are, ``[p]``; who is not in the gallery is a stranger.

    Raises:
        BadEmbedding: not such arrays, or a row that is not finite or zero.
        BadArgument: labels do not fit, or no probe's person is in the gallery.
    """
    gallery, probes = unit_rows(gallery, "gallery"), unit_rows(probes, "probes")
    if gallery.shape[1] != probes.shape[1]:
        raise BadEmbedding(f"gallery has {gallery.shape[1]} dimensions and probes have {probes.shape[1]}.")
    people, owners = np.unique(checked(gallery_labels, len(gallery), "gallery_labels"), return_inverse=True)
    wanted = checked(probe_labels, len(probes), "probe_labels")
    if not np.isin(wanted, people).any():
        raise BadArgument("No probe's person is in the gallery: their labels have nothing in common.")
    own, others, ranks = _search(gallery, owners, probes, _positions(wanted, people), len(people))
    mated = ranks > 0
    cmc = np.cumsum(np.bincount(ranks[mated] - 1, minlength=len(people))) / mated.sum()
    found = _open_set(np.where(ranks == 1, own, -np.inf)[mated], others[~mated])
    return Identification(
        len(people), int(mated.sum()), int((~mated).sum()),
        {k: float(cmc[min(k, len(people)) - 1]) for k in RANKS}, cmc,
        {fpir: tpir for fpir, (tpir, _) in found.items()}, {fpir: at for fpir, (_, at) in found.items()},
    )  # fmt: skip


def _positions(wanted: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Where each probe's person stands among the people, -1 for strangers."""
    positions = np.minimum(np.searchsorted(people, wanted), len(people) - 1)
    return np.where(people[positions] == wanted, positions, -1)


def _search(gallery, owners, probes, wanted, people: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each probe: the similarity of its own person, the best of the others, and its person's rank (0: stranger)."""
    order = np.argsort(owners, kind="stable")
    columns = np.ascontiguousarray(gallery[order].T)
    starts = np.searchsorted(owners[order], np.arange(people))
    own, others = np.full(len(probes), -np.inf), np.full(len(probes), -np.inf)
    ranks = np.zeros(len(probes), np.int64)
    size = max(BLOCK_PAIRS // len(gallery), 1)
    for start in range(0, len(probes), size):
        block = slice(start, start + size)
        scores = np.maximum.reduceat(probes[block] @ columns, starts, axis=1)
        mated = np.flatnonzero(wanted[block] >= 0)
        mates = wanted[block][mated]
        own[start + mated] = scores[mated, mates]
        scores[mated, mates] = -np.inf
        ranks[start + mated] = 1 + (scores[mated] >= own[start + mated, None]).sum(1)
        others[block] = scores.max(1)
    return own, others, ranks


def _open_set(mated: np.ndarray, unmated: np.ndarray) -> dict[float, tuple[float | None, float | None]]:
    found: dict[float, tuple[float | None, float | None]] = dict.fromkeys(FPIRS, (None, None))
    if len(unmated):
        curve = roc(mated, unmated)
        found |= {fpir: curve.tar(fpir) for fpir in FPIRS if curve.carries(fpir)}
    return found
