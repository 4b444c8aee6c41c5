"""What one identity's pictures have in common."""

import numpy as np

from networks.network import normalise

LARGEST = 4096  # pictures that are compared each with each; of more, evenly chosen ones vote for the centre
ROUNDS = 20


def centre(embeddings: np.ndarray) -> np.ndarray:
    """The mean of an identity's embeddings float32 ``[n, d]``, normalised: float32 ``[d]``; zeros for no picture."""
    if not len(embeddings):
        return np.zeros(embeddings.shape[1], np.float32)
    return normalise(embeddings.mean(axis=0, dtype=np.float64)[None])[0]


def dominant_centre(embeddings: np.ndarray, least: float) -> np.ndarray:
    """The centre of the largest group of an identity's pictures, whatever strangers lie among them.

    It begins at the picture that has most others at a cosine of ``least`` or more (the first of several), and moves to
    the centre of those within ``least`` of it until they stay the same.

    Args:
        embeddings: float32 ``[n, d]``, normalised.
        least: cosine.

    Returns:
        float32 ``[d]``, normalised.
    """
    voters = embeddings[:: -(-len(embeddings) // LARGEST)]
    middle = voters[(voters @ voters.T >= least).sum(axis=1).argmax()]
    near = None
    for _ in range(ROUNDS):
        previous, near = near, embeddings @ middle >= least
        if not near.any() or (previous is not None and np.array_equal(near, previous)):
            break
        middle = centre(embeddings[near])
    return middle
