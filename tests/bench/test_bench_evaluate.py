"""The measurement of evaluation does what it says it measures, at a small size."""

import numpy as np
import pytest

import eval
from bench import evaluate
from bench.evaluate import BARE, CONTESTANTS, FOLDER, OURS, TRIANGLE, VERIFY, WHOLE, Run, Work
from eval.identities import Identities
from tests.eval import people


@pytest.fixture
def work(tmp_path):
    """Twenty pictures of two people for a tiny network, as a ``.bin`` and as a folder."""
    pictures = people.folder(tmp_path / "people", [10, 10]).values()
    eval.write_bin(tmp_path / "faces.bin", list(pictures), [True, False] * 5)
    return Work(tmp_path, str(people.model(tmp_path / "model")), "sum_raw", 7, 1)


@pytest.mark.parametrize("flip", ["none", "sum_raw"])
@pytest.mark.parametrize("label", CONTESTANTS)
def test_every_contestant_runs_every_picture_as_often_as_the_flip_rule_asks(work, label, flip, monkeypatch):
    from networks.engines.openvino import OpenVINOEngine

    faces, run = [], OpenVINOEngine.__call__
    monkeypatch.setattr(OpenVINOEngine, "__call__", lambda self, *x: faces.append(len(x[0])) or run(self, *x))
    work = Work(work.folder, work.model, flip, work.batch, work.threads)
    done = evaluate.run_once(label, work)
    sides = 1 if flip == "none" else 2
    expected = [7] * 2 * sides + [6] * sides
    assert faces[-len(expected) :] == expected and done.pictures == 20
    assert done.seconds > 0


def test_memory_is_the_peak_of_the_work_and_not_of_what_came_before(work, monkeypatch):
    def hungry(network, work):
        np.ones(100 * 2**20, np.uint8)
        return 1.0, 8

    np.ones(300 * 2**20, np.uint8)  # before: forgotten
    monkeypatch.setitem(CONTESTANTS, VERIFY, hungry)
    assert 90 < evaluate.run_once(VERIFY, work).memory < 200


def test_rates_are_medians_and_memory_the_highest():
    turns = {label: iter([(4, 10), (1, 30), (2, 20)]) for label in CONTESTANTS}

    def once(label, work):
        seconds, memory = next(turns[label])
        return Run(seconds, 8, memory)

    figures = evaluate.measure_pictures(None, 3, once)
    assert figures == {label: {"rate": 4.0, "memory": 30} for label in CONTESTANTS}
    figures[VERIFY] = {"rate": 3.8, "memory": 612.4}
    rows = evaluate.pictures_table(figures, 8, "none").rows
    assert rows[0] == [BARE, "4", "100 %", "-"] and rows[1] == [VERIFY, "4", "95 %", "612"]


def test_both_forms_hold_the_same_pictures(tmp_path, monkeypatch):
    jpegs = [f"jpeg {number}".encode() for number in range(40)]
    monkeypatch.setattr(evaluate, "varied_faces", lambda count: iter(jpegs[:count]))
    written = {}
    monkeypatch.setattr(evaluate, "write_bin", lambda path, bins, issame: written.update(bins=bins, issame=issame))
    evaluate.write_pictures(tmp_path, 40)
    found = Identities.of(tmp_path / "people")
    assert sorted((found.root / file).read_bytes() for file in found.files) == sorted(written["bins"]) == sorted(jpegs)
    assert np.bincount(found.labels).tolist() == [10] * 4 and sum(written["issame"]) == 10


def test_the_product_covers_each_pair_once_or_the_whole_matrix(monkeypatch):
    monkeypatch.setattr(evaluate, "TILE", 8)
    seen = []
    monkeypatch.setattr(evaluate.np, "matmul", lambda left, right, out: seen.append(out.size))
    rows = np.zeros((20, 4), np.float32)
    for whole, expected in ((True, 400), (False, 64 + 64 + 32 + 64 + 32 + 16)):
        seen.clear()
        evaluate.product(rows, whole)
        assert sum(seen) == expected


def test_pairs_are_compared_by_everybody_and_ratios_are_to_both_products():
    assert set(evaluate.measure_pairs(60, 8, 1)) == {OURS, TRIANGLE, WHOLE}
    rows = evaluate.pairs_table({OURS: 6.0, TRIANGLE: 5.0, WHOLE: 10.0}, 60, 8).rows
    assert rows[0] == [OURS, "6.00", "1.20", "0.60"]


def test_people_are_alike_enough_to_be_told_apart():
    rows, labels = evaluate.people(200, 64)
    found = eval.all_pairs(rows, labels)
    assert found.genuine == 10 * 190 and 0.9 < found.auc <= 1


def test_an_odd_number_of_pictures_is_made_even():
    assert [evaluate.even(text) for text in ("7", "8")] == [8, 8] and FOLDER in CONTESTANTS
