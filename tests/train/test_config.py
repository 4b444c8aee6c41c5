"""One YAML says everything, and what is wrong in it is named."""

import pytest
import yaml

pytest.importorskip("tensorflow", reason="training needs it: pip install '.[train]'")

from common.errors import BadConfig
from train import config, parts
from train.config.durations import Duration


@pytest.fixture
def refused(settings, config_file):
    """A function: change a key, load, check; returns the error's text."""

    def change(path, value):
        *parents, last = path.split(".")
        place = settings
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value
        with pytest.raises(BadConfig) as caught:
            parts.check(config.load(config_file()))
        return str(caught.value)

    return change


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("lr", 0.1, ["unknown key 'lr'", "schedule"]),
        ("data.bach", 8, ["unknown key 'bach'", "batch"]),
        ("data.batch", "many", ["data.batch", "whole number", "'many'"]),
        ("data.batch", True, ["data.batch", "whole number"]),
        ("data.batch", 0, ["data.batch", "more than 0"]),
        ("data.image_size", [112], ["data.image_size", "list of 2"]),
        ("data.colour", "yuv", ["data.colour", "rgb, bgr"]),
        ("data.scale", 0, ["data.scale"]),
        ("backbone.name", "resnet5", ["backbone.name", "resnet5", "iresnet18"]),
        ("backbone", {"name": "iresnet18", "options": {"activation": 1}}, ["iresnet18", "activation", "se"]),
        ("backbone.dropout", 1.0, ["backbone.dropout", "below 1"]),
        ("head.name", "arcfce", ["head.name", "arcfce", "arcface"]),
        ("head.margn", 0.4, ["head", "margn", "margin"]),
        ("head.margin", "wide", ["head.margin", "number", "'wide'"]),
        ("head.classes", 7, ["head", "classes"]),
        ("loss", {"name": "focal", "gama": 2}, ["loss", "gama", "gamma"]),
        ("optimizer.momentum", [0.9], ["optimizer.momentum"]),
        ("schedule", {"name": "step", "learning_rate": 0.1}, ["schedule", "boundaries"]),
        ("schedule", {"name": "step", "learning_rate": 0.1, "boundaries": ["8 eons"]}, ["boundaries", "8 eons"]),
        ("training.duration", "8 eons", ["training.duration", "8 eons", "epochs"]),
        ("training.duration", "1.5 steps", ["training.duration", "whole"]),
        ("training.precision", "float16", ["training.precision", "mixed_float16"]),
        ("training.ema", 1.0, ["training.ema"]),
        ("training.accumulate", 3, ["data.batch", "training.accumulate"]),
        ("partial_fc", {"rate": 0}, ["partial_fc.rate"]),
        ("checkpoints.keep", 1, ["checkpoints.keep", "2 or more"]),
        ("verification.far", 2, ["verification.far"]),
        ("log.every", 0, ["log.every"]),
        ("bundle.formats", ["onnx"], ["bundle.formats", "keras"]),
        ("name", "a/b", ["name"]),
    ],
)
def test_an_error_names_the_key_and_what_is_possible(refused, path, value, words):
    message = refused(path, value)
    assert all(word in message for word in words), message


def test_a_missing_part_is_named(settings, config_file):
    del settings["schedule"]
    with pytest.raises(BadConfig, match="'schedule' is missing"):
        config.load(config_file())


def test_the_batch_form_of_focal_loss_is_not_cut_into_parts(refused, settings):
    settings["training"]["accumulate"] = 2
    assert "focal_batch" in refused("loss", "focal_batch")


def test_changes_from_the_command_line_win_over_the_file(config_file):
    changes = ["head.margin=0.4", "data.augment={flip: true, cutout: true}", "training.duration=3 epochs", "seed=7"]
    changed = config.load(config_file(), changes)
    assert changed.head.options == {"margin": 0.4, "scale": 16.0}
    assert changed.data.augment == {"flip": True, "cutout": True}
    assert changed.training.duration == Duration(3, "epochs") and changed.seed == 7


def test_another_head_by_command_line_takes_the_options_of_the_old_one_away(config_file):
    assert config.load(config_file(), ["head.name=softmax"]).head.options == {}


@pytest.mark.parametrize("change", ["head.margin", "=3", "a..b=1", "seed.x=1", "head.margin=[", "nonsense=1"])
def test_a_change_that_makes_no_sense_is_refused(config_file, change):
    with pytest.raises(BadConfig):
        config.load(config_file(), [change])


def test_a_base_is_read_first_and_a_delta_changes_only_what_it_names(config_file, tmp_path):
    config_file()
    (tmp_path / "delta.yaml").write_text(
        "base: config.yaml\nname: delta\nhead: {margin: 0.1}\nschedule: {name: cosine, learning_rate: 0.2}\n"
    )
    delta = config.load(tmp_path / "delta.yaml")
    assert (delta.name, delta.head.options) == ("delta", {"margin": 0.1, "scale": 16.0})
    assert delta.schedule.options == {"learning_rate": 0.2} and delta.data.batch == 8


def test_bases_in_a_circle_are_noticed(tmp_path):
    (tmp_path / "a.yaml").write_text("base: b.yaml\n")
    (tmp_path / "b.yaml").write_text("base: a.yaml\n")
    with pytest.raises(BadConfig, match="circle"):
        config.load(tmp_path / "a.yaml")


def test_the_resolved_configuration_reads_back_the_same(config_file):
    loaded = config.load(config_file())
    text = yaml.safe_dump(config.to_mapping(loaded))
    assert config.from_mapping(yaml.safe_load(text), "again") == loaded
    assert config.to_mapping(loaded)["checkpoints"]["keep"] == 3  # defaults included


@pytest.mark.parametrize(
    ("written", "steps"),
    [(500, 500), ("500 steps", 500), ("1 epoch", 8), ("1.5 epochs", 12), ("100 images", 13), ("2e3 images", 250)],
)
def test_durations_become_steps_rounded_up(written, steps):
    assert Duration.read(written, "x").steps(batch=8, images=60) == steps


def test_a_float_may_be_written_without_a_point(config_file):
    assert config.load(config_file(), ["verification.far=1e-4"]).verification.far == 1e-4


def test_durations_in_a_schedule_become_steps(config_file):
    loaded = config.load(
        config_file(),
        ["schedule={name: step, learning_rate: 1.0, warmup: 4 steps, boundaries: [1 epochs, 160 images]}"],
    )
    schedule = parts.schedule(loaded, images=60, total=100)
    assert [schedule(step) for step in (2, 7, 8, 19, 20)] == pytest.approx([0.5, 1.0, 0.1, 0.1, 0.01])
