"""LFW as its makers publish it: the folds of the list, people kept apart, and one clear error for each damage."""

import numpy as np
import pytest

from common.errors import BadArgument, BadDataset
from eval import raw
from tests.eval.raw import layouts


def test_pairs_come_in_the_order_of_the_list_each_fold_genuine_first(tmp_path):
    expected = layouts.lfw(tmp_path)
    found = raw.read("lfw", tmp_path)
    assert layouts.pairs_of(found) == expected
    assert [sum(found.issame[start : start + 4]) for start in range(0, 40, 4)] == [2] * 10
    assert found.source == "LFW: pairs.txt, 10 folds of 2 + 2, lfw-funneled"


def test_the_folder_of_pictures_may_be_given_itself_with_the_list_beside_or_elsewhere(tmp_path):
    expected = layouts.lfw(tmp_path, pictures="lfw")
    assert layouts.pairs_of(raw.read("lfw", tmp_path / "lfw")) == expected
    (tmp_path / "pairs.txt").rename(tmp_path / "mine.txt")
    (tmp_path / "lfw").rename(tmp_path / "others")
    found = raw.read("lfw", tmp_path, pairs_file=tmp_path / "mine.txt", pictures=tmp_path / "others")
    assert layouts.pairs_of(found) == expected
    with pytest.raises(BadDataset, match=r"no pairs\.txt of LFW. Looked for: .*pairs\.txt"):
        raw.read("lfw", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("10\t2", "10\t3", "line 4: expected NAME NUMBER NUMBER, not 'P_"),
        ("10\t2", "9\t2", "line 38: the 36 pairs announced end before this line"),
        ("10\t2", "11\t2", "announces 11 folds of 2 \\+ 2 pairs and holds 40"),
        ("10\t2", "ten\t2", "line 1: the number must be a whole number"),
        ("10\t2", "999999\t300", "more than the 100000"),
        ("10\t2", "1\t2\t3", "line 1: expected the numbers of folds and of pairs"),
        ("P_", "../../P_", "line 2: .* leads out of the folder"),
        ("P_", "/P_", "line 2: .* leads out of the folder"),
        ("P_", "Nobody_", "1 of .* pictures are not in|2 of .* pictures are not in"),
        ("\t", "\0", "line 1"),
    ],
)
def test_damage_to_the_list_is_named_with_its_line(tmp_path, old, new, said):
    layouts.lfw(tmp_path)
    layouts.replace(tmp_path / "pairs.txt", old, new)
    with pytest.raises(BadDataset, match=said):
        raw.read("lfw", tmp_path)


def test_pictures_that_are_not_there_are_counted_and_the_first_named(tmp_path):
    pairs = layouts.lfw(tmp_path)
    gone = sorted({name for pair in pairs for name in pair[:2]})[:4]
    for name in gone:
        (tmp_path / "lfw-funneled" / name).unlink()
    with pytest.raises(BadDataset, match=r"4 of \d+ pictures are not in .*lfw-funneled: .*, \.\.\."):
        raw.read("lfw", tmp_path)


def people_list(folder, sets=10, members=3, each=3):
    lines = [str(sets)]
    for number in range(sets):
        lines.append(str(members))
        for person in range(members):
            name = f"Q_{number}_{person}"
            lines.append(f"{name}\t{each}")
            for own in range(1, each + 1):
                layouts.picture(folder / "lfw" / name / f"{name}_{own:04d}.jpg", own)
    (folder / "people.txt").write_text("\n".join(lines))


def test_pairs_of_people_are_drawn_within_their_set_as_many_from_each(tmp_path):
    people_list(tmp_path)
    found = raw.read("lfw_people", tmp_path, pairs=60, seed=3)
    pairs = layouts.pairs_of(found)
    assert len(set(pairs)) == 60
    for fold, start in enumerate(range(0, 60, 6)):
        part = pairs[start : start + 6]
        assert all(name.startswith(f"Q_{fold}_") for pair in part for name in pair[:2])
        assert [same for *_, same in part] == [True] * 3 + [False] * 3
    for first, second, same in pairs:
        assert (first.split("/")[0] == second.split("/")[0]) == same and first != second
    assert found.names == raw.read("lfw_people", tmp_path, pairs=60, seed=3).names
    assert found.names != raw.read("lfw_people", tmp_path, pairs=60, seed=4).names
    with pytest.raises(BadArgument, match="multiple of 20, not 50"):
        raw.read("lfw_people", tmp_path, pairs=50)
    with pytest.raises(BadArgument, match="9 genuine and 27 impostor pairs here: at most 18"):
        raw.read("lfw_people", tmp_path, pairs=200)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("10", "11", "ends before all people that it announces"),
        ("10", "9", "line 38: the 9 sets announced end"),
        ("\t3", "\tthree", "line 3: NAME NUMBER expected"),
        ("\t3", "\t999999999", "more than 1000000 pictures"),
        ("Q_", "../Q_", "line 3: .* leads out"),
    ],
)
def test_damage_to_the_list_of_people_is_named(tmp_path, old, new, said):
    people_list(tmp_path)
    layouts.replace(tmp_path / "people.txt", old, new)
    with pytest.raises(BadDataset, match=said):
        raw.read("lfw_people", tmp_path, pairs=60)


def test_an_option_that_a_form_does_not_take_is_refused(tmp_path):
    with pytest.raises(BadArgument, match="lfw has no option pairs. It takes: pairs_file, pictures."):
        raw.read("lfw", tmp_path, pairs=10)
    with pytest.raises(BadArgument, match="cfp_ff has no option seed. It takes none."):
        raw.read("cfp_ff", tmp_path, seed=np.int64(1))
