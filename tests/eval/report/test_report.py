"""What the report says, read from the written page."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest

import eval.report
from common.errors import BadArgument, MissingDependency
from eval.report import page as page_module
from eval.report import writing
from networks.card import MeasuredThreshold, ModelCard, Threshold
from tests.eval.report.examples import DIGEST, drawn_pairs, measured, number_of, provenance_of, set_of
from tests.eval.report.pages import read

HOSTILE = {
    "script": "<script>document.title='run'</script>",
    "attribute": '"><img src=x onerror="document.title=\'run\'">',
    "closes the style": "</style><script>document.title='run'</script>",
    "template": "{{ 7 * 7 }}{% raw %}",
    "long": "n" * 5000,
    "right to left": "\u202eexe.gpj\u2067\u05e9\u05dc\u05d5\u05dd",
    "no text": "bad\udcff\x00\x1b[31mname",
    "dollars": r"$\frac{$",
}


@pytest.fixture(autouse=True)
def without_plots(request, monkeypatch):
    """Plots take most of the time; what is told in words does not need them."""
    if "with_plots" not in request.fixturenames:
        for name in ("roc", "det", "histogram"):
            monkeypatch.setattr(f"eval.report.plots.{name}", lambda *_: b"<svg/>")


@pytest.fixture
def with_plots():
    """Draw them all the same."""


@pytest.fixture
def write(tmp_path):
    def write(measurements, sets, **options):
        folder = tmp_path / "report"
        return read(eval.report.write(folder, measurements, sets, command="python eval/verify.py", **options))

    return write


def gallery(page, title):
    (found,) = [each for each in page.all("details") if each.text.startswith(title)]
    return found


def test_galleries_show_the_pairs_judged_wrong_the_worst_first(write):
    cosines, issame = drawn_pairs(120, spread=0.4)
    names = [f"somebody/{number}.jpg" for number in range(240)]
    measurement = measured(cosines, issame)
    threshold = measurement.verification.threshold
    page = write([measurement], {"toy": set_of(issame, provenance=provenance_of(names))}, gallery=5)
    wrong = {
        "False positives": sorted((-c, i) for i, c in enumerate(cosines) if not issame[i] and c > threshold),
        "False negatives": sorted((c, i) for i, c in enumerate(cosines) if issame[i] and c <= threshold),
    }
    for title, expected in wrong.items():
        assert len(expected) > 5
        found = gallery(page, title)
        assert f"{title} {len(expected)} of 60" in found.text and "the worst 5 are shown" in found.text
        items = list(found.all("li"))
        assert len(items) == 5
        for item, (cosine, pair) in zip(items, expected):
            assert f"{abs(cosine) if title == 'False positives' else cosine:.4f} pair {pair}" in item.text
            pictures = list(item.all("img"))
            assert [number_of(each.picture) for each in pictures] == [2 * pair, 2 * pair + 1]
            assert [each.attributes["alt"].partition(": ")[2] for each in pictures] == names[2 * pair : 2 * pair + 2]


def test_where_no_mistakes_are_shown_they_are_counted(write):
    issame = np.arange(40) % 2 == 0
    none = write([measured(np.where(issame, 0.87, 0.13), issame)], {"toy": set_of(issame)})
    assert "False positives 0 of 20 impostor pairs False negatives 0 of 20 genuine pairs" in none.text
    cosines, issame = drawn_pairs(120, spread=0.4)
    page = write([measured(cosines, issame)], {"toy": set_of(issame)}, gallery=0)
    assert re.search(r"False positives [1-9]\d* of 60 impostor pairs False negatives [1-9]\d* of 60", page.text)
    for each in (none, page):
        assert not list(each.all("details"))


def test_numbers_are_those_of_the_measurement(write):
    cosines, issame = drawn_pairs(400)
    measurement = measured(cosines, issame, bootstrap=20)
    judged = measurement.verification
    page = write([measurement], {"toy": set_of(issame, pictures=np.zeros((800, 8, 8, 3), np.uint8))})
    results, rates = [each.text for each in page.all("table")][:2]
    assert f"{100 * judged.accuracy:.2f} % ± {100 * judged.std:.2f} %" in results
    for number in (f"{judged.threshold:.4f}", f"{judged.auc:.5f}", f"{100 * judged.eer:.2f} %", " 400"):
        assert number in results
    low, high = judged.intervals.tar[1e-2]
    assert f"1e-2 {100 * judged.tar[1e-2]:.2f} % {100 * low:.2f} to {100 * high:.2f} %, threshold" in rates
    assert f"threshold {judged.thresholds[1e-2]:.4f}" in rates
    assert "1e-3 too few pairs" in rates and "1e-6 too few pairs" in rates


def test_a_set_of_one_kind_of_pairs_has_no_curves_and_says_so(write):
    issame = [True] * 20
    page = write([measured(np.linspace(0.2, 0.9, 20), issame)], {"toy": set_of(issame)})
    assert "No curves: the set holds pairs of one kind only." in page.text
    titles = [each.text for each in page.all("figcaption")]
    assert titles == ["Similarities"]


def test_every_plot_is_described_and_there_for_light_and_dark(write, with_plots):
    cosines, issame = drawn_pairs(60)
    page = write([measured(cosines, issame, "mine")], {"toy": set_of(issame)})
    plots = list(page.all("picture"))
    assert [each.text for each in page.all("figcaption")] == ["ROC", "DET", "Similarities"]
    for plot in plots:
        (source,), (shown,) = plot.all("source"), plot.all("img")
        assert source.attributes["srcset"] != shown.attributes["src"]
        assert len(shown.attributes["alt"]) > 60
    assert "1, mine: AUC 0." in next(plots[0].all("img")).attributes["alt"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"missed": []}, "None: a face was found in every picture."),
        ({"missed": ["p/3.jpg"]}, "No face was found in 1 picture . The centre of the picture stands for the face."),
        ({"missed": ["x/1.jpg"], "rule": "exclude", "excluded_pairs": 1234}, "Their pairs, 1,234, are left out."),
        ({"detector": "none"}, "Faces were not looked for"),
        (None, "Not known: the set was taken as it came."),
    ],
    ids=["none", "centre", "exclude", "aligned", "unknown"],
)
def test_failures_of_detection_are_told(changes, expected):
    cosines, issame = drawn_pairs(20)
    names = [f"p/{number}.jpg" for number in range(40)]
    found = set_of(issame, provenance=None if changes is None else provenance_of(names, **changes))
    text = page_module.render(
        [measured(cosines, issame)], {"toy": found}, command="", gallery=2, written=datetime.now(UTC)
    )
    assert expected.replace(" .", ".") in " ".join(re.sub("<[^>]*>", "", text).split()).replace(" .", ".")


def test_what_stands_for_a_face_that_was_not_found_is_shown_and_the_rest_is_counted(write):
    cosines, issame = drawn_pairs(20)
    names = [f"p/{number}.jpg" for number in range(40)]
    missed = ["p/7.jpg", "p/9.jpg", *(f"gone/{number}.jpg" for number in range(500))]
    page = write(
        [measured(cosines, issame)], {"toy": set_of(issame, provenance=provenance_of(names, missed=missed))}, gallery=1
    )
    (shown,) = page.all("ul", "missed")
    assert [number_of(each.picture) for each in shown.all("img")] == [7]
    (named,) = page.all("ul", "names")
    assert len(list(named.all("li"))) == 200
    assert "No face was found in 502 pictures" in page.text and "And 301 more" in page.text


def test_cards_say_where_their_thresholds_come_from(write):
    cosines, issame = drawn_pairs(20)
    there = (
        MeasuredThreshold(0.31, 1e-2, "lfw", 3000, 3000, "2026-11-22", DIGEST),
        MeasuredThreshold(0.42, 1e-3, "agedb_30", 3000, 2999, "2026-11-21", "0" * 64),
    )
    known = ModelCard("known", embedding_size=2, threshold=Threshold(0.31, 1e-2, "lfw, 3000 pairs"), measured=there)
    page = write(
        [
            measured(cosines, issame, "known", card=known),
            measured(cosines, issame, "known", card=known, backend="keras"),
            measured(cosines, issame, "unknown"),
        ],
        {"toy": set_of(issame)},
    )
    (section,) = [each for each in page.all("section") if each.attributes["id"] == "cards"]
    first, second = section.all("article")  # one for both engines
    assert "0.3100 at FAR 1e-2, from: lfw, 3000 pairs" in first.text and "keras" in first.text
    assert "lfw 1e-2 0.3100 3,000 3,000 2026-11-22 these weights" in first.text
    assert "agedb_30 1e-3 0.4200 3,000 2,999 2026-11-21 other weights" in first.text
    assert "none is stated" in second.text


def test_a_hostile_name_is_text_wherever_it_stands(tmp_path):
    cosines, issame = drawn_pairs(20)
    measurements, sets = [], {}
    for name in HOSTILE.values():
        made = provenance_of([name] * 40, missed=[name, f"{name}!"], source=name, detector=name, date=name)
        card = ModelCard(name, embedding_size=2, source=name, threshold=Threshold(0.3, None, name))
        measurements.append(measured(cosines, issame, name, name, card=card))
        sets[name] = set_of(issame, name, made)
    page = read(eval.report.write(tmp_path, measurements, sets, command=" ".join(HOSTILE.values())))
    assert not list(page.all("script"))
    assert all(not key.startswith("on") for each in page.all() for key in each.attributes)
    assert {each.attributes["src"][:10] for each in page.all("img")} == {"data:image"}
    names = {each.text for each in page.all("bdi")}
    assert {HOSTILE[kind] for kind in ("script", "attribute", "closes the style", "template", "dollars")} < names
    assert {"bad\\udcff\\x00\\x1b[31mname", " exe.gpj שלום".strip()} < names
    assert any(name.startswith("nnn") for name in names) and max(map(len, names)) <= 401


def test_the_command_is_shown_as_it_was_called(tmp_path):
    cosines, issame = drawn_pairs(20)
    command = "python eval/verify.py --model 'a & b' --report <here>"
    path = eval.report.write(tmp_path, [measured(cosines, issame)], {"toy": set_of(issame)}, command=command)
    assert next(read(path).all("pre")).text == command


def test_the_page_stays_light_however_large_the_pictures_and_however_many_the_mistakes(tmp_path, monkeypatch):
    cosines, issame = drawn_pairs(200, spread=0.6)
    noise = np.random.default_rng(0).integers(0, 256, (400, 160, 120, 3), np.uint8)  # what JPEG packs worst
    measurement, found = measured(cosines, issame), {"toy": set_of(issame, pictures=noise)}
    path = eval.report.write(tmp_path, [measurement], found, command="", gallery=20)
    pictures = [each for each in read(path).all("img") if each.attributes["src"].startswith("data:image/jpeg")]
    assert len(pictures) == 2 * 20 * 2 and {each.picture.shape for each in pictures} == {(96, 72, 3)}
    assert path.stat().st_size < 1_000_000
    monkeypatch.setattr(page_module, "MAX_THUMBNAILS", 24)
    fewer = read(eval.report.write(tmp_path, [measurement], found, command=""))
    assert len([each for each in fewer.all("img") if "jpeg" in each.attributes["src"][:20]]) == 24


def test_a_report_is_replaced_whole_and_other_files_are_left_alone(tmp_path, monkeypatch):
    cosines, issame = drawn_pairs(20)
    given = [measured(cosines, issame)], {"toy": set_of(issame)}
    folder = tmp_path / "a" / "b"
    path = eval.report.write(folder, *given, command="first")
    (folder / "notes.txt").write_text("mine")
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(BadArgument, match="cannot be written .No space left on device"):
            eval.report.write(folder, *given, command="second")
    assert path.read_bytes() == before
    eval.report.write(folder, *given, command="third")
    assert b"third" in path.read_bytes()
    assert sorted(each.name for each in folder.iterdir()) == ["index.html", "notes.txt"]


def test_a_place_that_takes_no_report_is_known_before_anything_is_measured(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadArgument, match="the report cannot be written .*Name another folder"):
        eval.report.check(tmp_path / "file")


@pytest.mark.parametrize("absent", ["matplotlib", "jinja2"])
def test_a_package_that_is_not_installed_is_named_with_what_to_do(absent, tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "find_spec", lambda name: None if name == absent else object())
    with pytest.raises(MissingDependency, match=rf"needs {absent}\..*pip install '\.\[eval\]'"):
        eval.report.check(tmp_path)


def test_what_makes_no_report_is_refused(tmp_path):
    cosines, issame = drawn_pairs(20)
    one = measured(cosines, issame)
    with pytest.raises(BadArgument, match="no measurements"):
        eval.report.write(tmp_path, [], {}, command="")
    with pytest.raises(BadArgument, match="Measured on toy, but"):
        eval.report.write(tmp_path, [one], {"other": set_of(issame)}, command="")
    for number in (-1, 1.5, True):
        with pytest.raises(BadArgument, match="gallery must be"):
            eval.report.write(tmp_path, [one], {"toy": set_of(issame)}, command="", gallery=number)
    assert not list(tmp_path.iterdir())
