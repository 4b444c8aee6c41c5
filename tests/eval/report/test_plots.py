"""The plots: what they draw, and that everybody can tell it apart."""

import re
import sys

import matplotlib
import numpy as np
import pytest

from eval.report import plots
from eval.report.palette import DARK, LIGHT, style
from eval.roc import roc
from tests.eval.report.examples import drawn_pairs

# Machado, Oliveira and Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency, 2009,
# at full severity, on linear RGB.
SEEN_BY = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "everybody else": np.eye(3),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour):
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    """WCAG 2.2."""
    low, high = sorted(TO_XYZ[1] @ linear(colour) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def lab(colour, seen_by):
    xyz = TO_XYZ @ np.clip(np.array(SEEN_BY[seen_by]) @ linear(colour), 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def a_curve(pairs=400, seed=0, spread=0.3):
    cosines, issame = drawn_pairs(pairs, seed, spread)
    return roc(cosines[issame], cosines[~issame])


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_everything_stands_out_from_its_background(theme):
    assert len(set(theme.colours())) == len(theme.colours())
    for behind in (theme.background, theme.surface):
        for words in (theme.text, theme.faint, theme.link):
            assert contrast(words, behind) >= 4.5
        for drawn in (*theme.series, theme.genuine, theme.impostor, theme.threshold):
            assert contrast(drawn, behind) >= 3


@pytest.mark.parametrize("seen_by", SEEN_BY)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_models_can_be_told_apart_without_seeing_every_colour(theme, seen_by):
    assert np.linalg.norm(lab(theme.genuine, seen_by) - lab(theme.impostor, seen_by)) > 30
    assert len({style(number) for number in range(12)}) == 12
    for first in range(6):
        for second in range(first):
            apart = np.linalg.norm(lab(theme.series[first], seen_by) - lab(theme.series[second], seen_by))
            assert apart > 14, (first, second)


def test_a_curve_thinned_for_drawing_keeps_its_values():
    cosines, issame = drawn_pairs(40_000, spread=0.15)
    genuine, impostor = cosines[issame], cosines[~issame]
    far, tar = plots.corners(roc(genuine, impostor))
    assert len(far) < 4 * plots.STEPS < 40_000
    assert (np.diff(far) >= 0).all() and (np.diff(tar) >= 0).all()
    ordered = np.sort(impostor)
    width = 10 ** (-np.log10(far[0]) / plots.STEPS)  # of a cell, as a ratio of FARs
    for wanted in np.geomspace(1e-4, 0.9, 40):
        drawn = tar[np.searchsorted(far, wanted, side="right") - 1]
        low, high = (
            np.mean(genuine > ordered[-int(rate * len(ordered)) - 1]) if rate < 1 else 1.0
            for rate in (wanted / width**2, min(wanted * width**2, 1))
        )
        assert low - 1e-9 <= drawn <= high + 1e-9, wanted
    assert far[0] == 0.5 / len(impostor) and tar[0] == np.mean(genuine > ordered[-1])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "curve",
    [roc(np.array([0.9]), np.array([0.1])), roc(np.array([0.1]), np.array([0.9])), roc(np.ones(3), np.ones(2))],
    ids=["perfect", "always wrong", "all alike"],
)
def test_extreme_curves_can_be_drawn(curve):
    for draw in (plots.roc, plots.det):
        assert draw([(0, curve)]).startswith(b"<?xml")


def test_similarities_of_one_kind_or_all_alike_can_be_drawn():
    nothing = np.array([])
    for genuine, impostor in ((np.ones(3), nothing), (nothing, np.full(2, -1.0)), (np.full(2, 0.5), np.full(2, 0.5))):
        assert b"</svg>" in plots.histogram(genuine, impostor, 0.5)


def test_dark_plots_hold_no_light_colour_and_are_the_same_drawing():
    light = plots.roc([(0, a_curve()), (1, a_curve(seed=1))])
    dark = plots.dark(light)
    used = [colour for colour in LIGHT.colours() if colour in light.decode()]
    assert {LIGHT.surface, LIGHT.text, *LIGHT.series[:2]} <= set(used)
    assert not [colour for colour in used if colour in dark.decode()]
    assert re.sub(b"#[0-9a-f]{6}", b"", light) == re.sub(b"#[0-9a-f]{6}", b"", dark)
    everything = set(re.findall("#[0-9a-f]{6}(?![0-9a-f])", light.decode()))
    assert everything <= set(LIGHT.colours())


def test_the_same_curves_give_the_same_file():
    assert plots.det([(0, a_curve())]) == plots.det([(0, a_curve())])


def test_drawing_leaves_the_callers_matplotlib_alone():
    before = dict(matplotlib.rcParams)
    had_pyplot = "matplotlib.pyplot" in sys.modules
    plots.cmc([("a", np.array([0.5, 1.0]))])
    assert dict(matplotlib.rcParams) == before
    assert had_pyplot or "matplotlib.pyplot" not in sys.modules


@pytest.mark.filterwarnings("error")
def test_a_cmc_takes_any_name_and_number_of_people():
    names = [r"$\frac{$", "_hidden", "שלום", "n" * 500, "a\nb\x1b", ""]
    for shares in ([1.0], [0.4, 0.9, 1.0]):
        assert b"</svg>" in plots.cmc([(name, np.array(shares)) for name in names])


def test_a_cmc_names_everybody_in_its_legend():
    hidden, same, other = (plots.cmc([(name, np.array([0.5, 1.0]))]) for name in ("_hidden", "hidden", "other"))
    assert hidden == same != other
