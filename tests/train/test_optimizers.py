"""Update rules against NumPy in float64 and against Keras' own, whole and by rows; which variables decay."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf

from common.errors import BadArgument, UnknownChoice
from train import heads, optimizers
from train.optimizers.decay import RULES, decays, rule

SHAPE, STEPS, RATES = (9, 4), 6, [0.1, 0.1, 0.05, 0.05, 0.2, 0.01]
ROWS = [0, 3, 4, 8]


@pytest.fixture
def gradients():
    return np.random.default_rng(0).normal(size=(STEPS, *SHAPE)).astype(np.float32)


@pytest.fixture
def start():
    return np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)


def trained(optimizer, start, gradients, rows=None, decay=1.0, graph=True):
    variable = keras.Variable(start)
    optimizer.build([variable])

    def step(gradient, rate):
        given = None if rows is None else [tf.constant(rows)]
        optimizer.apply([gradient], [variable], rate, rows=given, decay=[decay])

    step = tf.function(step) if graph else step
    for gradient, rate in zip(gradients, RATES):
        step(tf.constant(gradient), tf.constant(rate))
    return np.asarray(variable)


def sgd(start, gradients, momentum=0.9, nesterov=False, decay=0.0, mode="l2"):
    w, a = start.astype(np.float64), np.zeros(start.shape)
    for gradient, rate in zip(gradients.astype(np.float64), RATES):
        if mode == "l2":
            gradient = gradient + decay * w
        else:
            w = w - rate * decay * w
        a = momentum * a - rate * gradient
        w = w + (momentum * a - rate * gradient if nesterov else a)
    return w


def adamw(start, gradients, decay=0.0):
    w, m, v = start.astype(np.float64), np.zeros(start.shape), np.zeros(start.shape)
    for t, (gradient, rate) in enumerate(zip(gradients.astype(np.float64), RATES), 1):
        w = w - rate * decay * w
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w = w - rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-8)
    return w


@pytest.mark.parametrize("mode", ["l2", "decoupled"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_its_formula(start, gradients, nesterov, mode):
    optimizer = optimizers.get("sgd", nesterov=nesterov, weight_decay=0.02, decay_mode=mode)
    expected = sgd(start, gradients, nesterov=nesterov, decay=0.02, mode=mode)
    np.testing.assert_allclose(trained(optimizer, start, gradients), expected, rtol=2e-5, atol=1e-5)


def test_adamw_is_its_formula(start, gradients):
    optimizer = optimizers.get("adamw", weight_decay=0.02)
    np.testing.assert_allclose(trained(optimizer, start, gradients), adamw(start, gradients, 0.02), atol=2e-5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"name": "sgd", "weight_decay": 0.0}, lambda: keras.optimizers.SGD(momentum=0.9)),
        (
            {"name": "sgd", "weight_decay": 0.0, "nesterov": True},
            lambda: keras.optimizers.SGD(momentum=0.9, nesterov=True),
        ),
        (
            {"name": "sgd", "weight_decay": 0.02, "decay_mode": "decoupled"},
            lambda: keras.optimizers.SGD(momentum=0.9, weight_decay=0.02),
        ),
        (
            {"name": "adamw", "weight_decay": 0.02, "epsilon": 1e-7},
            lambda: keras.optimizers.AdamW(weight_decay=0.02, epsilon=1e-7),
        ),
    ],
)
def test_it_moves_as_keras_optimizer_does(start, gradients, ours, theirs):
    variable, optimizer = keras.Variable(start), theirs()
    for gradient, rate in zip(gradients, RATES):
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(gradient)], [variable])
    np.testing.assert_allclose(trained(optimizers.get(**ours), start, gradients), variable, atol=1e-5)


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize(
    ("options", "formula"),
    [
        ({"name": "sgd", "weight_decay": 0.02}, lambda w, g: sgd(w, g, decay=0.02)),
        ({"name": "sgd", "weight_decay": 0.02, "nesterov": True}, lambda w, g: sgd(w, g, nesterov=True, decay=0.02)),
        (
            {"name": "sgd", "weight_decay": 0.02, "decay_mode": "decoupled"},
            lambda w, g: sgd(w, g, decay=0.02, mode="decoupled"),
        ),
        ({"name": "adamw", "weight_decay": 0.02}, lambda w, g: adamw(w, g, 0.02)),
    ],
)
def test_given_rows_change_as_if_alone_and_the_others_not_at_all(start, gradients, options, formula, graph):
    optimizer = optimizers.get(**options)
    after = trained(optimizer, start, gradients[:, ROWS], ROWS, graph=graph)
    expected = start.copy()
    expected[ROWS] = formula(start[ROWS], gradients[:, ROWS])
    np.testing.assert_allclose(after, expected, atol=2e-5)
    others = np.delete(np.arange(9), ROWS)
    assert (after[others] == start[others]).all()
    for slot in optimizer.variables:
        if slot.shape == SHAPE:
            assert (np.asarray(slot)[others] == 0).all() and (np.asarray(slot)[ROWS] != 0).all()


def test_momentum_of_a_row_waits_for_its_next_turn(start, gradients):
    variable, optimizer = keras.Variable(start), optimizers.get("sgd", weight_decay=0.1)
    optimizer.build([variable])
    turns = [[0, 1], [2], [1, 2], [0]]
    w, a = start.astype(np.float64), np.zeros(SHAPE)
    for rows, gradient in zip(turns, gradients):
        optimizer.apply([tf.constant(gradient[rows])], [variable], 0.1, rows=[tf.constant(rows)])
        a[rows] = 0.9 * a[rows] - 0.1 * (gradient[rows] + 0.1 * w[rows])
        w[rows] += a[rows]
    np.testing.assert_allclose(variable, w, atol=1e-6)


def test_decay_is_a_factor_for_each_variable(start, gradients):
    for factor, expected in [(True, 0.02), (False, 0.0), (0.5, 0.01)]:
        optimizer = optimizers.get("sgd", weight_decay=0.02)
        after = trained(optimizer, start, gradients, decay=factor)
        np.testing.assert_allclose(after, sgd(start, gradients, decay=expected), atol=1e-5)


def test_clipping_is_by_the_length_of_all_gradients_together(start, gradients):
    length = np.sqrt((gradients[0].astype(np.float64) ** 2).sum() * 2)
    for limit, factor in [(length / 4, 0.25), (length * 2, 1.0)]:
        variables = [keras.Variable(start), keras.Variable(start)]
        optimizer = optimizers.get("sgd", clip_norm=float(limit), weight_decay=0.0)
        optimizer.build(variables)
        optimizer.apply([tf.constant(gradients[0])] * 2, variables, 0.1)
        for variable in variables:
            np.testing.assert_allclose(variable, start - 0.1 * factor * gradients[0], atol=1e-5)


@pytest.mark.parametrize("name", list(optimizers.OPTIMIZERS))
def test_all_state_is_in_its_variables(name, start, gradients):
    whole = trained(optimizers.get(name), start, gradients)
    first, again = optimizers.get(name), optimizers.get(name)
    half = trained(first, start, gradients[:3])
    variable = keras.Variable(half)
    again.build([variable])
    for copy, original in zip(again.variables, first.variables, strict=True):
        copy.assign(original)
    for gradient, rate in zip(gradients[3:], RATES[3:]):
        again.apply([tf.constant(gradient)], [variable], rate)
    np.testing.assert_array_equal(variable, whole)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgd", {"momentum": 1.0}, "momentum must be a number at least 0 and below 1, not 1.0"),
        ("sgd", {"weight_decay": -1}, "weight_decay must be"),
        ("sgd", {"decay_mode": "L2"}, "decay_mode is 'L2'. Expected one of: l2, decoupled"),
        ("sgd", {"decay_rule": "some"}, "decay_rule is 'some'. Expected one of: seed, kernels, all, none"),
        ("sgd", {"clip_norm": 0}, "clip_norm must be"),
        ("sgd", {"beta1": 0.9}, "sgd has no option 'beta1'"),
        ("adamw", {"beta2": 1.0}, "beta2 must be"),
        ("adamw", {"epsilon": 0}, "epsilon must be"),
    ],
)
def test_a_wrong_option_is_named(name, options, message):
    with pytest.raises(BadArgument) as caught:
        optimizers.get(name, **options)
    assert message in str(caught.value)


def test_an_unknown_optimizer_and_foreign_variables_are_refused(start):
    with pytest.raises(UnknownChoice, match="Expected one of: sgd, adamw"):
        optimizers.get("adam")
    optimizer = optimizers.get("sgd")
    with pytest.raises(BadArgument, match="was not built for the variable"):
        optimizer.apply([tf.constant(start)], [keras.Variable(start)], 0.1)
    with pytest.raises(BadArgument, match="must be of one length, not 0, 1"):
        optimizer.apply([], [keras.Variable(start)], 0.1)


def network():
    picture = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(picture)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.PReLU(shared_axes=[1, 2], name="slopes")(x)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = keras.layers.Dense(5, name="embedding")(keras.layers.Flatten()(x))
    return keras.Model(picture, keras.Model(x_in := keras.Input((5,)), keras.layers.Dense(3, name="inner")(x_in))(x))


DECAYING = {
    "seed": {"conv/kernel", "depthwise/kernel", "norm/gamma", "head/kernel"},
    "kernels": {"conv/kernel", "depthwise/kernel", "embedding/kernel", "inner/kernel", "head/kernel"},
    "none": set(),
}


@pytest.mark.parametrize("name", list(RULES))
def test_each_rule_names_the_variables_that_decay(name):
    model, head = network(), heads.Softmax(6, name="head")
    head.build_for(3)
    decaying = rule(name, model, head)
    variables = [*model.trainable_variables, *head.trainable_variables]
    found = {variable.path for variable in variables if decaying(variable)}
    assert found == DECAYING.get(name, {variable.path for variable in variables})


def test_an_unknown_rule_lists_the_choices():
    model = network()
    with pytest.raises(UnknownChoice, match="Expected one of: seed, kernels, all, none"):
        decays(model.layers[1].kernel, model.layers[1], "convolutions")


def test_two_replicas_do_what_one_device_does(tmp_path):
    """Partial FC with AdaFace, rows of SGD and AdamW: gradients, statistics, samples are those of the whole batch."""
    results = []
    for replicas in (1, 2):
        out = tmp_path / f"{replicas}.npz"
        script = Path(__file__).parent / "on_replicas.py"
        done = subprocess.run([sys.executable, script, str(replicas), str(out)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        results.append(dict(np.load(out)))
    for key, values in results[0].items():
        np.testing.assert_allclose(results[1][key], values, rtol=1e-4, atol=1e-5, err_msg=key)
    assert {"kernel-sgd", "kernel-adamw", "length_mean-sgd"} <= set(results[0])
