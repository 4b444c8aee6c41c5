"""The threshold of a gallery, measured on its own people.

Genuine is the cosine between a photo and the mean of its person's other photos, impostor that between a photo and the
mean of another person's photos: what recognising compares, of people who are known to be one or two. Nobody must be
enrolled under two names for that; the nearest strangers are named, so that it can be seen.

The threshold is the least cosine at which not more than the wanted share of the impostors (FAR) would be accepted. Its
confidence interval comes from drawing the people anew and weighing a pair by how often both were drawn: pairs that
share a person are not independent, so that counting pairs alone would make it far too narrow. This way it is a little
too wide: of galleries drawn at random it held the true threshold in 99 of 100, not 95. See Owen and Eckles,
Bootstrapping data arrays of arbitrary order, https://arxiv.org/abs/1106.2125.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from common.errors import BadArgument
from db import names as naming
from recognizer.results import Progress

if TYPE_CHECKING:  # it imports SQLAlchemy
    from db.gallery import Gallery

MOST_PAIRS = 50_000_000  # impostor pairs that are compared: two seconds; of more, those among a sample of the people
MOST_ACCEPTED = 250_000  # false accepts that are looked at; they say more than enough of one rate
NEEDED = 10  # false accepts that a rate must be made of
SMALLEST_FAR = 1e-12  # which takes more comparisons than there will ever be
LARGEST_FAR = 0.1
BINS = 2000  # of a histogram over -1..1
DRAWS, LEAST_DRAWS, WORK = 1000, 200, 200_000_000  # of people, for intervals; fewer where each takes long
LEVEL = 0.95
BLOCK = 256  # photos multiplied with all templates at a time
SAME = 1 - 1e-6  # cosine of two equal photos, but for rounding
NEAREST = 3  # pairs of strangers that are named
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / the golden ratio: multiples spread evenly, modulo 2^64


@dataclass(frozen=True)
class Calibration:
    """A measured threshold.

    Attributes:
        threshold: cosine, -1..1; low, high: its 95 % confidence interval.
        wanted: the false accept rate that was asked for.
        far: the one at the threshold: the same or a little less.
        tar: share of genuine photos at or above the threshold; tar_low, tar_high: its interval. None where nobody has
            two photos.
        people: who were compared as impostors; of: all people of the gallery.
        genuine, impostor: numbers of comparisons.
        nearest: the most similar strangers: names and cosine.
        genuine_histogram, impostor_histogram: int64 ``[BINS]``, counts over -1..1.
    """

    threshold: float
    low: float
    high: float
    wanted: float
    far: float
    tar: float | None
    tar_low: float | None
    tar_high: float | None
    people: int
    of: int
    genuine: int
    impostor: int
    nearest: list[tuple[str, str, float]]
    genuine_histogram: np.ndarray = field(repr=False)
    impostor_histogram: np.ndarray = field(repr=False)


def calibrate(gallery: "Gallery", far: float = 1e-4, progress: Progress | None = None) -> Calibration:
    """Measure the threshold of a gallery; it is not stored.

    Up to ``MOST_PAIRS`` impostor pairs all are compared, of more those among a sample of the people, the same one each
    time. No network is needed.

    Args:
        far: the false accept rate to be reached, up to 0.1.
        progress: wraps the steps: called with an iterable and its length.

    Raises:
        BadArgument: not such a rate; or the gallery has too few people to measure it; or too many of its people have
            the same photos.
    """
    if not isinstance(far, float | int) or not SMALLEST_FAR <= far <= LARGEST_FAR:
        raise BadArgument(f"A false accept rate is a number from {SMALLEST_FAR} to {LARGEST_FAR}, not {far!r:.40}.")
    photos = _read(gallery, int(min(MOST_PAIRS, MOST_ACCEPTED / far)), progress)
    pairs = len(photos.owners) * (photos.kept - 1)
    _require_enough(pairs, far)
    accepted = int(far * pairs + 1e-9)
    impostors = _compare(photos, 4 * accepted + 1000, progress)
    threshold = _above(impostors.similarities[accepted])
    if threshold > SAME:
        nearest = _named(gallery, photos, impostors)
        twice = "; ".join(f"{naming.excerpt(first)} and {naming.excerpt(second)}" for first, second, _ in nearest)
        raise BadArgument(
            f"More than {accepted} photos are the same as those of another person, so no threshold reaches this rate. "
            f"Look at {twice}: people who are enrolled under two names can be put together (recognizer merge)."
        )
    random = np.random.default_rng(0)
    low, high = _interval(_thresholds(photos, impostors, far, random))
    tar = tar_low = tar_high = None
    if len(photos.genuine):
        hits = photos.genuine >= threshold
        tar = float(hits.mean())
        tar_low, tar_high = _interval(_rates(hits, photos.genuine_owners, random))
    return Calibration(
        float(threshold), low, high, far, float((impostors.similarities >= threshold).sum() / pairs),
        tar, tar_low, tar_high, photos.kept, photos.people, len(photos.genuine), pairs,
        _named(gallery, photos, impostors), _histogram(photos.genuine), impostors.histogram,
    )  # fmt: skip


@dataclass
class _Photos:
    """What is compared.

    Attributes:
        people: how many the gallery has.
        genuine: float32 ``[g]``, of all people with two photos; genuine_owners: int64 ``[g]``, counted from 0.
        ids: int64 ``[p]`` of the people who are compared as impostors.
        owners: int64 ``[m]``, positions in ``ids`` of the people of the photos.
        vectors: float32 ``[m, d]``, of length 1.
    """

    people: int
    genuine: np.ndarray
    genuine_owners: np.ndarray
    ids: np.ndarray
    owners: np.ndarray
    vectors: np.ndarray

    @property
    def kept(self) -> int:
        return len(self.ids)


@dataclass
class _Impostors:
    """The most similar impostor pairs, most similar first, and the histogram of all.

    Attributes:
        similarities: float32 ``[t]``.
        owners, others: int64 ``[t]``, positions of the photo's person and of the other one.
        histogram: int64 ``[BINS]``.
    """

    similarities: np.ndarray
    owners: np.ndarray
    others: np.ndarray
    histogram: np.ndarray


def _read(gallery: "Gallery", most: int, progress: Progress | None) -> _Photos:
    """All genuine cosines, and the photos of as many people as make ``most`` impostor pairs."""
    ids, vectors, people = np.empty(0, np.int64), np.empty((0, gallery.dimension), np.float32), 0
    genuine, owners = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
    number = gallery.count()[0] if progress else 0
    with gallery.scan("photo") as (_, pieces):
        steps = _counted(pieces)
        for rows in progress(steps, number) if progress else steps:
            if rows is None:
                continue
            cosines, positions = _leave_one_out(rows.ids, _unit(rows.vectors))
            genuine.append(cosines)
            owners.append(positions + people)
            people += len(np.unique(rows.ids))
            ids, vectors = _sample(np.r_[ids, rows.ids], np.concatenate([vectors, _unit(rows.vectors)]), most)
    kept, positions = np.unique(ids, return_inverse=True)
    return _Photos(people, np.concatenate(genuine), np.concatenate(owners), kept, positions, vectors)


def _counted(pieces: Iterator) -> Iterator:
    """Each piece, followed by None for every further person in it."""
    for rows in pieces:
        yield rows
        yield from [None] * (len(np.unique(rows.ids)) - 1)


def _leave_one_out(ids: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines between photos and the mean of their person's other photos, and positions of their persons."""
    _, positions, counts = np.unique(ids, return_inverse=True, return_counts=True)
    several = counts[positions] > 1
    sums = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(sums, positions, vectors)
    others = sums[positions[several]] - vectors[several]
    return np.einsum("ij,ij->i", _unit(others), vectors[several]), positions[several]


