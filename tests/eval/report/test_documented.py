"""What can be set is described in the report's page, and the report's files are installed with it."""

import configparser
import re
from fnmatch import fnmatch
from inspect import signature
from pathlib import Path

import pytest

import eval.report
from eval.report import plots

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "report.md").read_text("utf-8")


@pytest.mark.parametrize("name", signature(eval.report.write).parameters)
def test_every_argument_stands_in_the_page(name):
    assert re.search(rf"^\| `{name}` \|", PAGE, re.MULTILINE)


def test_the_page_names_every_plot_and_the_default_size_of_a_gallery():
    for draw in (plots.roc, plots.det, plots.histogram, plots.cmc):
        assert f"`{draw.__name__}`" in PAGE
    assert f"gallery={signature(eval.report.write).parameters['gallery'].default})" in PAGE


def test_every_variable_of_the_browser_stands_in_the_page():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "browser").glob("*.py"))
    assert set(re.findall("RECOGNIZER_[A-Z_]+", code)) == set(
        re.findall(r"^\| `(RECOGNIZER_[A-Z_]+)`", PAGE, re.MULTILINE)
    )


def test_template_and_stylesheet_are_installed_with_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    patterns = setup["options.package_data"].get("eval.report", "").replace(",", " ").split()
    files = [path.name for path in (ROOT / "eval" / "report").iterdir() if path.is_file() and path.suffix != ".py"]
    assert sorted(files) == ["page.css", "page.html"]
    for name in files:
        assert any(fnmatch(name, pattern) for pattern in patterns), name
