"""docs/service.md and the pages that it links name every route, code, setting and metric."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from common import config
from recognizer.service import errors
from recognizer.service.app import create_app
from recognizer.service.errors import STATUS, ServiceError
from recognizer.service.metrics import Metrics
from recognizer.service.refusals import EXAMPLES, status_of
from recognizer.service.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "service.md").read_text("utf-8")
PAGES = PAGE + "".join((ROOT / "docs" / name).read_text("utf-8") for name in ("people-and-jobs.md", "security.md"))
PATHS = create_app().openapi()["paths"]


@pytest.mark.parametrize(
    "route", [f"{method.upper()} {path[4:]}" for path, methods in PATHS.items() for method in methods]
)
def test_every_route_stands_in_a_page_that_is_linked(route):
    named = re.sub(r"\{(photo|job_id|key_id)\}", "{id}", route)
    assert f"`{named}`" in PAGES


def test_every_code_stands_beside_its_status():
    known = {(answer.status, answer.code) for answer in STATUS.values()}
    known |= {
        (each.status, each.code)
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, ServiceError)
    }
    known |= {(status, code) for status, code in errors._HTTP.items()}
    known |= {(status_of(code), code) for code in EXAMPLES}
    listed = {
        (int(status), code)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.*) \|$", PAGE, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", codes)
    }
    assert known == listed


def test_every_setting_stands_in_the_page_with_the_value_it_is_installed_with():
    installed = config.load(ROOT / "configs" / "recognizer.yaml")["service"]
    assert set(installed) == {field.name for field in fields(ServiceSettings)}
    for key, value in installed.items():
        row = re.search(rf"^\| `{key}` \|.*\| `(.*)` \|$", PAGE, re.MULTILINE)
        assert row and row[1] == json.dumps(value).replace('"', ""), key


def test_what_is_installed_is_what_the_code_takes_where_the_file_is_silent():
    installed = config.load(ROOT / "configs" / "recognizer.yaml")["service"]
    for field in fields(ServiceSettings):
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        assert installed[field.name] == default, field.name


def test_every_metric_stands_in_the_page():
    counted = {metric.name for metric in Metrics().registry.collect()}
    listed = set(re.findall(r"^\| `(recognizer_\w+)` \|", PAGE, re.MULTILINE))
    assert counted <= listed and listed - counted == {"recognizer_index_size", "recognizer_index_lag_revisions"}