def _sample(ids: np.ndarray, vectors: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """All photos of so many people that they make at most ``most`` pairs: those whose scattered ids are least."""
    people, positions, counts = np.unique(ids, return_inverse=True, return_counts=True)
    order = np.argsort(people.astype(np.uint64) * GOLDEN, kind="stable")
    photos = np.cumsum(counts[order])
    fitting = int(np.searchsorted(photos * np.arange(len(people)), most, side="right"))
    chosen = np.zeros(len(people), bool)
    chosen[order[: max(fitting, 2)]] = True
    rows = chosen[positions]
    return (ids, vectors) if rows.all() else (ids[rows], vectors[rows])


def _require_enough(pairs: int, far: float) -> None:
    needed = int(np.ceil(NEEDED / far))
    if pairs >= needed:
        return
    can = NEEDED / pairs if pairs else 1.0
    hint = f"--far {_rounded_up(can):g} can be measured" if can <= LARGEST_FAR else "no rate can be measured yet"
    raise BadArgument(
        f"A false accept rate of {far:g} takes {needed} comparisons of photos with other people, so that {NEEDED} of "
        f"them are accepted; there are {pairs} here: {hint}. Enrol more people, or more photos of them."
    )


def _rounded_up(rate: float) -> float:
    unit = 10.0 ** (np.floor(np.log10(rate)) - 1)
    return float(np.ceil(rate / unit - 1e-9) * unit)


def _compare(photos: _Photos, keep: int, progress: Progress | None) -> _Impostors:
    """All photos with all other people's templates; the ``keep`` most similar pairs are kept."""
    templates = np.zeros((photos.kept, photos.vectors.shape[1]))
    np.add.at(templates, photos.owners, photos.vectors)
    templates = np.ascontiguousarray(_unit(templates).T)
    histogram = np.zeros(BINS, np.int64)
    best, floor = [], np.float32(-2)
    starts = range(0, len(photos.owners), BLOCK)
    for start in progress(starts, len(starts)) if progress else starts:
        owners = photos.owners[start : start + BLOCK]
        similarities = np.clip(photos.vectors[start : start + BLOCK] @ templates, -1, 1)
        similarities[np.arange(len(owners)), owners] = -3  # their own persons
        histogram += _histogram(similarities)
        rows, others = np.nonzero(similarities > floor)
        best.append((similarities[rows, others], owners[rows], others))
        if sum(len(each[0]) for each in best) > 2 * keep:
            best = [_largest(best, keep)]
            floor = best[0][0].min()
    similarities, owners, others = _largest(best, keep)
    order = np.argsort(-similarities, kind="stable")
    return _Impostors(similarities[order], owners[order], others[order], histogram)


def _largest(some: list[tuple[np.ndarray, ...]], keep: int) -> tuple[np.ndarray, ...]:
    similarities, owners, others = map(np.concatenate, zip(*some))
    real = np.flatnonzero(similarities > -2)
    if len(real) > keep:
        real = real[np.argpartition(-similarities[real], keep - 1)[:keep]]
    return similarities[real], owners[real], others[real]


def _thresholds(photos: _Photos, impostors: _Impostors, far: float, random: np.random.Generator) -> np.ndarray:
    """The threshold that each of some draws of the people would give: a pair counts as often as both were drawn."""
    own = np.bincount(photos.owners, minlength=photos.kept).astype(np.float64)
    found = []
    for _ in range(_draws(len(impostors.similarities) + photos.kept)):
        weights = _drawn(photos.kept, random)
        pairs = (own * weights) @ (weights.sum() - weights)
        accepted = np.cumsum(weights[impostors.owners] * weights[impostors.others])
        first = int(np.searchsorted(accepted, far * pairs, side="right"))
        found.append(impostors.similarities[min(first, len(accepted) - 1)])
    return np.array(found)


def _rates(hits: np.ndarray, owners: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The share of ``hits`` that each of some draws of the people would give."""
    _, positions = np.unique(owners, return_inverse=True)
    all_of, hits_of = np.bincount(positions), np.bincount(positions, hits)
    found = []
    for _ in range(_draws(len(all_of))):
        weights = _drawn(len(all_of), random)
        found.append((weights @ hits_of) / (weights @ all_of))
    return np.array(found)


def _draws(work: int) -> int:
    return int(np.clip(WORK // work, LEAST_DRAWS, DRAWS))


def _drawn(people: int, random: np.random.Generator) -> np.ndarray:
    """How often each of some people is drawn when as many are, with putting back."""
    return np.bincount(random.integers(0, people, people), minlength=people).astype(np.float64)


def _interval(values: np.ndarray) -> tuple[float, float]:
    edges = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(edges[0]), float(edges[1])


def _above(similarity: np.float32) -> np.float32:
    """The least cosine above another one."""
    return np.nextafter(similarity, np.float32(2))


def _named(gallery: "Gallery", photos: _Photos, impostors: _Impostors) -> list[tuple[str, str, float]]:
    """The most similar strangers, each pair once."""
    found: dict[frozenset, float] = {}
    for similarity, owner, other in zip(impostors.similarities, impostors.owners, impostors.others):
        found.setdefault(frozenset((photos.ids[owner], photos.ids[other])), float(similarity))
        if len(found) == NEAREST:
            break
    names = gallery.names(each for pair in found for each in pair)
    pairs = ((sorted(names.get(each, "?") for each in pair), similarity) for pair, similarity in found.items())
    return [(first, second, similarity) for (first, second), similarity in pairs]


def _histogram(similarities: np.ndarray) -> np.ndarray:
    return np.histogram(similarities, BINS, (-1, 1))[0]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32; a row of zeros stays zero."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, np.finfo(np.float64).tiny)).astype(np.float32)
