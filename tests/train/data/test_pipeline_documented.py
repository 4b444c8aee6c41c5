"""Every option of the pipeline, the augmentations and the merge is in its page, with its default."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from train.data.augment import AUGMENTATIONS
from train.data.augment.operations import OPERATIONS
from train.data.pipeline import Pipeline

DOCS = Path(__file__).parents[3] / "docs"


def rows(page):
    return [line for line in (DOCS / page).read_text("utf-8").splitlines() if line.startswith("|")]


def test_every_option_of_the_pipeline_is_documented():
    documented = " ".join(row.split("|")[1] for row in rows("pipeline.md"))
    for option in list(inspect.signature(Pipeline).parameters)[1:]:
        assert f"`{option}`" in documented, option


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_is_documented_in_its_order_with_its_defaults(name):
    pages = [row for row in rows("pipeline.md") if row.split("|")[1].strip(" `") in AUGMENTATIONS]
    assert [row.split("|")[1].strip(" `") for row in pages] == list(AUGMENTATIONS)
    row = pages[list(AUGMENTATIONS).index(name)]
    for option in fields(AUGMENTATIONS[name]):
        value = getattr(AUGMENTATIONS[name](), option.name)
        shown = "[" + ", ".join(f"{each:.4g}" for each in value) + "]" if isinstance(value, tuple) else str(value)
        shown = {"True": "true", "None": "all", "9": "9 of 30"}.get(shown, shown.removesuffix(".0"))
        assert f"`{option.name}` {shown}" in row, (option.name, shown)
    assert name != "randaugment" or all(operation in row for operation in OPERATIONS)


def test_every_option_of_the_merge_is_documented():
    from train.cli.merge_datasets import app

    documented = " ".join(row.split("|")[1] for row in rows("merging.md"))
    for parameter in typer.main.get_command(app).params:
        for option in parameter.opts:
            assert not option.startswith("--") or option == "--help" or f"`{option}`" in documented, option
