"""What an import found, and what it did."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Imported:
    """What ``load_into`` took from a source.

    Attributes:
        source: the file.
        matched: layers of the model that have the source's weights now.
        left_out: layers of the model that keep their own: those of an embedding of another size.
        unused: what the source holds besides, by its names.
        folded: normalisations that stood folded in the source and do nothing now; see ``recalibrate``.
        difference: largest difference of the outputs of model and source on random faces; None where not compared.
    """

    source: str
    matched: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    difference: float | None = None

    def __str__(self) -> str:
        parts = [f"{len(self.matched)} layers from {self.source}"]
        if self.left_out:
            parts.append(f"left as they were: {', '.join(self.left_out)}")
        if self.unused:
            parts.append(f"not used: {', '.join(self.unused[:5])}{', ...' if len(self.unused) > 5 else ''}")
        if self.folded:
            parts.append(f"{len(self.folded)} normalisations came folded")
        if self.difference is not None:
            parts.append(f"outputs differ by at most {self.difference:.1e}")
        return "; ".join(parts)


@dataclass(frozen=True)
class Backbone:
    """The arguments with which ``networks.backbones.get`` builds the network of a source."""

    name: str
    embedding_size: int = 512
    input_size: tuple[int, int] = (112, 112)
    width: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, **changes):
        """The backbone with fresh weights; ``changes`` are further arguments (``dropout``, ``embedding_size``)."""
        from networks import backbones

        arguments = {"embedding_size": self.embedding_size, "input_size": self.input_size, "width": self.width}
        return backbones.get(self.name, **(arguments | self.options | changes))
