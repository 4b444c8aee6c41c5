"""Heads as Keras layers: names, options, saving, other numbers of classes, other backends, distribution."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras

from common.errors import BadArgument, UnknownChoice
from train import heads
from train.heads.partial_fc import PartialFC

ROOT = Path(__file__).parents[3]
OPTIONS = {
    "softmax": {"bias": False},
    "norm_softmax": {"scale": 30.0},
    "sphereface": {"margin": 2.0, "lambda_min": 3.0},
    "cosface": {"margin": 0.2, "scale": 30.0},
    "arcface": {"margin": 0.4, "branch": "smooth", "straight_through": True},
    "combined": {"m1": 0.9, "m2": 0.4, "m3": 0.15},
    "multiface": {"head": "cosface", "slices": 4, "margin": 0.2, "renormalise": True, "reduce": "mean"},
    "subcenter": {"head": "cosface", "centers": 2, "margin": 0.2, "initial_std": 0.02},
    "adaface": {"margin": 0.3, "momentum": 0.02},
}


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    return random.normal(size=(6, 8)).astype(np.float32), np.array([0, 3, 6, 2, 2, 5])


@pytest.mark.parametrize("name", list(heads.HEADS))
def test_a_saved_head_is_loaded_with_its_options_weights_and_state(name, data, tmp_path):
    head = heads.get(name, 7, **OPTIONS[name])
    inputs = keras.Input((8,)), keras.Input((), dtype="int32")
    model = keras.Model(inputs, head(list(inputs)))
    head(list(data), training=True)
    model.save(tmp_path / "head.keras")
    loaded = keras.saving.load_model(tmp_path / "head.keras")
    again = next(layer for layer in loaded.layers if isinstance(layer, heads.HEADS[name]))
    assert again.get_config() == head.get_config()
    assert {**OPTIONS[name], "classes": 7}.items() <= head.get_config().items()
    np.testing.assert_array_equal(again(list(data)), head(list(data)))
    assert len(again.weights) == len(head.weights) >= len(head.class_variables)


@pytest.mark.parametrize("name", list(heads.HEADS))
def test_class_variables_have_the_class_first_and_can_be_given_from_outside(name, data):
    embeddings, labels = data
    head = heads.get(name, 7, **OPTIONS[name])
    head.build_for(8)
    assert all(variable.shape[0] == 7 and variable.trainable for variable in head.class_variables)
    assert {id(each) for each in head.trainable_variables} == {id(each) for each in head.class_variables}
    whole = head([embeddings, labels])
    rows = np.array([0, 2, 3, 5, 6])
    some = head.logits(embeddings, np.searchsorted(rows, labels), [np.asarray(v)[rows] for v in head.class_variables])
    if name not in ("sphereface", "adaface"):  # whose state training moved
        np.testing.assert_allclose(some, np.asarray(whole)[..., rows], atol=1e-5)
    assert head.compute_output_shape([(6, 8), (6,)]) == whole.shape


def test_class_weights_begin_small_and_random():
    head = heads.ArcFace(500)
    head.build_for(64)
    kernel = np.asarray(head.class_variables[0])
    assert abs(kernel.mean()) < 1e-3 and kernel.std() == pytest.approx(0.01, rel=0.02)


def test_the_names_others_call_are_there():
    assert heads.ArcFace(10).get_config().items() >= {"margin": 0.5, "scale": 64.0, "branch": "classic"}.items()
    for name in ("Softmax", "NormSoftmax", "SphereFace", "CosFace", "Combined", "MultiFace", "SubCenter", "AdaFace"):
        assert getattr(heads, name)(10).classes == 10 and name in heads.__all__
    with pytest.raises(AttributeError, match="NoFace"):
        heads.NoFace  # noqa: B018


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("arcface", {"margn": 0.5}, "arcface has no option 'margn'. Expected some of: classes, margin, scale, branch"),
        ("arcface", {"branch": "clasic"}, "branch is 'clasic'. Expected one of: classic, none, smooth, easy"),
        ("arcface", {"margin": -0.1}, "margin must be a number at least 0 and below 3.14159, not -0.1"),
        ("arcface", {"margin": "0.5"}, "margin must be a number"),
        ("arcface", {"scale": 0}, "scale must be a number above 0"),
        ("arcface", {"straight_through": 1}, "straight_through must be true or false"),
        ("cosface", {"margin": float("nan")}, "margin must be a number"),
        ("combined", {"m1": 0}, "m1 must be"),
        ("sphereface", {"margin": 0.5}, "margin must be a number at least 1"),
        ("adaface", {"momentum": 2}, "momentum must be"),
        ("subcenter", {"centers": 0}, "centers must be a whole number, at least 1"),
        ("subcenter", {"centers": True}, "centers must be"),
        ("subcenter", {"head": "softmax"}, "largest of cosines, which the head softmax does not have"),
        ("multiface", {"head": "multiface"}, "cannot be multiface again"),
        ("multiface", {"head": "cosface", "branch": "easy"}, "cosface has no option 'branch'"),
        ("multiface", {"reduce": "max"}, "reduce is 'max'"),
    ],
)
def test_a_wrong_option_is_named(name, options, message):
    with pytest.raises(BadArgument) as caught:
        heads.get(name, 10, **options)
    assert message in str(caught.value)


def test_wrong_classes_names_and_slices_are_refused():
    for classes in (0, -1, 2.5, True, "10"):
        with pytest.raises(BadArgument, match="classes must be a whole number, at least 1"):
            heads.ArcFace(classes)
    with pytest.raises(UnknownChoice, match=r"Unknown head 'arc'. Expected one of: softmax, norm_softmax"):
        heads.get("arc", 10)
    with pytest.raises(BadArgument, match="An embedding of 8 numbers cannot be cut into 3 equal slices"):
        heads.MultiFace(10, slices=3).build_for(8)


@pytest.mark.skipif(not find_spec("jax"), reason="Keras' JAX backend needs jax, which is not installed")
def test_heads_and_losses_learn_on_jax_without_tensorflow():
    script = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "import jax, numpy as np\n"
        "from train import heads, losses\n"
        "from train.heads.partial_fc import PartialFC\n"
        "x, y = np.ones((3, 8), 'float32'), np.array([0, 1, 4])\n"
        "for name in heads.HEADS:\n"
        "    head = heads.get(name, 5)\n"
        "    head.build_for(8)\n"
        "    weights = [variable.value for variable in head.class_variables]\n"
        "    for loss in losses.LOSSES:\n"
        "        of = lambda w: losses.get(loss, 0.1)(head.logits(x, y, w, training=False), y)\n"
        "        value, slopes = jax.jit(jax.value_and_grad(of))(weights)\n"
        "        assert np.isfinite(value)\n"
        "        assert all(np.isfinite(slope).all() and (slope != 0).any() for slope in slopes)\n"
        "rows = PartialFC(heads.ArcFace(200), 0.1, 3).sample(np.array([5, 199, 0, 5, 17]), 7)\n"
        "print(*rows.tolist())\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = PartialFC(heads.ArcFace(200), 0.1, 3).sample(np.array([5, 199, 0, 5, 17]), 7)
    assert done.stdout.split() == [str(row) for row in np.asarray(rows)]  # the same sample on every backend


@pytest.mark.parametrize("name", ["multiface", "subcenter"])
def test_a_head_within_a_head_moves_once_a_step_and_is_saved(name, data, tmp_path):
    head = heads.get(name, 7, head="sphereface")
    inputs = keras.Input((8,)), keras.Input((), dtype="int32")
    model = keras.Model(inputs, head(list(inputs)))
    for _ in range(3):
        head(list(data), training=True)
    head(list(data), training=False)
    assert int(head.inner.iterations) == 3
    model.save(tmp_path / "head.keras")
    loaded = keras.saving.load_model(tmp_path / "head.keras")
    again = next(layer for layer in loaded.layers if isinstance(layer, type(head)))
    assert int(again.inner.iterations) == 3 and len(head.non_trainable_variables) == 1
