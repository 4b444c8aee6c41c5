"""People who must not be trained on, since a model is to be measured on them."""

from pathlib import Path

import numpy as np

from eval import read_bin
from networks.network import Network
from train.data.decoding import resized
from train.data.merge.profiles import profile
from train.data.prepare.plan import Progress, silent
from train.data.sources import open_source


def references(path: Path, network: Network, batch: int = 128, progress: Progress = silent) -> np.ndarray:
    """What a test set looks like to a model.

    Args:
        path: a ``.bin``, of which each picture counts, or what ``open_source`` takes, of which each identity counts.
        network, batch, progress: see ``profiles.profile``.

    Returns:
        float32 ``[n, d]``, normalised.

    Raises:
        BadDataset: it is damaged.
    """
    if path.suffix != ".bin":
        found = profile(open_source(path), network, batch=batch, progress=progress)
        return found.centres[found.pictures > 0]
    pictures, _ = read_bin(path)
    parts = []
    with progress(f"embedding {path.name}", len(pictures)) as advance:
        for first in range(0, len(pictures), batch):
            part = pictures[first : first + batch]
            parts.append(network.embed(np.stack([resized(each, network.card.input_size) for each in part])))
            advance(len(part))
    return np.concatenate(parts)
