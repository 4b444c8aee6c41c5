"""All pairs, blockwise, against comparing each pair by itself."""

import numpy as np
import pytest

import eval
from common.errors import BadArgument, BadEmbedding
from eval.protocols import pairs
from eval.roc import roc


def people(seed=0):
    """Embeddings and labels of 40 people with 1 to 6 pictures, mixed."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(40), random.integers(1, 7, 40)))
    centres = random.normal(size=(40, 24))
    return (centres[labels] + 1.3 * random.normal(size=(len(labels), 24))).astype(np.float32), labels


def each_pair(embeddings, labels):
    unit = embeddings / np.linalg.norm(np.float64(embeddings), axis=1, keepdims=True)
    genuine, impostor = [], []
    for i in range(len(unit)):
        for j in range(i):
            (genuine if labels[i] == labels[j] else impostor).append(unit[i] @ unit[j])
    return np.array(genuine), np.array(impostor)


@pytest.mark.parametrize("block", [1, 37, 1000, 4_000_000])
def test_every_pair_counts_once_however_it_is_cut_into_blocks(monkeypatch, block):
    monkeypatch.setattr(pairs, "BLOCK_PAIRS", block)
    embeddings, labels = people()
    found = eval.all_pairs(embeddings, labels)
    genuine, impostor = each_pair(embeddings, labels)
    expected = roc(genuine, impostor)
    assert (found.genuine, found.impostor) == (len(genuine), len(impostor))
    assert found.auc == pytest.approx(expected.auc(), abs=1e-6)
    assert found.eer == pytest.approx(expected.eer(), abs=1e-3)
    for far in (1e-1, 1e-2, 1e-3):
        assert found.tar[far] == pytest.approx(expected.tar(far)[0], abs=1e-6)
        assert found.thresholds[far] == pytest.approx(expected.tar(far)[1], abs=1e-6)
    assert found.tar[1e-6] is None


def test_labels_may_be_names_in_any_order():
    embeddings, labels = people()
    order = np.random.default_rng(1).permutation(len(labels))
    names = np.array([f"person {label}" for label in labels])
    first, second = eval.all_pairs(embeddings, labels), eval.all_pairs(embeddings[order], names[order])
    assert (first.genuine, first.impostor) == (second.genuine, second.impostor)
    assert first.auc == pytest.approx(second.auc, abs=1e-6)


def test_perfect_separation():
    found = eval.all_pairs(np.repeat(np.eye(6, dtype=np.float32), 3, axis=0), np.repeat(np.arange(6), 3))
    assert (found.auc, found.eer, found.tar[0.1], found.genuine, found.impostor) == (1.0, 0.0, 1.0, 18, 135)


def test_too_many_genuine_pairs_are_refused_before_they_are_compared(monkeypatch):
    monkeypatch.setattr(pairs, "MOST_GENUINE", 17)
    with pytest.raises(BadArgument, match="18 genuine pairs are more than the 17"):
        eval.all_pairs(np.repeat(np.eye(6), 3, axis=0), np.repeat(np.arange(6), 3))


@pytest.mark.parametrize("labels", [np.zeros(6), np.arange(6)])
def test_pairs_of_one_kind_alone_are_refused(labels):
    with pytest.raises(BadArgument, match="Both genuine and impostor pairs"):
        eval.all_pairs(np.eye(6), labels)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(BadArgument, match="one for each of 6 embeddings"):
        eval.all_pairs(np.eye(6), np.arange(5))
    with pytest.raises(BadEmbedding, match="row 2 is zero"):
        eval.all_pairs(np.diag([1.0, 1, 0, 1]), [0, 0, 1, 1])
