"""Puts the page together: what is shown, laid out by ``page.html`` and ``page.css``.

The page holds all it shows and runs no script. Its policy admits pictures that it holds and its one stylesheet, and
nothing else. Names come from files: the template escapes them.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from common import __version__
from eval.report import palette, words
from eval.report.cards import cards
from eval.report.detection import Missed, missed
from eval.report.figures import Figure, curves, histogram
from eval.report.galleries import Gallery, galleries
from eval.report.labels import Labels
from eval.results.document import far_name
from eval.results.tables import TOO_FEW
from eval.roc import FARS

if TYPE_CHECKING:
    from eval.measuring import Measurement
    from eval.sets import VerificationSet

HOME = Path(__file__).parent
MAX_THUMBNAILS = 4000  # of all galleries together: some 15 MB


@dataclass(frozen=True)
class Model:
    """One model on one set."""

    measurement: "Measurement"
    histogram: Figure
    galleries: tuple[Gallery, Gallery]


@dataclass(frozen=True)
class Section:
    """One set and every model that was measured on it; without the set's pictures, which may be large."""

    set: dict
    curves: list[Figure]
    models: list[Model]
    missed: Missed | None


def render(
    measurements: Sequence["Measurement"],
    sets: Mapping[str, "VerificationSet"],
    *,
    command: str,
    gallery: int,
    written: datetime,
) -> str:
    """The page as HTML."""
    labels = Labels(measurements)
    most = min(gallery, MAX_THUMBNAILS // (4 * len(measurements)))
    by_set: dict[str, list[Measurement]] = {}
    for each in measurements:
        by_set.setdefault(each.set_name, []).append(each)
    style = palette.css() + (HOME / "page.css").read_text("utf-8")
    return _template().render(
        command=command,
        written=f"{written:%Y-%m-%d %H:%M} UTC",
        version=__version__,
        style=Markup(style),  # our own file
        policy=_policy(style),
        label=labels,
        colours=len(palette.LIGHT.series),
        measurements=measurements,
        sections=[_section(sets[name], found, labels, most) for name, found in by_set.items()],
        cards=cards(measurements, labels),
        fars=FARS,
        too_few=TOO_FEW,
    )


def _template():
    environment = Environment(
        loader=FileSystemLoader(HOME), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "short": words.short,
        "percent": words.percent,
        "between": words.between,
        "far": far_name,
        "dashes": palette.dashes,
    }
    return environment.get_template("page.html")


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _section(found: "VerificationSet", measurements: Sequence["Measurement"], labels: Labels, most: int) -> Section:
    names = found.provenance.names if found.provenance else None
    models = [
        Model(each, histogram(each.verification), galleries(each.verification, found.pictures, names, most))
        for each in measurements
    ]
    height, width = found.pictures.shape[1:3]
    facts = {"name": found.name, "file": found.path.name, "size": f"{height} x {width}", "provenance": found.provenance}
    return Section(facts, curves(found.name, measurements, labels), models, missed(found, most))
