"""Plots as SVG, in the light colours; ``dark`` gives the same drawing in the dark ones.

Figures are drawn without pyplot: nothing of the caller's matplotlib is changed, and no display is needed.
"""

import io
import re
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import style as styles
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from common.cli.failures import printable
from eval.report.palette import DARK, LIGHT, style
from eval.results.document import far_name
from eval.roc import Roc

SIZE = (4.4, 3.5)  # inches: on a telephone a plot is as wide, and its text as large, as it is drawn
LEFT, BOTTOM = 0.155, 0.14  # margins, as shares: letting matplotlib work them out doubles the time
STEPS = 1000  # a curve is drawn at most this fine over the width
BINS = (12, 60)  # of a histogram, at least and at most
LABEL = 32  # characters of a name inside a plot
SETTINGS = {
    "svg.hashsalt": "report",  # the same curves give the same file
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.facecolor": LIGHT.surface,
    "figure.facecolor": LIGHT.surface,
    "axes.edgecolor": LIGHT.faint,
    "axes.labelcolor": LIGHT.text,
    "text.color": LIGHT.text,
    "xtick.color": LIGHT.faint,
    "xtick.labelcolor": LIGHT.text,
    "ytick.color": LIGHT.faint,
    "ytick.labelcolor": LIGHT.text,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT.line,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.parse_math": False,  # a name may hold dollars; powers are written 1e-3, as on the page
}
_DARK = dict(zip(LIGHT.colours(), DARK.colours()))

Series = Sequence[tuple[int, Roc]]


def roc(series: Series) -> bytes:
    """True accept rate against false accept rate, the latter logarithmic, of numbered series."""

    def draw(axes: Axes) -> None:
        lowest = 1.0
        for number, curve in series:
            far, tar = corners(curve)
            lowest = min(lowest, tar[0])
            _line(axes, number, far, tar)
        _far_axis(axes, series)
        axes.set_ylim(max(np.floor(lowest * 10 - 0.5) / 10, 0), 1.01)
        axes.set_ylabel("true accept rate (TAR)")
        axes.yaxis.set_major_formatter(_percent)

    return _svg(draw)


def det(series: Series) -> bytes:
    """False reject rate against false accept rate, both logarithmic, of numbered series.

    Rates of less than one pair are drawn at half a pair.
    """

    def draw(axes: Axes) -> None:
        for number, curve in series:
            far, tar = corners(curve)
            _line(axes, number, far, np.maximum(1 - tar, _half(curve.genuines)))
        _far_axis(axes, series)
        axes.set_yscale("log")
        _powers(axes.yaxis)
        axes.set_ylim(min(_half(curve.genuines) for _, curve in series) / 1.3, 1)
        axes.set_ylabel("false reject rate (1 - TAR)")

    return _svg(draw)


def histogram(genuine: np.ndarray, impostor: np.ndarray, threshold: float) -> bytes:
    """Similarities of genuine and of impostor pairs, each as shares of their kind, with the threshold."""
    everything = np.concatenate([genuine, impostor, [threshold]])
    low, high = max(everything.min() - 0.02, -1), min(everything.max() + 0.02, 1)
    bins = int(np.clip(4 * np.cbrt(len(everything)), *BINS))
    edges = np.linspace(low, high, bins + 1)
    kinds = (("impostor pairs", impostor, LIGHT.impostor, "--"), ("genuine pairs", genuine, LIGHT.genuine, "-"))

    def draw(axes: Axes) -> None:
        for name, values, colour, dashes in kinds:
            if len(values):
                shares = np.histogram(np.clip(values, low, high), edges)[0] / len(values)
                axes.stairs(shares, edges, fill=True, color=colour, alpha=0.3, lw=0)
                axes.stairs(shares, edges, color=colour, lw=1.3, ls=dashes, label=name)
        axes.axvline(threshold, color=LIGHT.threshold, lw=1.2, ls=":", label=f"threshold {threshold:.4f}")
        axes.set_xlim(low, high)
        axes.set_xlabel("similarity (cosine)")
        axes.set_ylabel("share of pairs")
        axes.yaxis.set_major_formatter(_percent)
        axes.figure.legend(loc="upper center", ncols=3, fontsize=8, handlelength=1.6, columnspacing=1.2)

    return _svg(draw, top=0.9)


def cmc(series: Sequence[tuple[str, np.ndarray]]) -> bytes:
    """Cumulative match characteristic: share of probes whose person is among the k most similar.

    Args:
        series: name and ``Identification.cmc`` of each.
    """

    def draw(axes: Axes) -> None:
        for number, (name, shares) in enumerate(series):
            _line(axes, number, np.arange(1, len(shares) + 1), shares, _label(name))
        lowest = min(shares[0] for _, shares in series)
        axes.set_xscale("log")
        axes.set_xlim(1, max(max(len(shares) for _, shares in series), 2))
        axes.set_ylim(max(np.floor(lowest * 10 - 0.5) / 10, 0), 1.01)
        axes.set_xlabel("rank k")
        axes.set_ylabel("identified within rank k")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(_percent)
        axes.legend(loc="lower right", fontsize=8)

    return _svg(draw)


def corners(curve: Roc) -> tuple[np.ndarray, np.ndarray]:
    """FAR and TAR of the corners that can be told apart on a logarithmic axis; FAR 0 stands at half a pair."""
    far, tar = curve.points()
    far = np.maximum(far, _half(curve.impostors))
    cells = np.floor(np.log10(far) / np.log10(far[0]) * STEPS)
    edge = cells[1:] != cells[:-1]
    kept = np.append(True, edge) | np.append(edge, True)
    if (first := int(np.searchsorted(far, far[0], side="right"))) > 1:
        kept[: first - 1] = False  # of those at FAR 0, the last is the curve's
    return far[kept], tar[kept]


def dark(svg: bytes) -> bytes:
    """A drawing of this file in the dark colours."""
    text = svg.decode("utf-8")
    return re.sub("#[0-9a-f]{6}", lambda found: _DARK.get(found[0], found[0]), text).encode("utf-8")


def _svg(draw: Callable[[Axes], None], top: float = 0.97) -> bytes:
    with styles.context(["default", SETTINGS]):
        figure = Figure(SIZE)
        draw(figure.add_axes((LEFT, BOTTOM, 0.96 - LEFT, top - BOTTOM)))
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _line(axes: Axes, number: int, x: np.ndarray, y: np.ndarray, label: str | None = None) -> None:
    colour, dashes = style(number)
    axes.plot(x, y, color=colour, lw=1.6, ls=(0, dashes) if dashes else "-", label=label)


def _far_axis(axes: Axes, series: Series) -> None:
    axes.set_xscale("log")
    _powers(axes.xaxis)
    axes.set_xlim(min(_half(curve.impostors) for _, curve in series), 1)
    axes.set_xlabel("false accept rate (FAR)")


def _powers(axis: Axis) -> None:
    axis.set_major_formatter(lambda value, _: "1" if value == 1 else far_name(value))
    axis.set_minor_formatter(NullFormatter())


def _percent(share: float, _: int | None = None) -> str:
    return f"{100 * share:.6g}%"


def _half(pairs: int) -> float:
    return 0.5 / pairs


def _label(name: str) -> str:
    """A name as one short line of what the plots' font can draw."""
    text = printable(name).encode("ascii", "replace").decode().replace("\n", " ")
    return (text if len(text) <= LABEL else f"{text[: LABEL - 3]}...").lstrip("_")  # matplotlib hides "_name"
