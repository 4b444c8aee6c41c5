"""The model card: read back as written, and every value that makes no sense named."""

import pytest
import yaml

from common.errors import BadConfig
from networks.card import MeasuredThreshold, ModelCard, Threshold

GOOD = {"name": "net", "task": "embedding", "embedding_size": 512}


def test_a_card_survives_yaml():
    card = ModelCard(
        "net", input_size=(112, 96), colour="bgr", mean=0.0, scale=255.0, embedding_size=128, flip="sum_raw",
        threshold=Threshold(0.36, 1e-4, "here, 3000 pairs"), source="somewhere",
    )  # fmt: skip
    text = yaml.safe_dump(card.to_mapping())
    assert ModelCard.from_mapping(yaml.safe_load(text), "card") == card


def test_one_number_is_a_square():
    assert ModelCard.from_mapping(GOOD | {"input_size": 160}, "card").input_size == (160, 160)


def test_a_detector_takes_any_size_and_gives_no_embedding():
    card = ModelCard.from_mapping({"name": "net", "task": "detection", "input_size": None}, "card")
    assert card.input_size is None and card.embedding_size == 0


@pytest.mark.parametrize("key", ["name", "task"])
def test_a_missing_key_is_named(key):
    with pytest.raises(BadConfig, match=f"here.*{key!r} is missing"):
        ModelCard.from_mapping({k: v for k, v in GOOD.items() if k != key}, "here")


def test_an_unknown_key_is_named():
    with pytest.raises(BadConfig, match="here.*'color'"):
        ModelCard.from_mapping(GOOD | {"color": "rgb"}, "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", 5),
        ("name", None),
        ("task", "recognition"),
        ("task", ["embedding"]),
        ("colour", "RGB"),
        ("flip", True),
        ("mean", "127.5"),
        ("mean", [127.5, 127.5, 127.5]),
        ("mean", float("nan")),
        ("scale", 0),
        ("scale", True),
        ("scale", None),
        ("scale", float("inf")),
        ("embedding_size", 0),
        ("embedding_size", 128.0),
        ("embedding_size", True),
        ("embedding_size", None),
        ("input_size", None),
        ("input_size", 0),
        ("input_size", [112]),
        ("input_size", [112, -1]),
        ("input_size", [112.0, 112]),
        ("input_size", True),
        ("input_size", [True, True]),
        ("input_size", "112"),
        ("source", 7),
        ("threshold", 0.4),
        ("threshold", {"similarity": 0.4}),
    ],
)
def test_a_value_that_makes_no_sense_is_named(key, value):
    with pytest.raises(BadConfig, match=f"here.*{key}"):
        ModelCard.from_mapping(GOOD | {key: value}, "here")


@pytest.mark.parametrize(
    ("key", "value"),
    [("similarity", 1.01), ("similarity", "0.4"), ("similarity", None), ("far", 2), ("far", "0.1")],
)
def test_a_threshold_that_makes_no_sense_is_named(key, value):
    threshold = {"similarity": 0.4, "far": None, "measured_on": "here"} | {key: value}
    with pytest.raises(BadConfig, match=f"threshold.{key}"):
        ModelCard.from_mapping(GOOD | {"threshold": threshold}, "here")


MEASURED = {
    "similarity": 0.31, "far": 1e-3, "set": "lfw", "genuine": 3000, "impostor": 3000,
    "date": "2026-11-25", "digest": "ab",
}  # fmt: skip


def test_measured_thresholds_survive_yaml():
    card = ModelCard("net", embedding_size=512, measured=(MeasuredThreshold(**MEASURED),))
    mapping = yaml.safe_load(yaml.safe_dump(card.to_mapping()))
    assert mapping["measured"] == [MEASURED]
    assert ModelCard.from_mapping(mapping, "card") == card


@pytest.mark.parametrize(
    ("key", "value"),
    [("similarity", 1.5), ("far", -1), ("set", 3), ("genuine", 1.5), ("impostor", -1), ("date", 26), ("digest", None)],
)
def test_a_measured_threshold_that_makes_no_sense_is_named(key, value):
    with pytest.raises(BadConfig, match=f"here: measured.*{key}"):
        ModelCard.from_mapping(GOOD | {"measured": [MEASURED | {key: value}]}, "here")


def test_measured_thresholds_are_a_list_of_complete_entries():
    with pytest.raises(BadConfig, match="here: measured must be a list"):
        ModelCard.from_mapping(GOOD | {"measured": MEASURED}, "here")
    with pytest.raises(BadConfig, match="here: measured.*'date' is missing"):
        ModelCard.from_mapping(GOOD | {"measured": [{k: v for k, v in MEASURED.items() if k != "date"}]}, "here")
