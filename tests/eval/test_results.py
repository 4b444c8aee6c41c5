"""Results are the same numbers in every form, and names from outside stay text."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from common.errors import BadModel, UnknownChoice
from eval.comparing import Comparison, Failure
from eval.measuring import Measurement
from eval.protocols.verification import verification
from eval.results import FORMATS, SUFFIXES
from eval.results.document import far_name
from eval.roc import FARS
from networks.card import ModelCard


def measured(model="m", set_name="lfw", same=None, bootstrap=0):
    """400 pairs, of which every other is genuine, or as ``same`` says."""
    draw = np.random.default_rng(0)
    issame = np.arange(400) % 2 == 0 if same is None else np.array(same)
    first, second = draw.normal(size=(2, len(issame), 8))
    second = np.where(issame[:, None], first + 1.5 * second, second)
    rows = np.stack([first, second], 1).reshape(-1, 8)
    judged = verification(rows, issame, bootstrap=bootstrap)
    return Measurement(model, "openvino", set_name, "sum_raw", ModelCard(model), "d" * 64, judged, 800, 4.0)


@pytest.fixture
def printed(capsys):
    """What a format prints of these measurements and failures."""

    def call(name, measurements, failures=()):
        FORMATS[name](Comparison(list(measurements), list(failures)))
        return capsys.readouterr().out

    return call


def strict(text):
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_every_format_has_an_ending_and_an_unknown_one_lists_them():
    assert sorted(SUFFIXES.values()) == sorted(FORMATS) == ["csv", "json", "markdown", "table"]
    with pytest.raises(UnknownChoice, match="Unknown format 'xml'. Expected one of: table, json, csv, markdown"):
        FORMATS["xml"]


@pytest.mark.parametrize(
    ("far", "name"), [(0.1, "1e-1"), (1e-6, "1e-6"), (5e-4, "5e-4"), (0.0025, "2.5e-3"), (1e-10, "1e-10")]
)
def test_rates_are_written_as_the_field_writes_them(far, name):
    assert far_name(far) == name


def test_json_and_csv_hold_the_numbers_unrounded(printed):
    one = measured(bootstrap=20)
    [document] = strict(printed("json", [one]))["measurements"]
    [row] = csv.DictReader(io.StringIO(printed("csv", [one])))
    judged = one.verification
    for name in ("accuracy", "std", "threshold", "far", "auc", "eer", "validation_rate", "validation_far"):
        assert document[name] == float(row[name]) == getattr(judged, name)
    assert document["pictures_per_second"] == float(row["pictures_per_second"]) == 200
    for far in FARS:
        name = far_name(far)
        found = (document["tar"][name], document["thresholds"][name])
        assert found == (judged.tar[far], judged.thresholds[far])
        assert (row[f"tar_{name}"], row[f"threshold_{name}"]) == tuple("" if v is None else str(v) for v in found)
    assert [judged.tar[far] is None for far in FARS] == [False, False, True, True, True, True]
    low, high = judged.intervals.tar[0.1]
    assert document["intervals"]["tar"]["1e-1"] == [low, high] and document["intervals"]["tar"]["1e-3"] is None
    assert (float(row["tar_1e-1_low"]), float(row["tar_1e-1_high"]), row["tar_1e-3_low"]) == (low, high, "")
    assert document["card"]["name"] == "m" and len(document["accuracies"]) == 10


def test_csv_has_the_same_columns_whatever_was_measured(printed):
    headings = {
        printed("csv", *given).splitlines()[0]
        for given in (([measured()],), ([measured(bootstrap=5)],), ([], [Failure("m", None, None, BadModel("no"))]))
    }
    assert len(headings) == 1


def test_sets_without_strangers_have_no_rates_in_any_form(printed):
    one = measured(same=[True] * 20)
    [document] = strict(printed("json", [one]))["measurements"]
    assert document["auc"] is None and document["far"] is None and document["validation_rate"] is None
    assert printed("table", [one]).count("too few pairs") == 6
    [row] = csv.DictReader(io.StringIO(printed("csv", [one])))
    assert row["auc"] == row["tar_1e-1"] == "" and float(row["accuracy"]) == one.verification.accuracy


def test_what_is_not_a_number_stays_out(printed):
    one = measured()
    one = replace(one, verification=replace(one.verification, validation_rate=math.nan, validation_std=math.nan))
    assert strict(printed("json", [one]))["measurements"][0]["validation_rate"] is None
    assert "nan" not in printed("table", [one]) + printed("markdown", [one]) + printed("csv", [one])


def test_hostile_names_stay_text(printed):
    name = "a|b\n\x1b[31m<script>[x](y)*"
    failure = Failure(name, None, None, BadModel("no\n\nsuch <b>model</b>"))
    one = [measured(name, set_name="<i>\x1b")]
    page = printed("markdown", one, [failure])
    row = page.split("Mean")[1].splitlines()[4]
    assert row.replace("\\|", "").count("|") == 7 and "\\<script\\>\\[x\\](y)\\*" in row
    assert "<" not in page.replace("\\<", "") and "- a\\|b" in page and "no such \\<b\\>model" in page
    for form in FORMATS:
        assert "\x1b" not in printed(form, one, [failure]), form
    [row, failed] = csv.DictReader(io.StringIO(printed("csv", one, [failure])))
    assert row["model"] == name.replace("\x1b", "\\x1b") and failed["error"] == "no\n\nsuch <b>model</b>"


def test_markdown_is_the_table_with_the_same_cells(printed):
    both = [measured(), measured(set_name="cfp_fp", bootstrap=5)]
    page = [line.strip("| ").split(" | ") for line in printed("markdown", both).splitlines() if line.startswith("| ")]
    lines = printed("table", both).splitlines()
    for cells in page:
        if "---" in cells[0]:
            continue
        assert any(line.split() == " ".join(cells).split() for line in lines), cells
    assert len(page) == (2 + 2) + (2 + 1) + 2 * (2 + 2) + (2 + 1)


def test_accuracy_by_set_leaves_a_gap_where_a_model_failed(printed):
    three = [measured("a"), measured("b"), measured("a", "cfp_fp")]
    text = printed("table", three, [Failure("b", "openvino", "cfp_fp", BadModel("broken"))])
    accuracy = f"{100 * three[0].verification.accuracy:.2f}"
    lines = [line.split() for line in text.split("\n\n")[1].splitlines()]
    assert lines[1:] == [
        ["Model", "lfw", "cfp_fp"],
        ["a", accuracy, accuracy],
        ["b", accuracy, "-"],
    ]
    assert text.splitlines()[-2:] == ["Not measured", "b (openvino) on cfp_fp: broken"]


def test_what_differs_is_a_column_and_what_does_not_is_said_once(printed):
    one = measured()
    same = printed("table", [one, replace(one, model="n")])
    assert "folds, set lfw, backend openvino, flip sum_raw\n" in same
    assert same.count("openvino") == same.count("sum_raw") == 2, "once for each table"
    for changes in ({"backend": "keras"}, {"flip": "none"}, {"set_name": "cfp_fp"}):
        [(name, value)] = changes.items()
        column, title = name.removesuffix("_name").capitalize(), f", {name.removesuffix('_name')} "
        numbers = printed("table", [one, replace(one, **changes)]).split("Mean")[1].split("\n\n")[0].splitlines()
        assert title not in numbers[0] and column in numbers[1] and value in numbers[3] and value not in numbers[2]
