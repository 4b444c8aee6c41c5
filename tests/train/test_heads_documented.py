"""docs/heads.md has every choice and every option, with the default that it has."""

import re
from inspect import Parameter, signature
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from train import heads, losses, optimizers, schedules

PAGE = (Path(__file__).parents[2] / "docs" / "heads.md").read_text("utf-8")
REGISTRIES = {
    "heads": heads.HEADS,
    "losses": losses.LOSSES,
    "optimizers": optimizers.OPTIMIZERS,
    "schedules": schedules.SCHEDULES,
}
GIVEN = {"classes", "name", "batch", "total"}  # by the trainer
CHOICES = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]


@pytest.mark.parametrize(("kind", "name"), CHOICES)
def test_every_option_is_documented_with_its_default(kind, name):
    assert f"`{name}`" in PAGE
    for option in signature(REGISTRIES[kind][name]).parameters.values():
        if option.name in GIVEN or option.kind is Parameter.VAR_KEYWORD:
            continue
        default = "needed" if option.default is Parameter.empty else option.default
        rows = re.findall(rf"^\| (.*?)\| `{option.name}` \| (.*?) \|", PAGE, re.MULTILINE)
        rows += [("all", value) for value in re.findall(rf"^\| `{option.name}` \| (.*?) \|", PAGE, re.MULTILINE)]
        mine = [value for of, value in rows if f"`{name}`" in of or of.strip() in ("all", "both")]
        assert str(default) in mine, f"{name}.{option.name} should be documented as {default}, found {mine}"
