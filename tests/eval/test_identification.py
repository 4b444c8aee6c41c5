"""Searching probes in a gallery, against sorting every person for every probe."""

import numpy as np
import pytest

import eval
from common.errors import BadArgument, BadEmbedding
from eval.protocols import identification


def scene(seed=0, people=30, strangers=20):
    """A gallery with one to three pictures of each of 30 people, and probes of them and of 20 strangers."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people + strangers, 12))
    gallery_labels = random.permutation(np.repeat(np.arange(people), random.integers(1, 4, people)))
    probe_labels = random.permutation(np.repeat(np.arange(people + strangers), 3))

    def pictures(labels):
        return (centres[labels] + 1.2 * random.normal(size=(len(labels), 12))).astype(np.float32)

    return pictures(gallery_labels), gallery_labels, pictures(probe_labels), probe_labels


def by_hand(gallery, gallery_labels, probes, probe_labels):
    """(rank of the own person or None, its score, best score of all) of each probe."""
    found = []
    for probe, label in zip(probes, probe_labels):
        scores = {}
        for picture, owner in zip(gallery, gallery_labels):
            cosine = float(np.float64(picture) @ probe / np.linalg.norm(np.float64(picture)) / np.linalg.norm(probe))
            scores[owner] = max(cosine, scores.get(owner, -1))
        ordered = sorted(scores, key=scores.get, reverse=True)
        rank = ordered.index(label) + 1 if label in scores else None
        found.append((rank, scores.get(label), scores[ordered[0]]))
    return found


@pytest.mark.parametrize("block", [1, 500, 4_000_000])
def test_ranks_and_open_set_rates_are_those_of_sorting_everybody(monkeypatch, block):
    monkeypatch.setattr(identification, "BLOCK_PAIRS", block)
    arrays = scene()
    found, expected = eval.identification(*arrays), by_hand(*arrays)
    ranks = np.array([rank for rank, _, _ in expected if rank])
    assert (found.people, found.mated, found.unmated) == (30, len(ranks), 60)
    assert found.rank == {k: pytest.approx(np.mean(ranks <= k)) for k in (1, 5, 10)}
    np.testing.assert_allclose(found.cmc, [np.mean(ranks <= k) for k in range(1, 31)])
    strangers = sorted((best for rank, _, best in expected if rank is None), reverse=True)
    # 60 strangers: FPIR 0.1 allows six of them; 0.01 not even one.
    hits = [rank == 1 and own > strangers[6] for rank, own, _ in expected if rank]
    assert found.tpir[0.1] == pytest.approx(np.mean(hits))
    assert strangers[6] < found.thresholds[0.1]
    assert found.tpir[0.01] is None and found.thresholds[0.01] is None


def test_a_tie_counts_against_the_own_person():
    found = eval.identification(np.array([[1.0, 0], [1.0, 0], [0, 1]]), [0, 1, 2], np.array([[1.0, 0]]), [0])
    assert found.cmc.tolist() == [0, 1, 1] and found.rank == {1: 0, 5: 1, 10: 1}


def test_who_is_beaten_is_not_found_though_the_threshold_is_reached():
    gallery, strangers = np.array([[1.0, 0, 0], [0.8, 0.6, 0]]), np.array([[0.1, 0, 1.0]] * 10)
    found = eval.identification(gallery, [0, 1], np.vstack([gallery[:1], gallery[:1], strangers]), [0, 1] + [2] * 10)
    assert found.rank[5] == 1 and found.tpir[0.1] == 0.5, "as in IJB and unlike FRVT, where both are found"


def test_without_strangers_there_is_no_open_set_rate():
    found = eval.identification(np.eye(3), ["a", "b", "c"], np.eye(3), ["a", "b", "c"])
    assert found.rank[1] == 1 and found.unmated == 0 and found.tpir == {0.1: None, 0.01: None}


def test_a_gallery_of_one_person():
    found = eval.identification(np.eye(2), ["a", "a"], np.array([[1.0, 0]] + [[1.0, 2.0]] * 10), ["a"] + ["x"] * 10)
    assert (found.people, found.mated, found.unmated, found.rank[1], found.tpir[0.1]) == (1, 1, 10, 1, 1)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(BadArgument, match="in common"):
        eval.identification(np.eye(3), [0, 1, 2], np.eye(3), [3, 4, 5])
    with pytest.raises(BadEmbedding, match="3 dimensions and probes have 4"):
        eval.identification(np.eye(3), [0, 1, 2], np.eye(4), [0, 1, 2, 3])
    with pytest.raises(BadArgument, match="gallery_labels must be one for each of 3"):
        eval.identification(np.eye(3), [0, 1], np.eye(3), [0, 1, 2])
    with pytest.raises(BadEmbedding, match="probes: row 1 is not finite"):
        eval.identification(np.eye(3), [0, 1, 2], np.diag([1, np.inf, 1]), [0, 1, 2])
