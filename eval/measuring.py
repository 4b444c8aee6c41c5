"""One model measured on one verification set: embedded, timed, and judged by the ten-fold protocol."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eval.embedding import embed
from eval.protocols.verification import Verification, verification
from networks.card import ModelCard
from networks.network import Network

if TYPE_CHECKING:
    from eval.sets import VerificationSet


@dataclass(frozen=True)
class Measurement:
    """What one model reaches on one set.

    Attributes:
        model: what it is called in the comparison: the card's name, or what was asked for where two share a name.
        backend: the engine it ran on, "openvino" or "keras".
        set_name: of the verification set.
        flip: "none", "sum_raw" or "sum_normalised", as it was measured, whatever the card says.
        card: the model's; digest: SHA-256 hex of its weights and feeding.
        verification: accuracy, rates and the similarity of each pair.
        pictures: how many were embedded, those that come up in several pairs once; seconds: how long that took,
            mirrored pictures included.
    """

    model: str
    backend: str
    set_name: str
    flip: str
    card: ModelCard = field(repr=False)
    digest: str = field(repr=False)
    verification: Verification
    pictures: int
    seconds: float

    @property
    def rate(self) -> float:
        """Pictures a second."""
        return self.pictures / self.seconds


def measure(
    network: Network,
    verification_set: "VerificationSet",
    *,
    backend: str,
    model: str | None = None,
    flip: str | None = None,
    batch: int = 64,
    folds: int = 10,
    bootstrap: int = 0,
    progress: bool = False,
) -> Measurement:
    """Embed a set's pictures and judge its pairs.

    Args:
        backend: what ``network`` runs on, to be kept with the result; model: what to call it, else the card's name.
        flip: None is the card's.
        batch, progress: see ``eval.embed``; folds, bootstrap: see ``eval.verification``.

    Raises:
        BadPicture: pictures of another size than the network takes. BadEmbedding: it gives none that can be compared.
        BadArgument: an option out of its range.
    """
    pictures = verification_set.pictures
    began = time.perf_counter()
    embeddings = embed(network, pictures.different, batch=batch, flip=flip, progress=progress)
    seconds = time.perf_counter() - began
    return Measurement(
        model=model or network.name,
        backend=backend,
        set_name=verification_set.name,
        flip=flip or network.card.flip,
        card=network.card,
        digest=network.digest,
        verification=verification(
            embeddings[pictures.places], verification_set.issame, folds=folds, bootstrap=bootstrap
        ),
        pictures=len(embeddings),
        seconds=seconds,
    )
