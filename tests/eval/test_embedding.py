"""Embedding many faces: batches, flips, networks and plain functions."""

from dataclasses import replace

import numpy as np
import pytest

import eval
from common.errors import BadArgument, BadPicture
from networks.card import ModelCard
from networks.network import Network

WEIGHTS = np.random.default_rng(1).normal(size=(8 * 6 * 3, 5))
CARD = ModelCard("tiny", input_size=(8, 6), embedding_size=5)


def function(faces):
    """As a network under training: not normalised, of another type than float32."""
    return faces.reshape(len(faces), -1) / 50 @ WEIGHTS


def faces(count):
    return np.random.default_rng(count).integers(0, 256, (count, 8, 6, 3), np.uint8)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_hand(x, flip):
    once, mirrored = function(x), function(x[:, :, ::-1])
    return unit({"none": once, "sum_raw": once + mirrored, "sum_normalised": unit(once) + unit(mirrored)}[flip])


@pytest.mark.parametrize("flip", ["none", "sum_raw", "sum_normalised"])
@pytest.mark.parametrize(("count", "batch"), [(1, 64), (7, 3), (64, 64), (65, 64)])
def test_any_batch_and_flip(count, batch, flip):
    found = eval.embed(function, faces(count), batch=batch, flip=flip)
    assert found.dtype == np.float32 and found.shape == (count, 5)
    np.testing.assert_allclose(found, by_hand(faces(count), flip), atol=1e-5)


@pytest.mark.parametrize("flip", ["none", "sum_raw"])
def test_a_network_is_run_as_its_card_says_or_as_asked(flip):
    network = Network(lambda x: [function(x)], replace(CARD, flip=flip), "")
    np.testing.assert_allclose(eval.embed(network, faces(5), batch=2), by_hand(faces(5), flip), atol=1e-5)
    for other in ("none", "sum_raw", "sum_normalised"):
        found = eval.embed(network, faces(5), batch=2, flip=other)
        np.testing.assert_allclose(found, by_hand(faces(5), other), atol=1e-5)


def test_batches_are_passed_on_whole():
    sizes = []
    eval.embed(lambda x: sizes.append(len(x)) or function(x), faces(10), batch=4)
    assert sizes == [4, 4, 2]


def test_what_cannot_be_embedded_is_refused():
    with pytest.raises(BadArgument, match="no pictures"):
        eval.embed(function, faces(3)[:0])
    with pytest.raises(BadArgument, match="batch.*not 0"):
        eval.embed(function, faces(3), batch=0)
    with pytest.raises(BadArgument, match="'both'.*none, sum_raw, sum_normalised"):
        eval.embed(function, faces(3), flip="both")
    with pytest.raises(BadArgument, match="'both'.*none, sum_raw, sum_normalised"):
        Network(lambda x: [function(x)], CARD, "").embed(faces(3), flip="both")
    with pytest.raises(BadPicture, match="uint8"):
        eval.embed(function, faces(3).astype(np.float32))
    with pytest.raises(BadPicture, match="tiny takes aligned faces"):
        eval.embed(Network(lambda x: [function(x)], CARD, ""), np.zeros((2, 6, 8, 3), np.uint8))


def test_names_are_found_when_asked_for_and_unknown_ones_are_not():
    assert set(eval.__all__) == {name for name in eval.__all__ if callable(getattr(eval, name))}
    with pytest.raises(AttributeError, match="'verify_all'"):
        eval.verify_all  # noqa: B018
