"""Choices by name, imported when first asked for."""

import subprocess
import sys

import pytest

from common.errors import FaceError, UnknownChoice
from common.registry import Registry

COLOURS = Registry(
    "module", {"decimal": "decimal:Decimal", "path": "pathlib:Path", "broken": "no_such_module:Thing"}
)


def test_a_name_gives_its_object():
    from decimal import Decimal
    from pathlib import Path

    assert COLOURS["decimal"] is Decimal and COLOURS["path"] is Path


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(
        UnknownChoice, match="Unknown module 'decimals'. Expected one of: decimal, path, broken"
    ) as caught:
        COLOURS["decimals"]
    assert isinstance(caught.value, FaceError)


@pytest.mark.parametrize("name", [None, 5, ["decimal"], {"a": 1}, ""])
def test_what_is_no_name_lists_the_choices_too(name):
    with pytest.raises(UnknownChoice, match="decimal, path, broken"):
        COLOURS[name]


def test_names_are_listed_without_importing_anything():
    assert list(COLOURS) == ["decimal", "path", "broken"] and len(COLOURS) == 3
    assert "broken" in COLOURS and "none" not in COLOURS


def test_a_choice_costs_its_own_import_only():
    script = (
        "import sys; from common.registry import Registry;"
        "r = Registry('x', {'a': 'colorsys:rgb_to_hsv', 'b': 'wave:open'});"
        "assert 'colorsys' not in sys.modules; r['a'];"
        "assert 'colorsys' in sys.modules and 'wave' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_later_changes_to_the_given_targets_do_not_reach_the_registry():
    targets = {"a": "decimal:Decimal"}
    registry = Registry("x", targets)
    targets["b"] = "pathlib:Path"
    assert list(registry) == ["a"]


@pytest.mark.parametrize(
    ("registry", "names"),
    [
        ("mtcnn:DETECTORS", ["mtcnn", "scrfd_10g", "scrfd_2.5g", "scrfd_500m", "yunet"]),
        ("networks.engines:ENGINES", ["openvino"]),
    ],
)
def test_every_choice_that_the_serving_install_offers_can_be_imported(registry, names):
    module, attribute = registry.split(":")
    choices = getattr(__import__(module, fromlist=[attribute]), attribute)
    for name in names:
        assert callable(choices[name])
