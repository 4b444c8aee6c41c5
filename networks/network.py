"""A loaded recogniser: aligned faces in, embeddings out."""

import numpy as np

from common.errors import BadArgument, BadPicture
from networks.card import FLIPS, ModelCard


class Network:
    """An engine and the card that says how it is fed. Safe to call from several threads.

    Attributes:
        card: the model card.
        name: what the model is called.
        dim: length of an embedding.
        digest: SHA-256 hex of weights and feeding; galleries are pinned to it.
        backend: the engine that it runs on, a key of ``networks.engines.ENGINES``; "" for a plain function.
    """

    def __init__(self, engine, card: ModelCard, digest: str, backend: str = ""):
        self._engine = engine
        self.backend = backend
        self.card = card
        self.name = card.name
        self.dim = card.embedding_size
        self.digest = digest

    def __repr__(self) -> str:
        return f"<Network {self.name}, {self.dim} dimensions>"

    def embed(self, aligned: np.ndarray, flip: str | None = None) -> np.ndarray:
        """Embeddings float32 ``[n, dim]``, L2-normalised, of aligned faces uint8 ``[n, h, w, 3]`` BGR.

        Args:
            flip: one of ``networks.card.FLIPS``, None for the card's; but for "none" each face is run twice. Embeddings
                of different rules are not to be compared: a gallery and a threshold belong to the card's.

        Raises:
            BadPicture: the array is not uint8, or not of the card's input size. BadArgument: no such rule.
        """
        flip = self.card.flip if flip is None else flip
        if flip not in FLIPS:
            raise BadArgument(f"Unknown flip {flip!r}. Expected one of: {', '.join(FLIPS)}.")
        embeddings = self.raw(aligned)
        if flip != "none":
            mirrored = self.raw(aligned[:, :, ::-1])
            if flip == "sum_normalised":
                embeddings, mirrored = normalise(embeddings), normalise(mirrored)
            embeddings = embeddings + mirrored
        return normalise(embeddings)

    def raw(self, aligned: np.ndarray) -> np.ndarray:
        """What the network gives for such faces, float32 ``[n, dim]``: not normalised, and not mirrored.

        Raises:
            BadPicture: see ``embed``.
        """
        expected = (*self.card.input_size, 3)
        if not isinstance(aligned, np.ndarray) or aligned.dtype != np.uint8 or aligned.shape[1:] != expected:
            is_array = isinstance(aligned, np.ndarray)
            came = f"{aligned.dtype} {list(aligned.shape)}" if is_array else type(aligned).__name__
            raise BadPicture(f"{self.name} takes aligned faces uint8 [n, {expected[0]}, {expected[1]}, 3], not {came}.")
        if len(aligned) == 0:
            return np.zeros((0, self.dim), np.float32)
        return self._engine(np.ascontiguousarray(aligned))[0].reshape(len(aligned), -1)


def normalise(embeddings: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, float32; a row of zeros stays zero."""
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    return (embeddings / np.maximum(lengths, np.finfo(np.float64).tiny)).astype(np.float32)
