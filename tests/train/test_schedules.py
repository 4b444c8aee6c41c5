"""Schedules against their formulas, as numbers and as tensors; wrong ones are refused."""

import math

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from common.errors import BadArgument, UnknownChoice
from train import schedules

ALL = {
    "constant": {"learning_rate": 0.1},
    "step": {"learning_rate": 0.1, "boundaries": [100, 160], "drop": 0.1},
    "piecewise": {"boundaries": [100, 160], "values": [0.1, 0.02, 0.005]},
    "polynomial": {"learning_rate": 0.1, "total": 200, "end": 0.001, "power": 2.0},
    "cosine": {"learning_rate": 0.1, "total": 200, "end": 0.001},
}
FORMULAS = {
    "constant": lambda step: 0.1,
    "step": lambda step: 0.1 * 0.1 ** sum(step >= boundary for boundary in (100, 160)),
    "piecewise": lambda step: 0.1 if step < 100 else 0.02 if step < 160 else 0.005,
    "polynomial": lambda step: 0.001 + 0.099 * (1 - min((step - 40) / 160, 1)) ** 2,
    "cosine": lambda step: 0.001 + 0.099 * (1 + math.cos(math.pi * min((step - 40) / 160, 1))) / 2,
}


def test_every_schedule_is_tried():
    assert set(ALL) == set(FORMULAS) == set(schedules.SCHEDULES)


@pytest.mark.parametrize("name", list(ALL))
def test_the_rate_is_that_of_the_formula_after_a_linear_warm_up(name):
    schedule = schedules.get(name, warmup=40, **ALL[name])
    for step in range(250):
        expected = FORMULAS[name](step) if step >= 40 else FORMULAS[name](40) * step / 40
        assert schedule(step) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert schedule(0) == 0 and schedule(10**7) == pytest.approx(FORMULAS[name](10**7))


@pytest.mark.parametrize("name", list(ALL))
def test_tensors_and_numbers_give_the_same_rate(name):
    schedule = schedules.get(name, warmup=40, batch=384, base_batch=512, **ALL[name])
    in_graph = tf.function(schedule)
    for step in [*range(0, 250, 7), 40, 100, 160, 200, 3_000_000_001]:
        value = in_graph(tf.constant(step, tf.int64))
        assert value.dtype == tf.float32 and float(value) == schedule(step)
    assert schedule(np.int64(50)) == schedule(50) and isinstance(schedule(50), float)


@pytest.mark.parametrize("name", list(ALL))
def test_rates_grow_with_the_batch(name):
    plain = schedules.get(name, **ALL[name])
    scaled = schedules.get(name, batch=1024, base_batch=512, **ALL[name])
    unscaled = schedules.get(name, batch=1024, **ALL[name])
    for step in (0, 99, 100, 180, 300):
        assert scaled(step) == pytest.approx(2 * plain(step)) and unscaled(step) == plain(step)


@pytest.mark.parametrize("name", list(ALL))
def test_every_schedule_takes_what_the_trainer_gives(name):
    schedules.get(name, **{**ALL[name], "batch": 16, "total": 200})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("constant", {"learning_rate": -0.1}, "learning_rate must be a number at least 0"),
        ("constant", {"learning_rate": 0.1, "base_batch": 512}, "base_batch needs the batch as well"),
        ("constant", {"learning_rate": 0.1, "base_batch": 0, "batch": 1}, "base_batch must be a whole number"),
        ("constant", {"learning_rate": 0.1, "warmup": -1}, "warmup must be a whole number, at least 0"),
        ("constant", {"learning_rate": 0.1, "power": 2}, "constant has no option 'power'"),
        ("step", {"learning_rate": 0.1, "boundaries": [160, 100]}, "boundaries must grow, not [160, 100]"),
        ("step", {"learning_rate": 0.1, "boundaries": 100}, "boundaries must be a list"),
        ("step", {"learning_rate": 0.1, "boundaries": [100], "drop": 0}, "drop must be"),
        ("step", {"learning_rate": 0.1, "boundaries": [10], "warmup": 20}, "The first boundary, 10, must not lie in"),
        ("piecewise", {"boundaries": [100], "values": [0.1]}, "values must be one more than boundaries (1), not 1"),
        ("polynomial", {"learning_rate": 0.1, "total": 10, "warmup": 10}, "total must be more steps than warmup (10)"),
        ("polynomial", {"learning_rate": 0.1, "total": 10, "end": 0.2}, "end must be"),
        ("polynomial", {"learning_rate": 0.1, "total": 10, "power": 0}, "power must be"),
        ("cosine", {"learning_rate": "0.1", "total": 10}, "learning_rate must be"),
    ],
)
def test_a_wrong_option_is_named(name, options, message):
    with pytest.raises(BadArgument) as caught:
        schedules.get(name, **options)
    assert message in str(caught.value)


def test_an_unknown_schedule_lists_the_choices():
    with pytest.raises(UnknownChoice, match="Expected one of: constant, step, piecewise, polynomial, cosine"):
        schedules.get("linear", learning_rate=0.1)
