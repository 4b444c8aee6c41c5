from types import SimpleNamespace

import numpy as np
import pytest

from bench.accuracy import DATA, GROUPS, compare_with_truth, run
from common.errors import BadArgument

TRUTH = {"amy": (50, 50), "raj": (150, 50), "penny": (250, 50), "stuart": (350, 50)}


def face(x, name, similarity=0.6):
    return SimpleNamespace(box=np.array([x - 30, 20, x + 30, 80]), name=name, similarity=similarity)


def test_missing_wrong_and_extra_names_are_told_apart():
    said = [face(50, "amy", 0.7), face(150, None), face(250, "amy"), face(450, "raj"), face(550, None)]
    result = compare_with_truth("a.jpg", TRUTH, said)
    assert result.missing == ["raj (stranger)", "stuart (no face)"]
    assert result.wrong == ["penny as amy"]
    assert result.extra == ["raj"]
    assert result.strangers == 2
    assert result.named == [("amy", 0.7), ("amy", 0.6), ("raj", 0.6)]


def test_right_names_on_swapped_faces_are_wrong():
    result = compare_with_truth(
        "a.jpg", {"amy": (50, 50), "raj": (150, 50)}, [face(50, "raj"), face(150, "amy")]
    )
    assert result.wrong == ["amy as raj", "raj as amy"]


def test_a_second_box_on_a_face_is_extra_and_the_nearer_one_counts():
    result = compare_with_truth("a.jpg", {"amy": (50, 50)}, [face(70, "raj"), face(52, "amy")])
    assert (result.missing, result.wrong, result.extra) == ([], [], ["raj"])


def test_one_box_over_two_people_is_the_face_of_one_only():
    result = compare_with_truth("a.jpg", {"amy": (50, 50), "raj": (60, 50)}, [face(50, "amy")])
    assert (result.missing, result.wrong) == (["raj (no face)"], [])


def test_data_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(BadArgument, match="--data"):
        run(tmp_path, "mobilefacenet", "mtcnn")


def test_every_group_photo_of_the_data_has_its_truth():
    if not DATA.is_dir():
        pytest.skip("../shared/data is not beside the repository")
    assert {path.name for path in (DATA / "bbt").glob("*.jpg")} == set(GROUPS)
    people = {path.name for path in (DATA / "bbt").iterdir() if path.is_dir()}
    assert all(set(truth) <= people for truth in GROUPS.values())
