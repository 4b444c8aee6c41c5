"""CFP, AgeDB, CALFW, CPLFW and lists as CSV: the pairs of the official lists, in the folds of the protocol."""

import builtins
import struct
import zlib

import numpy as np
import pytest

from common.errors import BadDataset, MissingDependency
from eval import raw
from eval.raw import rawset
from tests.eval.raw import layouts


def test_cfp_pairs_are_those_of_the_numbered_lists_fold_after_fold(tmp_path):
    expected = layouts.cfp(tmp_path)
    for form, split in (("cfp_ff", "FF"), ("cfp_fp", "FP")):
        found = raw.read(form, tmp_path)
        assert layouts.pairs_of(found) == expected[split]
        assert [sum(found.issame[start : start + 6]) for start in range(0, 60, 6)] == [3] * 10
    profiles = raw.read("cfp_fp", tmp_path).names[1::2]
    assert all("/profile/" in name for name in profiles)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("Pair_list_F.txt", "../Data", "../../etc", r"Pair_list_F\.txt, line 1: .* leads out"),
        ("Pair_list_F.txt", "1 ", "one ", r"Pair_list_F\.txt, line 1: the picture's number"),
        ("Pair_list_F.txt", "2 ../", "99 ../", "there is no picture 2 in the list|are not in"),
        ("Split/FF/03/same.txt", ",", ";", r"03/same\.txt, line 1: expected two numbers"),
        ("Split/FF/03/same.txt", ",", ",7", r"03/same\.txt, line 1: there is no picture 7"),
    ],
)
def test_damage_to_the_lists_of_cfp_is_named(tmp_path, file, old, new, said):
    layouts.cfp(tmp_path, people=1, size=30)
    layouts.replace(tmp_path / "Protocol" / file, old, new)
    with pytest.raises(BadDataset, match=said):
        raw.read("cfp_ff", tmp_path)


def test_a_fold_of_cfp_that_is_missing_is_named(tmp_path):
    layouts.cfp(tmp_path)
    (tmp_path / "Protocol" / "Split" / "FP" / "10" / "diff.txt").unlink()
    with pytest.raises(BadDataset, match=r"10/diff\.txt is missing"):
        raw.read("cfp_fp", tmp_path)


@pytest.mark.parametrize("name", ["CALFW", "CPLFW"])
def test_folds_of_calfw_and_cplfw_are_tenths_of_the_genuine_and_of_the_impostor_pairs(tmp_path, name):
    listed = layouts.calfw(tmp_path, name)
    genuine, impostor = listed[:30], listed[30:]
    expected = [pair for k in range(0, 30, 3) for pair in genuine[k : k + 3] + impostor[k : k + 3]]
    assert layouts.pairs_of(raw.read(name.lower(), tmp_path)) == expected


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("0002.jpg 1", "0002.jpg 0", "line 2: the two lines of a pair must end alike, not in 1, 0"),
        ("0001.jpg 1", "0001.jpg", "line 1: expected a picture's name and a number"),
        ("A_0", "../A_0", "line 1: .* leads out"),
        (" 1", " yes", "line 1: the number after"),
    ],
)
def test_damage_to_the_list_of_calfw_is_named(tmp_path, old, new, said):
    layouts.calfw(tmp_path)
    layouts.replace(tmp_path / "pairs_CALFW.txt", old, new)
    with pytest.raises(BadDataset, match=said):
        raw.read("calfw", tmp_path)


def test_a_list_of_calfw_that_ends_within_a_pair_is_refused(tmp_path):
    layouts.calfw(tmp_path)
    path = tmp_path / "pairs_CALFW.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]))
    with pytest.raises(BadDataset, match="line 119: expected a picture's name"):
        raw.read("calfw", tmp_path)


def with_suffix(folds):
    return [(f"{a}.jpg", f"{b}.jpg", same) for fold in folds for a, b, same in fold]


@pytest.mark.parametrize("line", ["{}.jpg {}.jpg {:d}", "{}\t{}\t{:d}", "{},{}.jpg,{}"])
def test_agedb_is_read_from_text_with_and_without_suffixes(tmp_path, line):
    folds = layouts.agedb(tmp_path)
    (tmp_path / "agedb_30_pair.txt").write_text("\n".join(line.format(*pair) for fold in folds for pair in fold))
    assert layouts.pairs_of(raw.read("agedb_30", tmp_path)) == with_suffix(folds)


def matlab(path, folds):
    """The authors' file: a column of cells, in each a structure of 2 x n pictures (name, age) and n labels 1, -1."""
    from scipy.io import savemat

    splits = np.empty((len(folds), 1), object)
    for number, fold in enumerate(folds):
        pictures = np.empty((2, len(fold)), object)
        for place, (a, b, _) in enumerate(fold):
            pictures[0, place], pictures[1, place] = {"name": a, "age": 20}, {"name": b, "age": 50}
        labels = np.array([[1 if same else -1 for *_, same in fold]], np.int8)
        splits[number, 0] = {"pair": pictures, "label": labels}
    savemat(path, {"splits": splits}, do_compression=True)


