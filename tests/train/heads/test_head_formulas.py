"""Every head against its formula in float64, the gold numbers of the field, and where formulas break down."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tensorflow as tf
from keras import ops

from tests.train.heads import naive_heads as naive
from train import heads

COSINES = np.concatenate([np.linspace(-0.9999, 0.9999, 201), [-1.0, 1.0, -0.8775, -0.8777, 0.0, 1 - 6e-8, 6e-8 - 1]])
GOLD = [
    # cos, none, classic, smooth, easy
    (0.9, 37.174244, 37.174244, 37.174244, 37.174244),
    (0.5, 1.510181, 1.510181, 1.510181, 1.510181),
    (-0.5, -54.655103, -54.655103, -54.655103, -32),
    (-0.95, -62.937857, -76.141617, -65.062143, -60.8),
    (-1.0, -56.165284, -79.341617, -71.834716, -64),
]
MARGIN_HEADS = [name for name in heads.HEADS if name not in ("softmax", "multiface", "subcenter")]
SPECIAL = {"multiface": {"slices": 2}, "subcenter": {"centers": 2}}


def own_logits(head, cosines):
    """Logits of a sample's own class at those cosines, from real vectors in the plane."""
    cosines = np.asarray(cosines, np.float64)
    embeddings = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)
    kernel = np.array([[1, 0], [0, -1]], np.float32)
    head.build_for(2)
    labels = np.zeros(len(cosines), np.int32)
    rest = [tf.constant([0.0, 0.0])][: len(head.class_variables) - 1]
    return np.asarray(head.logits(embeddings, labels, [tf.constant(kernel), *rest], training=False))[:, 0]


def made(name, classes=7, size=8, **options):
    head = heads.get(name, classes, **{**SPECIAL.get(name, {}), **options})
    head.build_for(size)
    return head


@pytest.mark.parametrize(("column", "branch"), [(1, "none"), (2, "classic"), (3, "smooth"), (4, "easy")])
def test_arcface_gives_the_gold_numbers_of_each_branch(column, branch):
    values = own_logits(heads.ArcFace(2, branch=branch), [row[0] for row in GOLD])
    np.testing.assert_allclose(values, [row[column] for row in GOLD], atol=2e-4)


@pytest.mark.parametrize(("margins", "gold"), [((1, 0.3, 0.2), 1.391375), ((0.9, 0.4, 0.15), 4.885761)])
def test_combined_gives_the_gold_numbers(margins, gold):
    head = heads.Combined(2, **dict(zip(("m1", "m2", "m3"), margins)))
    assert own_logits(head, [0.5])[0] == pytest.approx(gold, abs=2e-5)


def test_psi_of_sphereface_gives_the_gold_numbers():
    theta = np.array([0.3, 1, 1.8, 2.6])
    values = heads.SphereFace(2).psi(ops.convert_to_tensor(np.cos(theta), "float32"))
    np.testing.assert_allclose(values, [0.362358, -1.346356, -3.391649, -5.439016], atol=5e-6)


@pytest.mark.parametrize("branch", ["classic", "none", "smooth", "easy"])
@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.0])
def test_arcface_is_its_formula_at_every_cosine(branch, margin):
    head = heads.ArcFace(2, margin=margin, branch=branch)
    values = np.asarray(head.margin_cosine(ops.convert_to_tensor(COSINES, "float32"), None))
    turning = np.cos(np.pi - margin) if branch == "classic" else 0 if branch == "easy" else -2
    away = (np.abs(COSINES - turning) > 1e-6) & (np.abs(COSINES) != 1 - 6e-8)
    expected = [naive.arcface(cosine, margin, branch) for cosine in COSINES]
    np.testing.assert_allclose(values[away], np.array(expected)[away], atol=3e-6)
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    "margins", [(1, 0, 0), (1, 0, 0.35), (1, 0.5, 0), (1.5, 0, 0), (0.9, 0.4, 0.15), (1, 0.3, 0.2)]
)
def test_combined_is_its_formula_at_every_cosine(margins):
    head = heads.Combined(2, *margins)
    values = head.margin_cosine(ops.convert_to_tensor(COSINES, "float32"), None)
    expected = [naive.combined(cosine, *margins) for cosine in np.float64(np.float32(COSINES))]
    np.testing.assert_allclose(values, expected, atol=3e-6)


def test_combined_holds_the_other_margins_as_special_cases():
    cosines = ops.convert_to_tensor(COSINES, "float32")
    for margins, head in [
        ((1, 0, 0.35), heads.CosFace(2)),
        ((1, 0.5, 0), heads.ArcFace(2, branch="none")),
    ]:
        one, other = heads.Combined(2, *margins).margin_cosine(cosines, None), head.margin_cosine(cosines, None)
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(heads.Combined(2, 1, 0, 0).margin_cosine(cosines, None), COSINES, atol=1e-6)


