"""Embeddings of many aligned pictures, a batch at a time."""

from collections.abc import Callable

import numpy as np

from common.cli.progress import counted
from common.errors import BadArgument
from networks.card import ModelCard
from networks.network import Network


def embed(
    network: Network | Callable[[np.ndarray], np.ndarray],
    pictures: np.ndarray,
    *,
    batch: int = 64,
    flip: str | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Embeddings float32 ``[n, d]``, L2-normalised, of aligned faces uint8 ``[n, h, w, 3]`` BGR.

    Args:
        network: what ``networks.load`` returns, or a function from such faces to embeddings ``[n, d]``.
        batch: faces passed on at a time.
        flip: "none", "sum_raw" (f(x) + f(mirrored x)) or "sum_normalised" (the sum of both after normalising each);
            None for what a network's card says, and for none with a function.
        progress: whether to show a bar on a terminal.

    Raises:
        BadArgument: no such flip or batch, or no pictures. BadPicture: not such faces, or not of the network's size.
    """
    if type(batch) is not int or batch < 1:
        raise BadArgument(f"batch must be a positive whole number, not {batch!r}.")
    if not len(pictures):
        raise BadArgument("There are no pictures to embed.")
    network = network if isinstance(network, Network) else _wrapped(network, pictures)
    starts = range(0, len(pictures), batch)
    steps = counted(starts, len(starts), "embedding") if progress else starts
    # A copy of each batch, since OpenVINO keeps the last one it was given, and with a view all of the pictures.
    return np.concatenate([network.embed(pictures[start : start + batch].copy(), flip) for start in steps])


def _wrapped(function: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray) -> Network:
    card = ModelCard("the function", input_size=tuple(pictures.shape[1:3]))
    return Network(lambda faces: [np.asarray(function(faces))], card, "")
