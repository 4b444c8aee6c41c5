"""Random numbers that follow from a seed, from what they are for, and from a position; nothing keeps a state.

NumPy promises that ``SeedSequence`` and the raw bits of ``Philox`` stay what they are in every release, which it
does not of ``Generator``: a run that is resumed after an upgrade sees the same pictures.
"""

import zlib

import numpy as np

from common.errors import BadArgument

PER_BLOCK = 4  # 64-bit numbers that Philox makes at each count


def check_seed(seed: int) -> int:
    """The seed, if it is one.

    Raises:
        BadArgument: not a whole number of 0 or more.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise BadArgument(f"seed must be a whole number, 0 or more, not {seed!r}.")
    return int(seed)


def permutation(count: int, seed: int, purpose: str, *numbers: int) -> np.ndarray:
    """0..count-1 in an order drawn for this purpose and these numbers, int64 ``[count]``."""
    return np.argsort(bits(count, seed, purpose, *numbers), kind="stable")


def bits(count: int, seed: int, purpose: str, *numbers: int) -> np.ndarray:
    """uint64 ``[count]``, drawn for this purpose and these numbers (an epoch, a window)."""
    return np.random.Philox(key=_key(seed, purpose, *numbers)).random_raw(count)


def uniform(first: int, count: int, draws: int, seed: int, purpose: str) -> np.ndarray:
    """For each of the positions ``first`` .. ``first + count - 1`` its ``draws`` numbers, 0 <= x < 1.

    Returns:
        float64 ``[count, draws]``. A row depends on its position alone, not on where the range begins.
    """
    blocks = -(-draws // PER_BLOCK)
    source = np.random.Philox(key=_key(seed, purpose), counter=first * blocks)
    raw = source.random_raw(count * blocks * PER_BLOCK).reshape(count, blocks * PER_BLOCK)
    return (raw[:, :draws] >> np.uint64(11)) * 2.0**-53


def _key(seed: int, purpose: str, *numbers: int) -> np.ndarray:
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *numbers]).generate_state(2, np.uint64)