@pytest.mark.parametrize("iteration", [1, 100, 100_000])
@pytest.mark.parametrize("margin", [1.0, 2.0, 3.0, 4.0])
def test_sphereface_is_its_formula_and_follows_its_schedule(iteration, margin):
    head = made("sphereface", margin=margin)
    head.iterations.assign(iteration)
    inner = np.clip(COSINES, -0.99999, 0.99999)
    values = head.margin_cosine(ops.convert_to_tensor(inner, "float32"), None)
    expected = [naive.sphereface(cosine, iteration, margin) for cosine in np.float64(np.float32(inner))]
    np.testing.assert_allclose(values, expected, atol=2e-5)


def test_the_iteration_of_sphereface_moves_in_training_only(data):
    embeddings, labels = data
    head = made("sphereface")
    head([embeddings, labels])
    assert int(head.iterations) == 0
    for _ in range(3):
        head([embeddings, labels], training=True)
    assert int(head.iterations) == 3


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    return random.normal(size=(6, 8)).astype(np.float32) * 3, np.array([0, 3, 6, 2, 2, 5])


def own_formula(name, embeddings, head):
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    return {
        "norm_softmax": (lambda cosine, row: cosine, 64),
        "cosface": (lambda cosine, row: cosine - 0.35, 64),
        "arcface": (lambda cosine, row: naive.arcface(cosine), 64),
        "combined": (lambda cosine, row: naive.combined(cosine), 64),
        "sphereface": (lambda cosine, row: naive.sphereface(cosine, 1), lengths),
        "adaface": (
            lambda cosine, row: naive.adaface(
                cosine,
                lengths[row],
                0.99 * 20 + 0.01 * np.mean(np.clip(lengths, 1e-3, 100)),
                0.99 * 100 + 0.01 * np.std(np.clip(lengths, 1e-3, 100), ddof=1),
            ),
            64,
        ),
    }[name]


@pytest.mark.parametrize("name", MARGIN_HEADS)
def test_logits_are_those_of_the_formula(name, data):
    embeddings, labels = data
    head = made(name)
    own, scale = own_formula(name, embeddings, head)
    expected = naive.logits(embeddings, labels, np.asarray(head.class_variables[0]), own, scale)
    np.testing.assert_allclose(head([embeddings, labels], training=True), expected, atol=1e-4)


def test_softmax_is_a_product_and_a_bias(data):
    embeddings, labels = data
    head = made("softmax")
    kernel, bias = head.class_variables
    bias.assign(np.arange(7))
    expected = embeddings.astype(np.float64) @ np.asarray(kernel, np.float64).T + np.arange(7)
    np.testing.assert_allclose(head([embeddings, labels]), expected, atol=1e-5)
    assert len(made("softmax", bias=False).class_variables) == 1


@pytest.mark.parametrize("inner", [name for name in heads.HEADS if name != "multiface"])
@pytest.mark.parametrize("renormalise", [False, True])
def test_multiface_is_its_head_on_each_slice_of_the_normalised_embedding(inner, renormalise, data):
    embeddings, labels = data
    head = made("multiface", head=inner, renormalise=renormalise, **SPECIAL.get(inner, {}))
    values = np.asarray(head([embeddings, labels]))
    assert values.shape == (6, 2, 7)
    alone = made(inner, size=4)
    lengths = np.linalg.norm(embeddings, axis=1)
    for number in range(2):
        directions = np.stack([naive.unit(x) for x in embeddings])[:, 4 * number : 4 * number + 4]
        if renormalise:
            directions = np.stack([naive.unit(x) for x in directions])
        weights = [variable[:, number] for variable in head.class_variables]
        directions = ops.convert_to_tensor(directions, "float32")
        expected = alone.logits_of(directions, ops.convert_to_tensor(lengths), ops.cast(labels, "int32"), weights)
        np.testing.assert_allclose(values[:, number], expected, atol=1e-4)


def test_a_slice_of_multiface_keeps_its_share_of_the_length(data):
    embeddings, labels = data
    head = made("multiface", head="norm_softmax", slices=2)
    kernel = np.asarray(head.class_variables[0], np.float64)
    expected = [
        [[64 * naive.unit(x)[4 * s : 4 * s + 4] @ naive.unit(w[s]) for w in kernel] for s in range(2)]
        for x in embeddings
    ]
    np.testing.assert_allclose(head([embeddings, labels]), expected, atol=1e-4)


def test_sub_center_takes_the_nearest_center_before_the_margin(data):
    embeddings, labels = data
    head = made("subcenter", centers=3, margin=0.3)
    kernel = np.asarray(head.class_variables[0])
    assert kernel.shape == (7, 3, 8)
    for row, values in enumerate(np.asarray(head([embeddings, labels]))):
        for column, value in enumerate(values):
            nearest = max(naive.unit(embeddings[row]) @ naive.unit(center) for center in kernel[column])
            changed = naive.arcface(nearest, 0.3) if column == labels[row] else nearest
            assert value == pytest.approx(64 * changed, abs=1e-4)


