"""The models of a report: what their cards say, each model once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.report.labels import Label, Labels
from networks.card import ModelCard

if TYPE_CHECKING:
    from eval.measuring import Measurement


@dataclass(frozen=True)
class Card:
    """A model: the labels it is measured under, its card, the digest of its weights and feeding, and fields as text."""

    labels: list[Label]
    card: ModelCard
    digest: str
    fields: list[tuple[str, str]]


def cards(measurements: Sequence["Measurement"], labels: Labels) -> list[Card]:
    """One for each model, however many engines it ran on and sets it was measured on."""
    by_model: dict[tuple[str, str], list[Measurement]] = {}
    for each in measurements:
        by_model.setdefault((each.model, each.digest), []).append(each)
    return [
        Card(list(dict.fromkeys(map(labels, same))), same[0].card, digest, _fields(same[0].card, digest))
        for (_, digest), same in by_model.items()
    ]


def _fields(card: ModelCard, digest: str) -> list[tuple[str, str]]:
    height, width = card.input_size or ("any", "any")
    return [
        ("name", card.name),
        ("source", card.source or "not stated"),
        ("input", f"{height} x {width} (height x width), {card.colour.upper()}, (x - {card.mean:g}) / {card.scale:g}"),
        ("embedding", f"{card.embedding_size} values"),
        ("flip", card.flip),
        ("digest", digest),
    ]
