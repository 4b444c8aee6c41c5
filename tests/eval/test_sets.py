"""Verification sets by name: found where they are said to be looked for, or an error that says what to do."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import eval
from common.config import load
from common.errors import BadDataset
from eval import raw, sets
from tests.eval.raw import layouts

ROOT = Path(__file__).parents[2]
NAMES = ["lfw", "cfp_ff", "cfp_fp", "agedb_30", "calfw", "cplfw", "vgg2_fp"]


@pytest.fixture(autouse=True)
def no_data_folder(tmp_path, monkeypatch):
    """No set of this machine is found by chance."""
    monkeypatch.delenv("EVAL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def write(path, pairs=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = np.random.default_rng(0).integers(0, 256, (2 * pairs, 16, 16, 3), np.uint8)
    eval.write_bin(path, pictures, [True, False, True][:pairs])
    return pictures


def paths(found):
    return {each.name: each.path for each in found}


def test_every_set_of_the_field_is_known_and_its_entry_in_order():
    assert sets.names() == NAMES
    for name in NAMES:
        known = sets.entry(name)
        assert known.files == [f"{name}.bin"] and known.pairs in (5000, 6000, 7000)
        assert known.form in (None, *raw.RAW) and len(known.about) > 10
        assert name == "vgg2_fp" or "http" in known.get
        row = re.search(rf"^\| `{name}` \|.* {known.pairs} \|", page(), re.MULTILINE)
        assert row and (known.folder is None or f"`{known.folder}/`" in row[0]), name


def page():
    return (ROOT / "docs" / "verification-sets.md").read_text("utf-8")


def test_the_variable_and_every_key_of_the_description_are_documented(tmp_path):
    assert f"`{sets.VARIABLE}`" in page()
    for key in ("format", "sha256", *sets.Provenance.__dataclass_fields__):
        assert f"`{key}`" in page(), key


def test_sets_are_found_in_the_folder_or_one_deeper_and_the_folder_itself_wins(tmp_path, monkeypatch):
    write(tmp_path / "data" / "faces_emore" / "lfw.bin")
    assert paths(sets.find(["lfw"])) == {"lfw": Path("data/faces_emore/lfw.bin")}
    write(tmp_path / "data" / "lfw.bin")
    assert paths(sets.find(["lfw"])) == {"lfw": Path("data/lfw.bin")}
    write(tmp_path / "elsewhere" / "lfw.bin")
    monkeypatch.setenv("EVAL_DATA", str(tmp_path / "elsewhere"))
    assert paths(sets.find(["lfw"])) == {"lfw": tmp_path / "elsewhere" / "lfw.bin"}
    assert paths(sets.find(["lfw"], Path("data"))) == {"lfw": Path("data/lfw.bin")}
    write(tmp_path / "too" / "deep" / "down" / "lfw.bin")
    with pytest.raises(BadDataset, match="The verification set lfw is not there"):
        sets.find(["lfw"], tmp_path / "too")


def test_a_set_that_is_there_twice_is_not_chosen_by_chance(tmp_path, capsys):
    for name in ("emore", "ms1m"):
        write(tmp_path / "data" / name / "lfw.bin")
    with pytest.raises(BadDataset, match=r"it is there 2 times: data/emore/lfw\.bin, data/ms1m/lfw\.bin"):
        sets.find(["lfw"])
    write(tmp_path / "data" / "cfp_fp.bin")
    assert list(paths(sets.find(["all"]))) == ["cfp_fp"]
    assert "note: lfw is left out: it is there 2 times" in capsys.readouterr().err


def test_all_takes_those_that_are_there_and_names_may_be_mixed_with_paths(tmp_path):
    for name in ("cfp_fp", "agedb_30"):
        write(tmp_path / "data" / f"{name}.bin")
    write(tmp_path / "mine.bin")
    assert list(paths(sets.find(["all"]))) == ["cfp_fp", "agedb_30"]
    found = sets.find(["agedb_30", str(tmp_path / "mine.bin"), "all", "data/agedb_30.bin"])
    assert [each.name for each in found] == ["agedb_30", "mine", "cfp_fp"], "each once, in the order asked for"


@pytest.mark.parametrize("asked", [["cfp_fp", "lfw"], ["all"], []])
def test_what_is_missing_is_told_with_all_names_where_each_is_looked_for_and_how_to_get_it(tmp_path, asked):
    if asked[:1] == ["cfp_fp"]:
        write(tmp_path / "data" / "cfp_fp.bin")
    with pytest.raises(BadDataset) as caught:
        sets.find(asked)
    said = str(caught.value)
    assert said.startswith("The verification set lfw is not" if "lfw" in asked else "No verification set is there")
    for name in NAMES:
        if asked and name == asked[0]:
            assert "  cfp_fp: is there, data/cfp_fp.bin\n" in said
            continue
        assert f"Looked for: data/{name}.bin, data/*/{name}.bin" in said and sets.entry(name).get in said
    assert "raw in data/cfp-dataset." in said and "--data or EVAL_DATA" in said


def test_unknown_names_and_paths_are_told(tmp_path):
    with pytest.raises(BadDataset, match="Unknown verification set 'lwf'. Expected some of: lfw, cfp_ff, .*, all, or"):
        sets.find(["lwf"])
    with pytest.raises(BadDataset, match=r"No such verification set: none\.bin"):
        sets.find(["none.bin"])
    with pytest.raises(BadDataset, match="No such verification set: xxx"):
        sets.find(["x" * 300 + ".bin"])


def test_a_set_is_read_with_its_pictures_and_without_a_description_it_has_none(tmp_path, capsys):
    pictures = write(tmp_path / "data" / "lfw.bin")
    found = sets.read(sets.find(["lfw"])[0])
    assert (found.name, found.path, found.provenance) == ("lfw", Path("data/lfw.bin"), None)
    np.testing.assert_array_equal(found.pictures, pictures)
    assert found.issame.tolist() == [True, False, True]
    assert capsys.readouterr().err == "note: data/lfw.bin holds 3 pairs; lfw has 6000.\n"
    write(tmp_path / "mine.bin")
    sets.read(sets.find(["mine.bin"])[0])
    assert capsys.readouterr().err == "", "how many pairs it should have is not known"


def test_where_only_the_raw_form_is_there_the_set_is_built_once_which_is_said(
    tmp_path, capsys, mtcnn_files, sample_photo
):
    import mtcnn

    folder = tmp_path / "data" / "lfw"
    photos = {"Barack_Obama/Barack_Obama_0001.jpg": "obama", "Barack_Obama/Barack_Obama_0002.jpg": "obama2"}
    photos["Joe_Biden/Joe_Biden_0001.jpg"] = "biden"
    for name, sample in photos.items():
        (folder / "lfw" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "lfw" / name).write_bytes(sample_photo(sample).read_bytes())
    (folder / "pairs.txt").write_text("1\t1\nBarack_Obama\t1\t2\nBarack_Obama\t2\tJoe_Biden\t1\n")
    located = sets.find(["lfw"])
    assert located == [sets.Located("lfw", Path("data/lfw.bin"), ("lfw", Path("data/lfw")), 6000)]
    assert not Path("data/lfw.bin").exists(), "finding builds nothing"
    with pytest.raises(BadDataset, match="  lfw: is there, data/lfw\n"):
        sets.find(["cfp_ff"])
    found = sets.read(located[0])
    assert "note: Building data/lfw.bin from data/lfw, faces found by mtcnn" in capsys.readouterr().err
    order = [list(photos)[number] for number in (0, 1, 1, 2)]
    detector = mtcnn.create("mtcnn")
    for picture, name in zip(found.pictures, order, strict=True):
        photo = folder / "lfw" / name
        assert np.array_equal(picture, detector.align(photo, detector.detect_single(photo))[0])
    assert found.issame.tolist() == [True, False] and found.provenance.names == order
    assert sets.find(["lfw"])[0].raw is None, "now it is there"
    sets.read(located[0])
    assert "Building" not in capsys.readouterr().err


def test_what_is_wrong_with_a_raw_form_is_told(tmp_path, capsys):
    layouts.lfw(tmp_path / "data" / "lfw")
    (tmp_path / "data" / "lfw" / "pairs.txt").unlink()
    with pytest.raises(BadDataset, match=r"data/lfw is there, but: There is no pairs\.txt of LFW"):
        sets.find(["lfw"])
    with pytest.raises(BadDataset, match="No verification set is there"):
        sets.find(["all"])
    assert "note: lfw is left out: data/lfw is there, but: " in capsys.readouterr().err


@pytest.fixture
def built(tmp_path):
    """A set of 6 pairs with a description."""
    from eval.building import build
    from eval.faces import Options

    layouts.people(tmp_path / "set", [2, 2])
    return build(raw.read("folder", tmp_path / "set"), tmp_path / "x.bin", Options(aligned=True)).path


def test_the_description_comes_with_the_set_it_was_made_with(built):
    known = sets.read(sets.find([str(built)])[0]).provenance
    assert known.names == raw.read("folder", built.parent / "set").names and known.detector == "none"


def test_the_description_of_another_file_is_refused(built):
    write(built)
    with pytest.raises(BadDataset, match=r"x\.bin\.json describes another file than x\.bin"):
        sets.read(sets.find([str(built)])[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda document: document.update(names=document["names"][:-1]), "names is missing"),
        (lambda document: document.update(names=[1] * len(document["names"])), "names is missing"),
        (lambda document: document.update(missed="all"), "missed is missing"),
        (lambda document: document.update(rule="guess"), "rule is missing"),
        (lambda document: document.update(border=True), "border is missing"),
        (lambda document: document.pop("date"), "date is missing"),
        (lambda document: document.update(format=2), "does not describe a verification set"),
    ],
)
def test_a_description_that_is_not_in_order_is_refused(built, change, said):
    path = built.with_name("x.bin.json")
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(BadDataset, match=rf"x\.bin\.json.*{said}"):
        sets.read(sets.find([str(built)])[0])


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"[]", b"\xff\xfe"])
def test_a_damaged_description_is_refused(built, content):
    built.with_name("x.bin.json").write_bytes(content)
    with pytest.raises(BadDataset, match=r"x\.bin\.json"):
        sets.read(sets.find([str(built)])[0])


def test_a_set_of_which_pairs_were_left_out_is_not_said_to_be_incomplete(built, capsys):
    path = built.with_name("x.bin.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "excluded_pairs": 5994, "rule": "exclude"}))
    sets.read(sets.Located("lfw", built, None, 6000))
    assert capsys.readouterr().err == ""


def test_a_file_in_the_working_folder_does_not_redefine_what_the_sets_are(tmp_path):
    (tmp_path / "datasets.yaml").write_text("other: {}\n")
    sets._listed.cache_clear()
    assert sets.names() == NAMES == list(load(ROOT / "configs" / "datasets.yaml"))
