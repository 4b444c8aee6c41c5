"""What a protocol asks of the arrays it is given."""

import numpy as np

from common.errors import BadArgument, BadEmbedding


def unit_rows(embeddings: np.ndarray, what: str = "embeddings") -> np.ndarray:
    """Embeddings ``[n, d]`` scaled to length 1, float64.

    Raises:
        BadEmbedding: not such an array, or a row that is not finite or zero.
    """
    rows = np.asarray(embeddings)
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise BadEmbedding(f"{what} must be floats [n, d], not {rows.dtype} {list(rows.shape)}.")
    rows = rows.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise BadEmbedding(f"{what}: row {_first(~np.isfinite(lengths))} is not finite.")
    if not lengths.all():
        raise BadEmbedding(f"{what}: row {_first(lengths == 0)} is zero, so it has no direction to compare.")
    rows /= lengths
    return rows


def flags(issame: np.ndarray, count: int) -> np.ndarray:
    """``issame`` as bool ``[count]``.

    Raises:
        BadArgument: another shape or type.
    """
    given = np.asarray(issame)
    if given.shape != (count,) or given.dtype.kind not in "bui" or not np.isin(given, (0, 1)).all():
        raise BadArgument(f"issame must be {count} booleans, one a pair, not {given.dtype} {list(given.shape)}.")
    return given.astype(bool)


def labels(given: np.ndarray, count: int, what: str = "labels") -> np.ndarray:
    """Identities as an array ``[count]``.

    Raises:
        BadArgument: another shape.
    """
    found = np.asarray(given)
    if found.shape != (count,):
        raise BadArgument(f"{what} must be one for each of {count} embeddings, not {list(found.shape)}.")
    return found


def require_both(genuine: int, impostor: int) -> None:
    """Refuse comparisons of which none is genuine, or none impostor: rates of them mean nothing."""
    if not genuine or not impostor:
        raise BadArgument(
            f"Both genuine and impostor pairs are needed; there are {genuine} genuine and {impostor} impostor."
        )


def _first(rows: np.ndarray) -> int:
    return int(np.flatnonzero(rows)[0])
