"""Who is the same person as whom, and who is left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import BadArgument, BadDataset
from train.data.merge.matching import Matches, match, nearest
from train.data.merge.profiles import Profile
from train.data.prepare.plan import Progress, silent

ON_MATCH = ("join", "drop")


@dataclass(frozen=True)
class Decisions:
    """What becomes of each identity of several sources. Identities are numbered through, source after source.

    Attributes:
        sources, identities: int64 ``[n]``, where each identity comes from: the source's number, and its own in it.
        labels: int64 ``[n]``, its label in the merged dataset; -1 where it is left out.
        partner: int64 ``[n]``, the kept identity that is most similar, -1 where there was none to compare with.
        cosine: float32 ``[n]``, to that one.
        same: bool ``[n]``, whether the two are one person.
        excluded: bool ``[n]``, whether it is one of a test set.
        test_cosine: float32 ``[n]``, the highest to a person of a test set; -1 without one.
        names: of the merged identities.
    """

    sources: np.ndarray
    identities: np.ndarray
    labels: np.ndarray
    partner: np.ndarray
    cosine: np.ndarray
    same: np.ndarray
    excluded: np.ndarray
    test_cosine: np.ndarray
    names: list[str]

    def labels_of(self, source: int) -> np.ndarray:
        """The new labels of a source's identities, int64 ``[identities]``."""
        return self.labels[self.sources == source]


def decide(
    profiles: Sequence[Profile],
    threshold: float,
    *,
    on_match: str = "join",
    across_only: bool = False,
    test_people: np.ndarray | None = None,
    exclude_threshold: float = 0.4,
    progress: Progress = silent,
) -> Decisions:
    """Compare all identities, in the order of the sources and of their labels.

    People of a test set are taken out first. Then each identity is compared with those kept before it: see
    ``matching.match``. One that is the same person joins that identity, or is dropped.

    Args:
        profiles: the sources.
        threshold: a cosine above it says: the same person.
        on_match: "join" or "drop".
        across_only: trust each source that its identities are different people.
        test_people: float32 ``[m, d]``, normalised, or None.
        exclude_threshold: a cosine of at least this to one of them takes an identity out.
        progress: see ``train.data.prepare.plan``.

    Raises:
        BadArgument: arguments out of range. BadDataset: nobody is left.
    """
    if on_match not in ON_MATCH:
        raise BadArgument(f"Unknown choice {on_match!r}. Expected one of: {', '.join(ON_MATCH)}.")
    for name, cosine in (("threshold", threshold), ("exclude threshold", exclude_threshold)):
        if not -1 <= cosine <= 1:
            raise BadArgument(f"The {name} is a cosine, -1 to 1, not {cosine!r}.")
    sources = np.repeat(np.arange(len(profiles)), [len(each.names) for each in profiles])
    identities = np.concatenate([np.arange(len(each.names)) for each in profiles])
    centres = np.concatenate([each.centres for each in profiles])
    test_cosine = np.full(len(sources), -1, np.float32)
    if test_people is not None and len(test_people):
        test_cosine = nearest(centres, test_people)[1]
    filled = np.concatenate([each.pictures for each in profiles]) > 0
    excluded = filled & (test_people is not None) & (test_cosine >= exclude_threshold)
    compared = np.flatnonzero(filled & ~excluded)
    if not len(compared):
        raise BadDataset("Nobody is left: no identity has a picture that can be used and is not of a test set.")
    matches = match(centres[compared], sources[compared], threshold, across_only, progress)
    partner, cosine, same = _spread(matches, compared, len(sources))
    new = np.full(len(sources), -1)
    kept = compared[~matches.same]
    new[kept] = np.arange(len(kept))
    if on_match == "join":
        new[same] = new[partner[same]]
    names = _unique([(profiles[sources[each]], identities[each]) for each in kept])
    return Decisions(sources, identities, new, partner, cosine, same, excluded, test_cosine, names)


def _spread(matches: Matches, compared: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matches among the compared ones as arrays over all identities."""
    partner, cosine, same = np.full(count, -1), np.full(count, -1, np.float32), np.zeros(count, bool)
    partner[compared] = np.where(matches.partner >= 0, compared[matches.partner], -1)
    cosine[compared], same[compared] = matches.cosine, matches.same
    return partner, cosine, same


def _unique(kept: list[tuple[Profile, int]]) -> list[str]:
    """Names, each once: one that is taken gets its dataset's before it, and if need be a number behind it."""
    names: dict[str, None] = {}
    for profile, identity in kept:
        name = profile.names[identity]
        if name in names:
            name = f"{profile.title}/{name}"
        wanted, number = name, 2
        while name in names:
            name, number = f"{wanted} ({number})", number + 1
        names[name] = None
    return list(names)
