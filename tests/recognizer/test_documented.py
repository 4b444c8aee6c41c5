"""What users can set is described where they look for it."""

import json
import re
from dataclasses import fields
from inspect import Parameter, signature
from pathlib import Path

import pytest

from common import config
from mtcnn import DETECTORS
from networks import zoo
from recognizer import Recognizer
from recognizer.service.settings import ServiceSettings
from recognizer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("common", "networks", "mtcnn", "db", "recognizer")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("key", [field.name for field in fields(Settings)])
def test_every_setting_stands_in_the_page_with_the_value_it_is_installed_with(key):
    row = re.search(rf"^\| `{key}` \|.*\| `(.*)` \|$", read("docs/settings.md"), re.MULTILINE)
    assert row, f"docs/settings.md has no row for {key}"
    installed = config.load(ROOT / "configs" / "recognizer.yaml")[key]
    assert row[1] == written(installed)


def written(value):
    """A value as people write it in YAML, without quotes."""
    return json.dumps(value).replace('"', "")


def test_every_environment_variable_stands_in_the_page():
    code = "".join(path.read_text(encoding="utf-8") for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
    variables = {name for name in re.findall(r"RECOGNIZER_[A-Z_]+", code) if not name.endswith("_")}
    assert len(variables) >= 7
    page = read("docs/settings.md")
    listed = set(re.findall(r"^\| `(RECOGNIZER_[A-Z_]+)`", page, re.MULTILINE))
    of_settings = {f"RECOGNIZER_{field.name.upper()}" for field in fields(Settings)}
    of_settings |= {f"RECOGNIZER_SERVICE_{field.name.upper()}" for field in fields(ServiceSettings)}
    assert "`RECOGNIZER_` and its name in capitals" in page and "`RECOGNIZER_SERVICE_` and its name" in page
    assert variables - of_settings == listed - of_settings


@pytest.mark.parametrize("name", DETECTORS)
def test_every_option_of_a_detector_stands_in_the_page(name):
    options = signature(DETECTORS[name]).parameters.values()
    page = read("docs/settings.md")
    for option in options:
        assert option.kind is not Parameter.KEYWORD_ONLY or f"`{option.name}`" in page, option.name


@pytest.mark.parametrize("name", zoo.names())
def test_every_model_stands_in_the_readme(name):
    assert f"`{name}`" in read("README.md")


def test_every_word_of_the_recognizer_stands_in_the_readme():
    words = [name for name in vars(Recognizer) if not name.startswith("_") and name not in ("close", "threshold")]
    assert len(words) == 17
    for word in words:
        assert f"`{word}(" in read("README.md"), word
