"""IJB 1:1: pairs of templates, whose rates stand for TAR at FAR 1e-1 to 1e-6."""

from collections.abc import Callable

import numpy as np

from eval.ijb.lists import Pairs
from eval.roc import Counter, Rates, readings

BLOCK = 8192  # pairs whose templates are gathered at a time: 16 MB each
PORTION = 2**20  # pairs whose impostors are counted at a time


def verification(templates: np.ndarray, pairs: Pairs, advance: Callable[[int], None]) -> Rates:
    """Exact rates over all pairs.

    Args:
        templates: float32 ``[t, d]`` of length 1; similarity is their cosine, in float32.
        pairs: of both kinds. advance: told how many of them are done.
    """
    genuine = np.flatnonzero(pairs.same)
    counter = Counter(_similarities(templates, pairs, genuine))
    advance(len(genuine))
    for start in range(0, len(pairs.same), PORTION):
        impostor = start + np.flatnonzero(~pairs.same[start : start + PORTION])
        counter.add(_similarities(templates, pairs, impostor))
        advance(len(impostor))
    return Rates(**readings(counter.roc()))


def _similarities(templates: np.ndarray, pairs: Pairs, chosen: np.ndarray) -> np.ndarray:
    found = np.empty(len(chosen), np.float32)
    for start in range(0, len(chosen), BLOCK):
        block = chosen[start : start + BLOCK]
        first, second = templates[pairs.first[block]], templates[pairs.second[block]]
        found[start : start + BLOCK] = np.einsum("nd,nd->n", first, second)
    return found
