"""The configurations that come with the project."""

import re
from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="training needs it: pip install '.[train]'")

from common import config as files
from train import config, parts

CONFIGS = Path(files.__file__).parents[1] / "configs"
RUNS = sorted(path.name for path in CONFIGS.glob("*.yaml") if {"head", "base"} & files.load(path).keys())
README = (CONFIGS.parent / "README.md").read_text("utf-8")


def test_the_experiments_of_the_projects_that_this_one_goes_back_to_are_there():
    assert {
        "resnet50.yaml", "resnet50_prelu.yaml", "resnet50_leaky.yaml", "mobilefacenet.yaml", "ir_se50.yaml",
        "resnet101_se_focal.yaml", "r100_combined.yaml", "mobilefacenet_multi.yaml", "r100_partial_fc.yaml", "orl.yaml",
    } <= set(RUNS)  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_it_is_sound_and_named_as_its_file(name):
    loaded = config.load(name)
    parts.check(loaded)
    assert loaded.name == Path(name).stem
    parts.schedule(loaded, images=1_000_000, total=loaded.training.duration.steps(loaded.data.batch, 1_000_000))
    parts.optimizer(loaded)
    parts.loss(loaded)
    parts.head(loaded, classes=10)


@pytest.mark.parametrize("name", RUNS)
def test_it_opens_with_its_command_hardware_and_what_is_known_of_its_result(name):
    opening = "".join(re.findall(r"^#.*\n", (CONFIGS / name).read_text("utf-8"), re.MULTILINE))
    assert f"python train/train.py --config {name}" in opening
    assert re.search(r"GPU|CPU|[Hh]ardware", opening)
    assert re.search(r"[Kk]nown|[Rr]esults?", opening)


@pytest.mark.parametrize("name", RUNS)
def test_it_stands_in_the_page(name):
    assert f"`{name}`" in (CONFIGS.parent / "docs" / "training.md").read_text("utf-8")
