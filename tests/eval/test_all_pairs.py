"""All pairs, tile by tile, against comparing each pair by itself."""

import numpy as np
import pytest

import eval
from common.errors import BadArgument, BadEmbedding
from eval.protocols import pairs
from eval.roc import roc

STEP = 2**-15


def people(seed=0):
    """Embeddings and labels of 40 people with 1 to 6 pictures, mixed."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(40), random.integers(1, 7, 40)))
    centres = random.normal(size=(40, 24))
    return (centres[labels] + 1.3 * random.normal(size=(len(labels), 24))).astype(np.float32), labels


def with_exact_products(seed=0, count=150):
    """Rows of length 1 whose products are multiples of 1/4: many are equal, and float32 makes no error."""
    random = np.random.default_rng(seed)
    rows = np.zeros((count, 10), np.float32)
    for row in rows:
        row[random.choice(10, 4, replace=False)] = random.choice([-0.5, 0.5], 4)
    labels = np.abs(rows @ random.normal(size=(10, 12))).argmax(1)
    return rows, labels


def each_pair(embeddings, labels):
    unit = embeddings / np.linalg.norm(np.float64(embeddings), axis=1, keepdims=True)
    genuine, impostor = [], []
    for i in range(len(unit)):
        for j in range(i):
            (genuine if labels[i] == labels[j] else impostor).append(unit[i] @ unit[j])
    return np.array(genuine), np.array(impostor)


@pytest.mark.parametrize("tile", [1, 7, 64, 2048])
def test_every_pair_counts_once_however_the_matrix_is_cut_into_tiles(monkeypatch, tile):
    monkeypatch.setattr(pairs, "TILE", tile)
    monkeypatch.setattr(pairs, "PORTION", 11)
    embeddings, labels = with_exact_products(count=60 if tile == 1 else 150)
    found = eval.all_pairs(embeddings, labels)
    genuine, impostor = each_pair(embeddings, labels)
    expected = roc(genuine, impostor)
    assert (found.genuine, found.impostor) == (len(genuine), len(impostor))
    assert found.auc == pytest.approx(expected.auc(), abs=1e-12)
    assert found.eer == pytest.approx(expected.eer(), abs=1e-12)
    for far in (1e-1, 1e-2, 1e-3):
        tar, threshold = expected.tar(far) if expected.carries(far) else (None, None)
        assert found.tar[far] == tar
        edge = None if threshold is None else min(threshold, 1 - STEP) - STEP / 2
        assert found.thresholds[far] == edge
    assert found.tar[1e-6] is None


@pytest.mark.parametrize("seed", range(3))
def test_rates_are_those_of_sorting_all_similarities_but_for_one_step_of_them(seed):
    embeddings, labels = people(seed)
    found = eval.all_pairs(embeddings, labels)
    genuine, impostor = each_pair(embeddings, labels)
    exact, worse = roc(genuine, impostor), roc(genuine - STEP - 1e-6, impostor)
    assert worse.auc() <= found.auc <= roc(genuine + STEP + 1e-6, impostor).auc()
    assert found.eer == pytest.approx(exact.eer(), abs=1e-3)
    for far in (1e-1, 1e-2, 1e-3):
        assert worse.tar(far)[0] <= found.tar[far] <= exact.tar(far)[0]
        assert exact.tar(far)[1] - STEP - 1e-6 <= found.thresholds[far] <= worse.tar(far)[1] + STEP + 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_accepting_at_a_threshold_gives_exactly_the_rates_that_are_stated_with_it(seed):
    embeddings, labels = people(seed)
    found = eval.all_pairs(embeddings, labels)
    unit = (embeddings / np.linalg.norm(np.float64(embeddings), axis=1, keepdims=True)).astype(np.float32)
    products = unit @ unit.T
    later = np.triu(np.ones_like(products, bool), 1)
    same = labels[:, None] == labels
    genuine, impostor = products[later & same], products[later & ~same]
    for far in (1e-1, 1e-2, 1e-3):
        threshold = found.thresholds[far]
        assert threshold * 2**16 == int(threshold * 2**16)
        assert np.mean(genuine >= threshold) == found.tar[far]
        assert np.mean(impostor >= threshold) <= far


def test_labels_may_be_names_in_any_order():
    embeddings, labels = people()
    order = np.random.default_rng(1).permutation(len(labels))
    names = np.array([f"person {label}" for label in labels])
    first, second = eval.all_pairs(embeddings, labels), eval.all_pairs(embeddings[order], names[order])
    assert (first.genuine, first.impostor) == (second.genuine, second.impostor)
    assert first.auc == pytest.approx(second.auc, abs=1e-6)


def test_embeddings_may_be_mapped_from_a_file_and_of_any_length(tmp_path):
    embeddings, labels = people()
    longer = embeddings * np.random.default_rng(2).uniform(0.1, 9, (len(labels), 1))
    np.save(tmp_path / "rows.npy", longer)
    assert eval.all_pairs(np.load(tmp_path / "rows.npy", mmap_mode="r"), labels).auc == pytest.approx(
        eval.all_pairs(embeddings, labels).auc, abs=1e-5
    )


def test_perfect_separation():
    found = eval.all_pairs(np.repeat(np.eye(6, dtype=np.float32), 3, axis=0), np.repeat(np.arange(6), 3))
    assert (found.auc, found.eer, found.tar[0.1], found.genuine, found.impostor) == (1.0, 0.0, 1.0, 18, 135)


def test_identical_and_opposite_pictures_are_counted_too():
    rows = np.repeat(np.random.default_rng(0).normal(size=(9, 300)), 2, axis=0)
    rows[1::2] *= 3
    found = eval.all_pairs(np.concatenate([rows, -rows]), np.tile(np.repeat(np.arange(9), 2), 2))
    # Of each person four pictures: two pairs at 1, four at -1.
    assert (found.genuine, found.impostor) == (9 * 6, 36 * 35 // 2 - 9 * 6)
    assert found.tar[0.1] == pytest.approx(1 / 3) and found.thresholds[0.1] == pytest.approx(1, abs=2 * STEP)


@pytest.mark.parametrize("labels", [np.zeros(6), np.arange(6)])
def test_pairs_of_one_kind_alone_are_refused(labels):
    with pytest.raises(BadArgument, match="Both genuine and impostor pairs"):
        eval.all_pairs(np.eye(6), labels)


def test_what_does_not_fit_together_is_refused(monkeypatch):
    with pytest.raises(BadArgument, match="one for each of 6 embeddings"):
        eval.all_pairs(np.eye(6), np.arange(5))
    rows = np.diag([1.0, 1, 0, 1])
    with pytest.raises(BadEmbedding, match="embeddings: row 2 is zero"):
        eval.all_pairs(rows, [0, 0, 1, 1])
    monkeypatch.setattr(pairs, "PORTION", 2)
    with pytest.raises(BadEmbedding, match=r"embeddings\[2:\]: row 0 is zero"):
        eval.all_pairs(rows, [0, 0, 1, 1])
