"""The merged dataset as a source of pictures, which the tools that write shards and records take."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import BadArgument
from train.data.merge.profiles import Profile
from train.data.sources import Items, Source
from train.data.texts import TextsBuilder

PLACE_BITS = 55  # a place is the source's number and, in the lower bits, the place in it
MOST_SOURCES = 2 ** (63 - PLACE_BITS)


class MergedSource(Source):
    """Identities of several sources under new labels.

    Args:
        profiles: the sources, and which of their pictures are kept.
        labels: for each source int64 ``[identities]``, the new label of each identity; -1 leaves it out.
        names: of the new identities.
    """

    def __init__(self, profiles: Sequence[Profile], labels: Sequence[np.ndarray], names: list[str]):
        if len(profiles) > MOST_SOURCES:
            raise BadArgument(f"At most {MOST_SOURCES} datasets can be merged at once, not {len(profiles)}.")
        paths = [profile.source.path for profile in profiles]
        super().__init__(paths[0].with_name("+".join(path.name for path in paths)))
        self._sources = [profile.source for profile in profiles]
        self._profiles: Sequence[Profile] | None = profiles
        self._labels, self._names = labels, names

    @staticmethod
    def fits(path: Path) -> bool:
        return False  # made by a merge only

    def identities(self) -> list[str]:
        return self._names

    def items(self, chosen: np.ndarray) -> Items:
        new = np.full(len(self._names), -1)
        new[chosen] = np.arange(len(chosen))
        labels, places, texts = [], [], []
        for number, (profile, own) in enumerate(zip(self._profiles, self._labels)):
            own = np.where(own >= 0, new[own], -1)[profile.items.labels]
            taken = np.flatnonzero((own >= 0) & profile.kept)
            labels.append(own[taken])
            places.append(profile.items.places[taken] | number << PLACE_BITS)
            texts.append((profile, taken))
        return _sorted(np.concatenate(labels), np.concatenate(places), texts)

    def read(self, place: int, name: str | None) -> bytes:
        return self._sources[place >> PLACE_BITS].read(place & (1 << PLACE_BITS) - 1, name)

    def state(self) -> str:
        digest = hashlib.sha256("\n".join(self._names).encode("utf-8", "surrogateescape"))
        for profile, labels in zip(self._profiles, self._labels):
            source = f"{profile.source.path.resolve()} {profile.source.state()}"
            digest.update(source.encode("utf-8", "surrogateescape"))
            digest.update(np.ascontiguousarray(labels).tobytes() + np.packbits(profile.kept).tobytes())
        return digest.hexdigest()

    def __getstate__(self) -> dict:
        """What a worker process needs to read pictures; the list of them it has from the plan."""
        return {"path": self.path, "_sources": self._sources, "_profiles": None, "_labels": None, "_names": None}


def _sorted(labels: np.ndarray, places: np.ndarray, texts: list[tuple[Profile, np.ndarray]]) -> Items:
    order = np.argsort(labels, kind="stable")
    if all(profile.items.names is None for profile, _ in texts):
        return Items(labels[order], places[order])
    firsts = np.cumsum([0, *(len(taken) for _, taken in texts)])
    names = TextsBuilder()
    for number in order:
        which = int(np.searchsorted(firsts, number, "right")) - 1
        profile, taken = texts[which]
        names.append(profile.picture_name(int(taken[number - firsts[which]])) or "")
    return Items(labels[order], places[order], names.build())
