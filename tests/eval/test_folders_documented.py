"""docs/all-pairs.md has every option of the two commands, with its default, and no other."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from eval.cli.all_pairs import app as all_pairs
from eval.cli.identify import app as identify
from eval.faces import MISSING

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "all-pairs.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| (`--.*?) \| (.*) \|$", PAGE, re.MULTILINE))
DOCUMENTED = {option: text for options, text in ROWS.items() for option in re.findall(r"`(-.*?)`", options)}
OPTIONS = {name: each for app in (all_pairs, identify) for each in get_command(app).params for name in each.opts}


@pytest.mark.parametrize("option", [name for name in OPTIONS if name.startswith("-")])
def test_every_option_stands_in_the_page_with_its_default(option):
    assert option in DOCUMENTED
    default = OPTIONS[option].default
    if default and default is not True and option not in ("--enlarge", "--device", "--precision", "--missing"):
        assert f"{default}" in DOCUMENTED[option], default


def test_the_page_has_no_option_that_does_not_exist():
    assert set(DOCUMENTED) - {"--help", "-h", "--missing"} <= set(OPTIONS)


def test_every_rule_for_pictures_without_a_face_stands_in_the_page():
    assert re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE) == list(MISSING)
