"""Losses against their formulas in float64, over samples, batches and slices."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from common.errors import BadArgument, UnknownChoice
from tests.train.heads import naive_heads as naive
from train import losses


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32) * 5


LABELS = np.array([0, 6, 3, 3, 1])


def with_entropy(entropies):
    """Logits of two classes whose cross entropy for class 0 is as given."""
    return np.array([[-np.log(np.expm1(value)), 0] for value in entropies], np.float32)


def test_focal_losses_give_the_gold_numbers():
    logits, labels = with_entropy([0.1, 2]), np.array([0, 0])
    assert float(losses.get("focal")(logits, labels)) == pytest.approx(0.748098, abs=2e-6)
    assert float(losses.get("focal_batch")(logits, labels)) == pytest.approx(0.443710, abs=2e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_is_its_formula(logits, smoothing):
    expected = naive.entropy(logits, LABELS, smoothing)
    loss = losses.get("cross_entropy", smoothing)
    np.testing.assert_allclose(loss.per_sample(logits, LABELS), expected, rtol=1e-5, atol=1e-6)
    assert float(loss(logits, LABELS)) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(loss.slope(3.0)) == 1 and not loss.needs_mean


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 3.5])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_is_its_formula(logits, gamma, smoothing):
    entropy = naive.entropy(logits, LABELS, smoothing)
    focal = losses.get("focal", smoothing, gamma=gamma)
    np.testing.assert_allclose(focal.per_sample(logits, LABELS), (1 - np.exp(-entropy)) ** gamma * entropy, rtol=2e-5)
    batch = losses.get("focal_batch", smoothing, gamma=gamma)
    mean = entropy.mean()
    np.testing.assert_allclose(batch.per_sample(logits, LABELS), entropy, rtol=2e-5)
    assert float(batch(logits, LABELS)) == pytest.approx((1 - np.exp(-mean)) ** gamma * mean, rel=1e-5)
    assert batch.needs_mean


@pytest.mark.parametrize("name", list(losses.LOSSES))
def test_slope_is_the_derivative_of_combine(name):
    loss = losses.get(name)
    for value in (0.01, 0.7, 5.0):
        mean = tf.constant(value)
        with tf.GradientTape() as tape:
            tape.watch(mean)
            combined = loss.combine(mean)
        assert float(loss.slope(mean)) == pytest.approx(float(tape.gradient(combined, mean)), rel=1e-4)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("name", list(losses.LOSSES))
def test_slices_are_summed_or_averaged_for_each_sample(name, reduce, logits):
    sliced = np.stack([logits, logits[::-1], -logits], axis=1)
    loss = losses.get(name, 0.1, reduce=reduce)
    alone = [np.asarray(loss.per_sample(sliced[:, number], LABELS)) for number in range(3)]
    expected = np.sum(alone, axis=0) / (3 if reduce == "mean" else 1)
    np.testing.assert_allclose(loss.per_sample(sliced, LABELS), expected, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", ["focal", "focal_batch"])
def test_the_gradient_is_finite_where_the_loss_is_nothing(name, gamma):
    logits = tf.constant([[200.0, -200.0]])
    loss = losses.get(name, gamma=gamma)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(logits, np.array([0]))
    assert float(value) == 0 and np.isfinite(tape.gradient(value, logits)).all()
    assert np.isfinite(float(loss.slope(tf.constant(0.0))))


def test_wrong_names_and_options_are_refused():
    with pytest.raises(UnknownChoice, match="Expected one of: cross_entropy, focal, focal_batch"):
        losses.get("softmax")
    with pytest.raises(BadArgument, match="cross_entropy has no option 'gamma'"):
        losses.get("cross_entropy", gamma=2.0)
    for options in ({"label_smoothing": 1.0}, {"label_smoothing": -0.1}, {"reduce": "max"}):
        with pytest.raises(BadArgument, match=next(iter(options))):
            losses.get("focal", **options)
    with pytest.raises(BadArgument, match="gamma must be a number at least 0"):
        losses.get("focal", gamma=-1)
