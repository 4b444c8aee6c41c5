"""Measured thresholds go into the card that the recognizer reads, whole or not at all."""

import logging
from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
import yaml
from openvino import opset13 as op

from common.errors import BadArgument
from networks import load, thresholds
from networks.card import MeasuredThreshold, ModelCard, Threshold
from networks.fetch import sha256

CARD = ModelCard("tiny", input_size=(4, 4), embedding_size=3)
LFW = [
    MeasuredThreshold(0.3, 1e-2, "lfw", 3000, 3000, "2026-11-25", "d"),
    MeasuredThreshold(0.4, 1e-3, "lfw", 3000, 3000, "2026-11-25", "d"),
]


@pytest.fixture
def bare(tmp_path):
    """A bare file and its card."""
    weights = np.random.default_rng(5).normal(size=(48, 3)).astype(np.float32)
    x = op.parameter([-1, 4, 4, 3], np.float32)
    flat = op.reshape(x, op.constant(np.array([0, 48])), True)
    output = op.matmul(flat, op.constant(weights), False, False)
    ov.save_model(ov.Model([output.output(0)], [x]), tmp_path / "model.xml", compress_to_fp16=False)
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(CARD.to_mapping()))
    return tmp_path / "model.xml"


@pytest.fixture
def bundle(bare, tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    for suffix in (".xml", ".bin"):
        bare.with_suffix(suffix).rename(folder / f"model{suffix}")
    files = {name: sha256(folder / name) for name in ("model.xml", "model.bin")}
    content = {"card": CARD.to_mapping(), "files": files, "training": {"steps": 7}}
    (folder / "model.yaml").write_text(yaml.safe_dump(content))
    return folder


def measured(digest, *entries):
    return [replace(each, digest=digest) for each in entries]


@pytest.mark.parametrize("kind", ["bare", "bundle"])
def test_the_network_that_is_loaded_next_has_them(kind, request):
    model = request.getfixturevalue(kind)
    before = load(model)
    entries = measured(before.digest, *LFW)
    thresholds.write(model, entries, far=1e-3)
    after = load(model)
    assert after.card.threshold == Threshold(0.4, 1e-3, "lfw, 3000 impostor pairs, 2026-11-25")
    assert after.card.measured == tuple(entries)
    assert after.digest == before.digest, "galleries that were made with it stay usable"


def test_what_else_a_bundle_says_stays(bundle):
    before = yaml.safe_load((bundle / "model.yaml").read_text())
    thresholds.write(bundle, LFW, far=1e-2)
    after = yaml.safe_load((bundle / "model.yaml").read_text())
    assert (after["files"], after["training"]) == (before["files"], {"steps": 7})


def test_a_set_measured_again_is_replaced_and_others_stay(bare):
    other = replace(LFW[0], set="mine", similarity=0.2)
    thresholds.write(bare, [other], far=1e-2)
    thresholds.write(bare, LFW, far=1e-2)
    thresholds.write(bare, [replace(LFW[0], similarity=0.35)], far=1e-2)
    assert [(each.set, each.similarity) for each in load(bare).card.measured] == [("mine", 0.2), ("lfw", 0.35)]


def test_a_zoo_model_becomes_a_bundle_that_its_galleries_fit(mobilefacenet_files, tmp_path):
    network = load("mobilefacenet")
    with pytest.raises(BadArgument, match="part of this installation"):
        thresholds.write("mobilefacenet", LFW, far=1e-3)
    thresholds.write("mobilefacenet", measured(network.digest, *LFW), far=1e-3, bundle=tmp_path / "mine")
    mine = load(tmp_path / "mine")
    assert mine.digest == network.digest and mine.card.threshold.similarity == 0.4
    with pytest.raises(BadArgument, match="is there already"):
        thresholds.write("mobilefacenet", LFW, far=1e-3, bundle=tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_a_rate_that_was_not_measured_changes_nothing(bare):
    before = bare.with_suffix(".yaml").read_text()
    with pytest.raises(BadArgument, match="rate of 0.0001; measured: 0.01, 0.001"):
        thresholds.write(bare, LFW, far=1e-4)
    with pytest.raises(BadArgument, match="a card of its own"):
        thresholds.write(bare, LFW, far=1e-3, bundle=bare.parent / "other")
    assert bare.with_suffix(".yaml").read_text() == before


def test_thresholds_of_other_weights_are_spoken_of(bare, caplog):
    thresholds.write(bare, measured("of another network", *LFW), far=1e-3)
    with caplog.at_level(logging.WARNING):
        load(bare)
    assert "measured with other weights" in caplog.text
    thresholds.write(bare, measured(load(bare).digest, *LFW), far=1e-3)
    caplog.clear()
    load(bare)
    assert not caplog.text
