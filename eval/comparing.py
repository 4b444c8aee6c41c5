"""Several models, on several engines, measured on several sets; what fails is told and does not stop the others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import networks
from common.cli.failures import in_words
from common.errors import FaceError
from eval.measuring import Measurement, measure
from networks.network import Network

if TYPE_CHECKING:
    from eval.sets import VerificationSet


@dataclass(frozen=True)
class Failure:
    """What could not be measured, and why.

    Attributes:
        model: as it was asked for, or as the comparison calls it; None where a set could not be read.
        backend: the engine; None where none was chosen, or a set could not be read.
        set_name: of the verification set; None where the model could not be loaded.
        error: what was raised.
    """

    model: str | None
    backend: str | None
    set_name: str | None
    error: Exception = field(repr=False)

    @property
    def reason(self) -> str:
        """The error in words."""
        if isinstance(self.error, FaceError):
            return in_words(self.error)
        first = (str(self.error).strip().splitlines() or ["no reason is given"])[0]
        return f"unexpected {type(self.error).__name__}: {first[:200]}"

    def __str__(self) -> str:
        model = self.model and (f"{self.model} ({self.backend})" if self.backend else self.model)
        return f"{' on '.join(filter(None, (model, self.set_name)))}: {self.reason}"


@dataclass
class Comparison:
    """All that was measured and all that failed, in order."""

    measurements: list[Measurement] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def add(self, outcome: Measurement | Failure) -> None:
        """Keep one more outcome."""
        (self.failures if isinstance(outcome, Failure) else self.measurements).append(outcome)


@dataclass(frozen=True)
class Candidate:
    """A loaded model and what the comparison calls it."""

    label: str
    backend: str
    network: Network


def candidates(
    models: Sequence[str], backends: Sequence[str | None] = (None,), **options
) -> tuple[list[Candidate], list[Failure]]:
    """Load every model on every engine.

    Args:
        models: names of the zoo, bundles and model files.
        backends: "openvino", "keras", or None for what the device takes.
        options: of ``networks.load``.

    Returns:
        Those that could be loaded, called by their card's name, or as asked for where two share a name; and the rest.
    """
    loaded, failed = [], []
    for model in dict.fromkeys(models):
        for backend in dict.fromkeys(backends):
            try:
                loaded.append((model, networks.load(model, backend=backend, **options)))
            except Exception as error:
                failed.append(Failure(model, backend, None, error))
    owners: dict[str, set[str]] = {}
    for model, network in loaded:
        owners.setdefault(network.name, set()).add(model)
    labels = [network.name if len(owners[network.name]) == 1 else model for model, network in loaded]
    return [Candidate(label, net.backend, net) for label, (_, net) in zip(labels, loaded)], failed


def compare(
    compared: Sequence[Candidate], sets: Mapping[str, "VerificationSet"], **options
) -> Iterator[Measurement | Failure]:
    """Measure every model on every set, a set at a time, which is asked for once.

    Args:
        compared: the models.
        sets: by name.
        options: of ``eval.measuring.measure``.
    """
    for name in sets:
        try:
            current = sets[name]
        except Exception as error:
            yield Failure(None, None, name, error)
            continue
        for each in compared:
            try:
                yield measure(each.network, current, backend=each.backend, model=each.label, **options)
            except Exception as error:
                yield Failure(each.label, each.backend, name, error)
        del current  # the next set is read only when this one has left the memory

