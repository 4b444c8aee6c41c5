"""Who is enrolled and who searches: a folder of identities as a gallery and probes."""

from dataclasses import dataclass

import numpy as np

from common.errors import BadArgument


@dataclass(frozen=True)
class Split:
    """Numbers of pictures, rising.

    Attributes:
        gallery: int64 ``[m]``; probes: int64 ``[p]``, of people who are in the gallery and of strangers.
        strangers: int64 ``[s]``, the labels of those who were kept out of the gallery.
    """

    gallery: np.ndarray
    probes: np.ndarray
    strangers: np.ndarray


def split(labels: np.ndarray, *, gallery: int = 1, strangers: float = 0.2, seed: int = 0) -> Split:
    """Draw a gallery.

    A share of the people is kept out: all their pictures are strangers' probes. Of everybody else as many pictures as
    asked for are the gallery, and the others probes. Who has no more pictures than that is in the gallery with all of
    them, for others to be mistaken for.

    Args:
        labels: identity of each picture, ``[n]``.
        gallery: pictures of each person.
        strangers: share of the people, 0 up to but not 1; rounded, one at least unless it is 0.
        seed: of both draws.

    Raises:
        BadArgument: a number out of range, or nobody is left who could be found.
    """
    if gallery < 1:
        raise BadArgument(f"The gallery takes 1 picture of each person, or more, not {gallery}.")
    if not 0 <= strangers < 1:
        raise BadArgument(f"The share of strangers must be from 0 up to but not 1, not {strangers}.")
    if seed < 0:
        raise BadArgument(f"The seed must be 0 or more, not {seed}.")
    random = np.random.default_rng(seed)
    people = np.unique(labels)
    out = max(round(strangers * len(people)), 1) if strangers else 0
    kept_out = np.sort(random.permutation(people)[:out])
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # people one after another, their pictures in any order
    before = np.arange(len(order)) - np.searchsorted(labels[order], labels[order])
    enrolled = np.sort(order[(before < gallery) & ~np.isin(labels[order], kept_out)])
    probes = np.setdiff1d(np.arange(len(labels)), enrolled)
    if not np.isin(labels[probes], labels[enrolled]).any():
        raise BadArgument(
            f"Of {len(people)} people, {out} of them kept out, nobody has more than {gallery} pictures: there is "
            "nobody to be found."
        )
    return Split(enrolled, probes, kept_out)
