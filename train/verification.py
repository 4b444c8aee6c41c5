"""How good the network is while it learns: verification sets, and people whom it never sees."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

import eval
from common.errors import BadConfig
from eval.roc import Rates
from networks.card import Threshold
from train.config.sections import Verification
from train.data import open_dataset
from train.data.pictures import read_all

Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class VerificationSet:
    """Pictures uint8 ``[n, h, w, 3]`` BGR and what is known of them.

    Attributes:
        issame: bool ``[n / 2]`` where consecutive pictures are pairs (a ``.bin``), else None.
        labels: int ``[n]`` where all pairs are compared, else None.
    """

    name: str
    pictures: np.ndarray
    issame: np.ndarray | None = None
    labels: np.ndarray | None = None

    def measure(self, embed: Embed, flip: str) -> Rates:
        """The rates of a function from pictures to embeddings."""
        embeddings = eval.embed(embed, self.pictures, flip=flip)
        if self.issame is not None:
            return eval.verification(embeddings, self.issame)
        return eval.all_pairs(embeddings, self.labels)


def find(settings: Verification, image_size: tuple[int, int], say: Callable[[str], None]) -> list[VerificationSet]:
    """The sets that are there. A name whose file is missing is told to ``say`` and left out.

    Raises:
        BadConfig: a path that is neither a ``.bin`` nor a dataset, or pictures of another size.
    """
    found = []
    for name in settings.sets:
        path = Path(name)
        if path.suffix != ".bin" and not path.exists():
            path = Path(settings.folder or ".") / f"{name}.bin"
            if not path.is_file():
                say(f"verification: {name} is not measured: there is no {path}.")
                continue
        found.append(_read(path))
        if found[-1].pictures.shape[1:3] != image_size:
            came = "x".join(map(str, found[-1].pictures.shape[1:3]))
            raise BadConfig(f"verification.sets: {path} has pictures of {came}; data.image_size is {image_size}.")
    return found


def figures(rates: Rates) -> dict[str, float]:
    """The numbers of a set to be shown and logged, as far as its pairs carry them."""
    values = {key: getattr(rates, key) for key in ("accuracy", "std", "auc", "eer") if hasattr(rates, key)}
    values |= {f"tar@far={far:.0e}": tar for far, tar in rates.tar.items()}
    return {key: value for key, value in values.items() if value is not None}


def score(all_rates: list[Rates]) -> float:
    """What the best is chosen by: the mean over the sets of the accuracy, or of the AUC for all pairs of a dataset."""
    return float(np.mean([getattr(rates, "accuracy", rates.auc) for rates in all_rates]))


def threshold(name: str, rates: Rates, far: float) -> Threshold | None:
    """The threshold for a card, at ``far`` or the lowest rate above it that the pairs carry; None without any."""
    reached = [rate for rate, similarity in rates.thresholds.items() if similarity is not None]
    carried = [rate for rate in sorted(reached) if rate >= far * (1 - 1e-9)]
    if not carried:
        return None
    rate = carried[0]
    measured_on = f"{name}, {rates.impostor} impostor pairs, {date.today().isoformat()}"
    return Threshold(round(float(rates.thresholds[rate]), 4), rate, measured_on)


def _read(path: Path) -> VerificationSet:
    if path.suffix == ".bin":
        pictures, issame = eval.read_bin(path)
        return VerificationSet(path.stem, pictures, issame=issame)
    pictures, labels = read_all(open_dataset(path))
    return VerificationSet(path.stem, pictures, labels=labels)
