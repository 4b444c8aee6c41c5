"""What can be set is described where people look for it."""

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typer.main import get_command

from train.cli.train import app
from train.config.choice import Choice
from train.config.durations import Duration
from train.config.sections import Config

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text("utf-8")


def keys(section, prefix=""):
    """Every key of a section and of those inside, dotted."""
    for name, hint in get_type_hints(section).items():
        inner = [each for each in (hint, *get_args(hint)) if is_dataclass(each) and each not in (Choice, Duration)]
        if name in {field.name for field in fields(section)}:
            yield from keys(inner[0], f"{prefix}{name}.") if inner else [f"{prefix}{name}"]


KEYS = list(keys(Config))


def test_the_list_of_keys_is_complete():
    assert {"name", "data.train", "partial_fc.rate", "training.xla", "bundle.flip", "schedule"} <= set(KEYS)
    assert len(KEYS) > 40


@pytest.mark.parametrize("key", KEYS)
def test_every_key_stands_in_the_page(key):
    assert re.search(rf"^\| .*`{re.escape(key)}`.* \|", PAGE, re.MULTILINE)


def test_the_page_has_no_key_that_does_not_exist():
    written = {
        key for row in re.findall(r"^\| (`[a-z_.`, ]+) \|", PAGE, re.MULTILINE) for key in re.findall(r"`(.*?)`", row)
    }
    assert {key for key in written if "." in key and not key.endswith((".yaml", ".csv"))} <= set(KEYS)


@pytest.mark.parametrize("option", [name for each in get_command(app).params for name in each.opts])
def test_every_option_of_the_command_stands_in_the_page(option):
    assert f"`{option}" in PAGE
