"""The measurement of galleries does what it says it measures, at a small size."""

import pytest

from bench import gallery
from common.errors import FaceError


@pytest.fixture
def result(tmp_path, monkeypatch):
    for name, value in {"BULK": 40, "SINGLES": 8, "NOTICES": 10, "WRITERS": 2}.items():
        monkeypatch.setattr(gallery, name, value)
    return gallery.measure("sqlite", 100, "exact", 1, tmp_path)


def test_every_figure_is_measured(result):
    assert result["engine"].startswith("SQLite 3.")
    assert len(result["single"]) == 8 and min(result["single"]) > 0
    assert result["threads"] > 0 and result["bulk"] > 0
    assert {name: len(values) for name, values in result["noticing"].items()} == {
        "asking": 10, "search": 2, "search after a change": 2,
    }  # fmt: skip
    assert result["snapshot_bytes"] > 100 * 512 * 4


def test_a_start_from_the_database_leaves_the_snapshot_that_the_next_one_uses(result):
    [[_, written, _]], [[_, still_there, _]] = result["starts"]["database"], result["starts"]["snapshot"]
    assert written and still_there


def test_the_tables_hold_the_figures(result):
    report = gallery.report({"sqlite": result}, 100, "exact")
    enrolling, starting, noticing = report.tables
    assert enrolling.columns == ["", result["engine"]]
    assert [row[0] for row in enrolling.rows] == ["one at a time", "2 threads", "in bulk (40 a call)"]
    assert starting.rows[0][1] == f"{result['starts']['database'][0][0]:.2f}"
    assert "100 people" in starting.title and len(noticing.rows) == 3


def test_a_process_that_fails_is_no_measurement(tmp_path):
    with pytest.raises(FaceError, match="failed"):
        gallery.start(f"sqlite:///{tmp_path}/people.db", "exact", "never", tmp_path)
