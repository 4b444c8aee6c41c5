"""Partial FC: what a sample holds, that it is fair and reproducible, and that logits are those of the whole head."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from common.errors import BadArgument
from train import heads
from train.heads.partial_fc import HIGHEST, PartialFC, random_order

LABELS = np.array([5, 199, 0, 5, 17])


@pytest.fixture
def sampler():
    return PartialFC(heads.ArcFace(200), rate=0.1, seed=3)


def test_a_sample_is_sorted_of_the_given_size_and_holds_the_classes_of_the_batch(sampler):
    for step in range(20):
        rows = np.asarray(sampler.sample(LABELS, step))
        assert rows.dtype == np.int32 and len(rows) == 20 and (np.diff(rows) > 0).all()
        assert set(LABELS) <= set(rows) and rows.min() >= 0 and rows.max() < 200


def test_remapped_labels_point_at_their_class(sampler):
    rows = sampler.sample(LABELS, 0)
    places = np.asarray(sampler.remap(rows, LABELS))
    assert places.dtype == np.int32 and (np.asarray(rows)[places] == LABELS).all()


def test_a_batch_of_more_classes_than_the_sample_is_taken_alone(sampler):
    labels = np.arange(0, 200, 5)
    assert (np.asarray(sampler.sample(labels, 1)) == labels).all()
    many = np.repeat(labels[:3], 20)  # 60 samples of 3 classes: filled up as ever
    assert len(sampler.sample(many, 1)) == 20


def test_a_sample_depends_on_seed_step_and_classes_of_the_batch_alone(sampler):
    def rows(seed=3, step=7, labels=LABELS):
        return tuple(np.asarray(PartialFC(heads.CosFace(200), 0.1, seed).sample(labels, step)))

    assert rows() == rows() == rows(labels=LABELS[::-1]) == tuple(np.asarray(sampler.sample(LABELS, 7)))
    assert rows() == rows(step=tf.constant(7, tf.int64))
    in_graph = tf.function(lambda labels, step: sampler.sample(labels, step))
    assert rows() == tuple(np.asarray(in_graph(tf.constant(LABELS), tf.constant(7, tf.int64))))
    assert len({rows(), rows(step=8), rows(seed=4), rows(seed=2**40 + 3)}) == 3  # 2**32 seeds in all
    assert rows(seed=2**40 + 3) == rows()


def test_other_classes_are_as_likely_as_one_another(sampler):
    steps = 2000
    sample = tf.function(sampler.sample)
    labels = tf.constant(LABELS)
    counts = np.zeros(200)
    together = np.zeros((200, 200))
    for step in range(steps):
        chosen = np.zeros(200)
        chosen[sample(labels, tf.constant(step))] = 1
        counts += chosen
        together += np.outer(chosen, chosen)
    others = np.delete(np.arange(200), LABELS)
    expected = steps * 16 / 196
    spread = np.sqrt(expected * (1 - 16 / 196))
    assert np.abs(counts[others] - expected).max() < 4.5 * spread
    assert counts[others].std() < 1.2 * spread
    pairs = together[np.ix_(others, others)][np.triu_indices(196, 1)]
    pair = steps * 16 * 15 / (196 * 195)
    assert pairs.mean() == pytest.approx(pair) and pairs.std() < 1.1 * np.sqrt(pair)


def test_the_random_order_is_even_and_never_reaches_the_place_of_the_batch():
    order = np.asarray(random_order(1_000_000, 0, 5)).astype(np.int64)
    assert order.min() >= 0 and order.max() < HIGHEST
    counts = np.histogram(order, 64, (0, 2**31))[0]
    assert ((counts - 15625) ** 2 / 15625).sum() < 110  # chi-square with 63 degrees of freedom: 1 in 4000
    low = np.bincount(order % 64, minlength=64)
    assert ((low - 15625) ** 2 / 15625).sum() < 110
    assert abs(np.corrcoef(order, np.asarray(random_order(1_000_000, 0, 6)))[0, 1]) < 0.004


@pytest.mark.parametrize("name", list(heads.HEADS))
def test_as_a_layer_it_gives_the_logits_of_the_sampled_classes(name):
    sampler = PartialFC(heads.get(name, 200), rate=0.1)
    embeddings = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    logits, labels = sampler([embeddings, LABELS], training=True)
    rows = np.asarray(sampler.sample(LABELS, 0))
    whole, same = sampler([embeddings, LABELS], training=False)
    assert (np.asarray(same) == LABELS).all() and (rows[np.asarray(labels)] == LABELS).all()
    np.testing.assert_allclose(logits, np.asarray(whole)[..., rows], atol=1e-4)
    assert np.asarray(sampler.sample(LABELS, sampler.steps)).tolist() != rows.tolist()  # the next one


def test_it_is_saved_with_its_head():
    sampler = PartialFC(heads.MultiFace(200, head="cosface", margin=0.2), rate=0.3, seed=9, name="sampled")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(sampler))
    assert again.get_config() == sampler.get_config() and again.head.get_config() == sampler.head.get_config()


@pytest.mark.parametrize("rate", [0, -0.1, 1.1, "0.1"])
def test_a_rate_is_a_share(rate):
    with pytest.raises(BadArgument, match="rate must be a number above 0 and at most 1"):
        PartialFC(heads.ArcFace(200), rate=rate)


def test_all_classes_at_rate_one():
    sampler = PartialFC(heads.ArcFace(30), rate=1.0)
    assert np.asarray(sampler.sample(LABELS % 30, 4)).tolist() == list(range(30))