def test_adaface_follows_the_lengths_in_training_only(data):
    embeddings, labels = data
    head = made("adaface")
    head([embeddings, labels])
    assert (float(head.length_mean), float(head.length_std)) == (20, 100)
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1)
    mean, std = 20.0, 100.0
    for _ in range(2):
        head([embeddings, labels], training=True)
        mean, std = mean + 0.01 * (lengths.mean() - mean), std + 0.01 * (lengths.std(ddof=1) - std)
    assert float(head.length_mean) == pytest.approx(mean, rel=1e-6)
    assert float(head.length_std) == pytest.approx(std, rel=1e-6)


def gradient(head, embeddings, labels):
    embeddings = tf.convert_to_tensor(embeddings)
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        logits = head([embeddings, tf.convert_to_tensor(labels)], training=True)
        flat = tf.reshape(logits, [-1, logits.shape[-1]])
        repeated = tf.repeat(labels, flat.shape[0] // len(labels))
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=repeated, logits=flat))
    return logits, tape.gradient(loss, [embeddings, *[variable.value for variable in head.class_variables]])


@pytest.mark.parametrize("name", MARGIN_HEADS)
def test_the_gradient_is_that_of_the_formula(name, data):
    embeddings, labels = data
    head = made(name, classes=4, initial_std=1.0)
    labels = labels % 4
    gradients = gradient(head, embeddings, labels)[1]
    kernel = np.asarray(head.class_variables[0], np.float64)
    own, scale = own_formula(name, embeddings, head)

    def loss(embeddings, kernel):
        scaled = np.linalg.norm(embeddings, axis=1) if name == "sphereface" else scale
        return naive.entropy(naive.logits(embeddings, labels, kernel, own, scaled), labels).mean()

    for wanted, place in [((0, 0), 0), ((3, 5), 0), ((2, 1), 1), ((0, 7), 1)]:
        values = [embeddings.astype(np.float64), kernel]
        ends = []
        for step in (1e-5, -1e-5):
            moved = [value.copy() for value in values]
            moved[place][wanted] += step
            ends.append(loss(*moved))
        assert float(gradients[place][wanted]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("name", ["arcface", "combined"])
def test_straight_through_changes_the_gradient_and_not_the_logits(name):
    margins = {"margin": 0.5} if name == "arcface" else {"m1": 1.0, "m2": 0.5, "m3": 0.0}
    cosine, slopes, values = tf.constant([0.5]), [], []
    for straight in (False, True):
        head = heads.get(name, 2, straight_through=straight, **margins)
        with tf.GradientTape() as tape:
            tape.watch(cosine)
            value = head.margin_cosine(cosine, None)
        slopes.append(float(tape.gradient(value, cosine)[0]))
        values.append(float(value[0]))
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert slopes == pytest.approx([1.1544, 1.0], abs=1e-4)  # sin(theta + m) / sin(theta)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", list(heads.HEADS))
def test_nothing_is_infinite_at_the_ends_and_on_zero_vectors(name, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        head = made(name, classes=4)
        kernel = np.asarray(head.class_variables[0]).copy()
        kernel[2] = 0
        head.class_variables[0].assign(kernel)
        along = kernel[1].reshape(-1, 8)[0]
        embeddings = np.stack([along, -along, np.zeros(8), 1e-30 * along, 100 * along, along])
        labels = np.array([1, 1, 1, 0, 1, 2])
        dtype = tf.as_dtype(keras.config.dtype_policy().compute_dtype)
        logits, gradients = gradient(head, tf.cast(embeddings, dtype), labels)
        assert logits.dtype == "float32" and head.class_variables[0].dtype == "float32"
        for values in (logits, *gradients):
            assert np.isfinite(np.asarray(tf.cast(values, tf.float32))).all()
        assert gradients[0].dtype == dtype
    finally:
        keras.config.set_dtype_policy(before)


def test_a_zero_embedding_is_at_right_angles_to_everything_and_learns_nothing():
    head = made("norm_softmax")
    logits, gradients = gradient(head, np.zeros((1, 8), np.float32), np.array([0]))
    assert (np.asarray(logits) == 0).all() and (np.asarray(gradients[0]) == 0).all()


@pytest.mark.parametrize(("length", "has_direction"), [(1e-4, True), (1e-5, True), (1e-7, False), (1e-12, False)])
def test_what_is_shorter_than_a_millionth_has_no_direction(length, has_direction):
    head = made("cosface")
    embedding = np.full((1, 8), length / np.sqrt(8), np.float32)
    logits, gradients = gradient(head, embedding, np.array([0]))
    assert (np.asarray(logits)[0, 1:] != 0).all() == has_direction
    assert (np.asarray(gradients[0]) != 0).any() == has_direction and np.isfinite(gradients[0]).all()


def test_the_lengths_that_adaface_looks_at_are_not_trained(data):
    embeddings, labels = data
    head = made("adaface")
    head.length_mean.assign(8.0)
    head.length_std.assign(1.0)  # so that the length matters: dz / d|x| is 0.333
    along = np.sum(np.asarray(gradient(head, embeddings, labels)[1][0]) * embeddings, axis=1)
    np.testing.assert_allclose(along, 0, atol=1e-4)
