"""Pairs of a folder of identities: all of them once, or drawn, each as likely as any other."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from common.errors import BadArgument, BadDataset
from eval import raw
from eval.raw import rawset
from eval.raw.drawing import Groups, drawn
from eval.raw.rawset import in_folds
from tests.eval.raw import layouts


def test_all_pairs_of_a_folder_come_once_and_each_fold_has_its_share_of_both_kinds(tmp_path):
    made = layouts.people(tmp_path / "set", [4, 1, 5, 3, 6])
    found = raw.read("folder", tmp_path / "set")
    pairs = layouts.pairs_of(found)
    expected = {(a, b, one == two) for (one, a), (two, b) in combinations(made, 2)}
    assert len(pairs) == len(expected) == 19 * 18 // 2 and set(pairs) == expected
    share = sum(found.issame) / len(pairs)
    for fold in np.array_split(np.array(found.issame), 10):
        assert abs(fold.sum() - share * len(fold)) <= 1
    assert found.source == "the folder set: all pairs of 19 pictures of 5 people"


def test_drawn_pairs_are_half_genuine_none_twice_and_follow_the_seed(tmp_path):
    layouts.people(tmp_path, [4, 1, 5, 3, 6])
    found = raw.read("folder", tmp_path, pairs=40, seed=1)
    pairs = layouts.pairs_of(found)
    assert len(set(pairs)) == 40 and sum(found.issame) == 20
    assert all((a.split("/")[0] == b.split("/")[0]) == same and a != b for a, b, same in pairs)
    assert [int(fold.sum()) for fold in np.array_split(np.array(found.issame), 10)] == [2] * 10
    assert raw.read("folder", tmp_path, pairs=40, seed=1).names == found.names
    assert raw.read("folder", tmp_path, pairs=40, seed=2).names != found.names


def test_every_pair_of_a_kind_is_drawn_as_often():
    groups = Groups.of([("a", ["a1", "a2", "a3"]), ("b", ["b1"]), ("c", ["c1", "c2"])])
    counts = Counter(pair for seed in range(3000) for pair in drawn(groups, 4, seed))
    genuine = [count for (_, _, same), count in counts.items() if same]
    impostor = [count for (_, _, same), count in counts.items() if not same]
    assert len(genuine) == 4 and len(impostor) == 11
    for each in (genuine, impostor):
        expected = 3000 * 2 / len(each)
        assert max(abs(count - expected) for count in each) < 5 * np.sqrt(expected)


def test_more_pairs_than_there_are_is_refused_with_how_many_there_are(tmp_path, monkeypatch):
    layouts.people(tmp_path, [3, 2])
    with pytest.raises(BadArgument, match="4 genuine and 6 impostor pairs here: at most 8"):
        raw.read("folder", tmp_path, pairs=10)
    for count in (0, -2, 3):
        with pytest.raises(BadArgument, match=f"even number from 2 up, half of them genuine, not {count}"):
            raw.read("folder", tmp_path, pairs=count)
    monkeypatch.setattr(rawset, "MAX_PAIRS", 9)
    with pytest.raises(BadDataset, match="All pairs of .*: 10 pairs are more than the 9"):
        raw.read("folder", tmp_path)


def test_a_folder_without_people_is_refused(tmp_path):
    with pytest.raises(BadDataset, match="holds no folder of an identity"):
        raw.read("folder", tmp_path)
    with pytest.raises(BadDataset, match="cannot be read"):
        raw.read("folder", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadDataset, match="there are no pairs"):
        raw.read("folder", tmp_path)


@pytest.mark.parametrize(("genuine", "impostor"), [(30, 30), (7, 19), (0, 25), (33, 1), (3, 4)])
def test_folds_hold_every_pair_once_in_its_order_and_even_shares(genuine, impostor):
    pairs = [(f"g{n}", "", True) for n in range(genuine)] + [(f"i{n}", "", False) for n in range(impostor)]
    ordered = in_folds(pairs)
    for same in (True, False):
        assert [pair for pair in ordered if pair[2] is same] == [pair for pair in pairs if pair[2] is same]
    for fold in np.array_split(np.array([same for *_, same in ordered]), 10):
        assert abs(fold.sum() - len(fold) * genuine / len(pairs)) <= 1