def test_agedb_is_read_from_its_authors_protocol(tmp_path):
    folds = layouts.agedb(tmp_path)
    path = tmp_path / "04_FINAL_protocol_30_years.mat"
    matlab(path, folds)
    found = raw.read("agedb_30", tmp_path)
    assert layouts.pairs_of(found) == with_suffix(folds)
    assert found.source == "AgeDB-30: 04_FINAL_protocol_30_years.mat, 03_Protocol_Images"
    for content in (path.read_bytes()[:-300], b"no matlab", b""):
        path.write_bytes(content)
        with pytest.raises(BadDataset, match="is not AgeDB's protocol"):
            raw.read("agedb_30", tmp_path)
    matlab(path, [[("../../x", "y", True)]])
    with pytest.raises(BadDataset, match="leads out"):
        raw.read("agedb_30", tmp_path)


def test_a_protocol_that_unpacks_to_gigabytes_is_refused(tmp_path):
    folds = layouts.agedb(tmp_path)
    path = tmp_path / "04_FINAL_protocol_30_years.mat"
    matlab(path, folds)
    packed = zlib.compress(bytes(70 * 2**20), 1)
    assert len(packed) < 400_000
    path.write_bytes(path.read_bytes()[:128] + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(BadDataset, match="it unpacks to more than 64 MB"):
        raw.read("agedb_30", tmp_path)


def test_the_protocol_of_agedb_says_what_it_needs_where_scipy_is_missing(tmp_path, monkeypatch):
    layouts.agedb(tmp_path)
    (tmp_path / "04_FINAL_protocol_30_years.mat").write_bytes(b"")
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match="pip install scipy"):
        raw.read("agedb_30", tmp_path)


@pytest.mark.parametrize("heading", ["", "a,b,same\n", "A, B, Same\r\n"])
def test_a_csv_is_read_in_its_order_with_and_without_a_heading(tmp_path, heading):
    layouts.people(tmp_path / "photos", [2, 2])
    lines = ["p1/1.jpg,p1/2.jpg,1", '"p1/1.jpg",p2/1.jpg,0', "./p2/1.jpg,p1/../p2/2.jpg,True", "p2\\1.jpg,p1/2.jpg,no"]
    for place, options in ((tmp_path / "photos", {}), (tmp_path, {"pictures": tmp_path / "photos"})):
        (place / "list.csv").write_bytes((heading + "\n\n".join(lines)).encode("utf-8-sig"))
        assert layouts.pairs_of(raw.read("csv", place / "list.csv", **options)) == [
            ("p1/1.jpg", "p1/2.jpg", True),
            ("p1/1.jpg", "p2/1.jpg", False),
            ("p2/1.jpg", "p2/2.jpg", True),
            ("p2/1.jpg", "p1/2.jpg", False),
        ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"p1/1.jpg,p1/2.jpg", "line 2: expected a,b,same"),
        (b"p1/1.jpg,p1/2.jpg,maybe", "line 2: same must be 1 or 0"),
        (b"/etc/passwd,p1/2.jpg,1", "line 2: '/etc/passwd' leads out"),
        (b"p1/../../x.jpg,p1/2.jpg,1", "line 2: .* leads out"),
        (b"C:\\x.jpg,p1/2.jpg,1", "line 2: .* leads out"),
        (b",p1/2.jpg,1", "line 2: the name of a picture is empty"),
        (b'"p1/1.jpg,p1/2.jpg,1', "line 2 is not CSV"),
        (b"p1/1.jpg,p1/9.jpg,1", "1 of 3 pictures are not in .*: p1/9.jpg"),
        (b"p1/" + b"x" * 500 + b",p1/2.jpg,1", "too long|are not in"),
        (b"\xff\xfe,p1/2.jpg,1", "is not UTF-8 text"),
        (b"x\0y,p1/2.jpg,1", "leads out|line 2 is not CSV"),
    ],
)
def test_what_is_wrong_with_a_csv_is_named(tmp_path, line, said):
    layouts.people(tmp_path, [2])
    (tmp_path / "list.csv").write_bytes(b"p1/1.jpg,p1/2.jpg,1\n" + line)
    with pytest.raises(BadDataset, match=said):
        raw.read("csv", tmp_path / "list.csv")


def test_endless_and_missing_lists_are_refused(tmp_path, monkeypatch):
    layouts.people(tmp_path, [2])
    path = tmp_path / "list.csv"
    with pytest.raises(BadDataset, match=r"list\.csv is missing"):
        raw.read("csv", path)
    path.write_text("a,b,same\n")
    with pytest.raises(BadDataset, match="there are no pairs"):
        raw.read("csv", path)
    monkeypatch.setattr(rawset, "MAX_PAIRS", 5)
    path.write_text("p1/1.jpg,p1/2.jpg,1\n" * 6)
    with pytest.raises(BadDataset, match="6 pairs are more than the 5"):
        raw.read("csv", path)
    with path.open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(BadDataset, match="larger than 64 MB"):
        raw.read("csv", path)
