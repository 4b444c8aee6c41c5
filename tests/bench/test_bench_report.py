import json

import pytest

from bench.report import Report, Table, measurement_parser, positive, run_command
from common.errors import BadArgument

TABLE = Table("Times", ["engine", "ms"], [["ours", "1.5"], ["a|b", "12.25"]])


def test_text_columns_are_aligned():
    assert TABLE.text().splitlines() == [
        "Times",
        "engine     ms",
        "------  -----",
        "ours      1.5",
        "a|b     12.25",
    ]


def test_markdown_escapes_bars_that_would_split_a_cell():
    assert TABLE.markdown().splitlines()[2:] == [
        "| engine | ms |",
        "| --- | ---: |",
        "| ours | 1.5 |",
        "| a\\|b | 12.25 |",
    ]


def test_table_without_rows_still_has_its_head():
    assert Table("Missed", ["photo"]).text().splitlines() == ["Missed", "photo", "-----"]


def test_json_holds_facts_tables_and_data_and_nothing_else_is_printed(capsys):
    Report({"CPU": "x"}, [TABLE], {"seconds": [1.5]}).print("json")
    printed = json.loads(capsys.readouterr().out)
    assert printed["facts"] == {"CPU": "x"}
    assert printed["data"] == {"seconds": [1.5]}
    assert printed["tables"][0]["rows"] == TABLE.rows


def test_form_is_text_unless_asked_for():
    parser = measurement_parser("help")
    assert parser.parse_args([]).form == "text"
    assert parser.parse_args(["--markdown"]).form == "markdown"


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_a_count_that_measures_nothing_is_refused(rounds, capsys):
    parser = measurement_parser("help")
    parser.add_argument("--rounds", type=positive)
    with pytest.raises(SystemExit):
        parser.parse_args(["--rounds", rounds])
    assert "--rounds" in capsys.readouterr().err


def test_an_error_of_the_project_ends_with_its_message_and_exit_code_only(capsys):
    def main():
        raise BadArgument("no such folder")

    with pytest.raises(SystemExit) as ended:
        run_command(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "no such folder\n"
