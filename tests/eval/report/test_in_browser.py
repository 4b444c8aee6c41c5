"""The report, opened in a real browser without a network."""

import itertools
import time

import numpy as np
import pytest

import eval.report
from eval.report.palette import DARK, LIGHT
from networks.card import ModelCard
from tests.browser.fixtures import browser  # noqa: F401 - a fixture
from tests.eval.report.examples import comparison, drawn_pairs, measured, provenance_of, set_of

ATTACK = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\"></style>"
LONG = "a_very_long_name_without_a_space" * 40
RTL = "\u202eexe.gpj\u05e9\u05dc\u05d5\u05dd"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Paths of written reports, by name."""
    folder = tmp_path_factory.mktemp("reports")
    cosines, issame = drawn_pairs(100, spread=0.4)
    one = (
        [measured(cosines, issame, bootstrap=10)],
        {"toy": set_of(issame, provenance=provenance_of(["p/1.jpg"] * 200))},
    )
    names = [ATTACK, LONG, RTL, *["p/1.jpg"] * 197]
    made = provenance_of(names, source=LONG, detector=ATTACK, missed=[ATTACK, LONG, RTL, "gone" + ATTACK])
    hostile = (
        [
            measured(cosines, issame, n, LONG, card=ModelCard(n, embedding_size=2, source=n))
            for n in (ATTACK, LONG, RTL)
        ],
        {LONG: set_of(issame, LONG[:200], made)},
    )
    given = {"one": one, "many": comparison(pairs=60), "hostile": hostile}
    return {
        name: eval.report.write(folder / name, *parts, command=f"python eval/verify.py --report {name}")
        for name, parts in given.items()
    }


def theme_of(page):
    """The theme that the page and its first plot are both shown in."""
    shown = [page.eval_on_selector(w, "each => getComputedStyle(each).backgroundColor") for w in ("html", "section")]
    plot = page.locator(".plot img").first.evaluate("each => atob(each.currentSrc.split('base64,')[1])")
    (found,) = [
        theme
        for theme in (LIGHT, DARK)
        if shown == [rgb(theme.background), rgb(theme.surface)] and theme.surface in plot
    ]
    return found


def rgb(colour):
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


@pytest.mark.parametrize("name", ["one", "many", "hostile"])
def test_the_page_shows_whole_on_telephones_and_screens_light_and_dark(browser, reports, name):  # noqa: F811
    with browser.open(reports[name]) as opened:
        assert opened.page.title() == "Face verification report"
        for place in opened.page.locator("nav a").evaluate_all("all => all.map(each => each.getAttribute('href'))"):
            assert opened.page.locator(place).count() == 1
        for width, dark in itertools.product((390, 1440), (False, True)):
            opened.show(width=width, dark=dark)
            opened.photograph(f"report-{name}-{width}-{'dark' if dark else 'light'}")
            assert (opened.overflow, opened.broken_pictures) == (0, [])
            assert theme_of(opened.page) == (DARK if dark else LIGHT)
        assert opened.problems == []


def test_reports_of_one_model_open_their_galleries_and_of_several_on_a_click(browser, reports):  # noqa: F811
    with browser.open(reports["one"]) as opened:
        assert opened.page.locator(".pair img").first.is_visible()
    with browser.open(reports["many"]) as opened:
        gallery = opened.page.locator("details:has(.pair)").first
        assert not gallery.locator("img").first.is_visible()
        gallery.locator("summary").click()
        assert gallery.locator("img").first.is_visible()


def test_the_policy_refuses_what_an_attacker_would_add(browser, reports, tmp_path):  # noqa: F811
    page = reports["one"].read_text("utf-8")
    added = (
        "<script>document.title = 'run'</script><style>body { display: none }</style>"
        "<img src='http://127.0.0.1:9/x.png'><div id=d style='display: none'>there</div><iframe src='data:text/html,x'>"
    )
    changed = tmp_path / "changed.html"
    changed.write_text(page.replace("<main>", f"<main>{added}"), "utf-8")
    with browser.open(changed) as opened:
        opened.page.wait_for_timeout(100)
        assert opened.page.title() == "Face verification report"
        assert opened.page.locator("#d").is_visible()
        refused = " ".join(opened.problems)
    for directive in ("script-src", "style-src", "img-src", "frame-src"):
        assert directive in refused
    assert "asks for" not in refused


def test_wide_tables_scroll_by_themselves_and_can_be_reached_by_keyboard(browser, reports):  # noqa: F811
    with browser.open(reports["many"], width=390) as opened:
        tables = opened.page.locator(".table")
        assert set(tables.evaluate_all("all => all.map(each => each.tabIndex)")) == {0}
        table = tables.nth(1)
        assert table.evaluate("each => each.scrollWidth > each.clientWidth")
        table.focus()
        opened.page.keyboard.press("ArrowRight")
        deadline = time.monotonic() + 5
        while not table.evaluate("each => each.scrollLeft"):
            assert time.monotonic() < deadline
            opened.page.wait_for_timeout(20)


def test_text_is_large_enough_to_read_on_a_telephone(browser, reports):  # noqa: F811
    with browser.open(reports["one"], width=390) as opened:
        sizes = opened.page.evaluate(
            "[...document.querySelectorAll('main *')].filter(each => each.innerText)"
            ".map(each => parseFloat(getComputedStyle(each).fontSize))"
        )
        plot = opened.page.locator(".plot img").first.bounding_box()
    assert min(sizes) >= 12
    assert 9 / 72 * 96 * plot["width"] / (4.4 * 96) >= 9  # letters of 9 points in a plot of 4.4 inches, in pixels
    assert np.isclose(plot["width"] / plot["height"], 4.4 / 3.5, rtol=0.02)
