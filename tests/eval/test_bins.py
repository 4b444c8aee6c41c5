"""Verification sets in every shape they come in, and one clear error for what is none."""

import pickle
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

import eval
from common.errors import BadArgument, BadDataset, BadPicture
from eval import bins as under_test

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "formats" / "small_lfw.bin"


def faces(count=6, side=16):
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def write(path, bins, issame, protocol=4, change=lambda content: content):
    path.write_bytes(change(pickle.dumps((bins, issame), protocol)))
    return path


def old_numpy(content):
    """The names of NumPy 1; in protocols to 3 a name is a line of text."""
    assert b"numpy._core" in content
    return content.replace(b"numpy._core", b"numpy.core")


def column(content):
    return np.frombuffer(content, np.uint8).reshape(-1, 1)  # as PaddlePaddle's files have it


FORMS = {
    "bytes": png,
    "bytearray": lambda picture: bytearray(png(picture)),
    "array of bytes": lambda picture: np.frombuffer(png(picture), np.uint8),
    "column of bytes": lambda picture: column(png(picture)),
    "decoded": lambda picture: picture,
    "decoded, column by column": lambda picture: np.asfortranarray(picture),
}
ISSAME = {
    "booleans": [True, False, True],
    "numbers": [1, 0, 1],
    "NumPy's booleans": [np.bool_(True), np.bool_(False), np.bool_(True)],
    "an array": np.array([True, False, True]),
    "an array of numbers": np.array([1, 0, 1]),
    "a tuple": (True, False, True),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", FORMS)
def test_pictures_in_every_form_and_protocol(tmp_path, form, protocol):
    path = write(tmp_path / "set.bin", [FORMS[form](each) for each in faces()], [True, False, True], protocol)
    pictures, issame = eval.read_bin(path)
    np.testing.assert_array_equal(pictures, faces())
    assert pictures.dtype == np.uint8 and issame.dtype == np.bool_ and issame.tolist() == [True, False, True]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("form", ISSAME)
def test_issame_in_every_form(tmp_path, form, protocol):
    path = write(tmp_path / "set.bin", [png(each) for each in faces()], ISSAME[form], protocol)
    assert eval.read_bin(path)[1].tolist() == [True, False, True]


@pytest.mark.parametrize("protocol", [0, 2, 3])
def test_files_of_numpy_1(tmp_path, protocol):
    arrays = [FORMS["array of bytes"](each) for each in faces()]
    path = write(tmp_path / "set.bin", arrays, ISSAME["NumPy's booleans"], protocol, old_numpy)
    np.testing.assert_array_equal(eval.read_bin(path)[0], faces())


def python_2(pictures, issame):
    """What cPickle of Python 2 writes with protocol 2: text opcodes for str."""
    short, long = b"U%c%s", b"T%s%s"
    items = [
        short % (len(each), each) if len(each) < 256 else long % (struct.pack("<i", len(each)), each)
        for each in pictures
    ]
    flags = b"".join(b"\x88" if same else b"\x89" for same in issame)
    return b"\x80\x02]q\x01(" + b"".join(items) + b"e]q\x02(" + flags + b"e\x86q\x03."


def test_files_of_python_2(tmp_path):
    encoded = [png(each) for each in faces()]
    (tmp_path / "set.bin").write_bytes(python_2(encoded, [True, False, True]))
    assert pickle.loads((tmp_path / "set.bin").read_bytes(), encoding="bytes") == (encoded, [True, False, True])
    pictures, issame = eval.read_bin(tmp_path / "set.bin")
    np.testing.assert_array_equal(pictures, faces())
    assert issame.tolist() == [True, False, True]


def test_files_of_python_2_in_plain_text(tmp_path):
    text = [repr(png(each))[1:].encode("latin1") for each in faces()]  # S'...' with escapes, I01 for True
    content = b"((l" + b"".join(b"S" + each + b"\na" for each in text) + b"(lI01\naI00\naI01\nat."
    (tmp_path / "set.bin").write_bytes(content)
    np.testing.assert_array_equal(eval.read_bin(tmp_path / "set.bin")[0], faces())


def test_pictures_keep_their_order_when_many_are_decoded_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(under_test, "PORTION", 7)
    many = faces(40)
    pictures, _ = eval.read_bin(write(tmp_path / "set.bin", [png(each) for each in many], [True] * 20), progress=True)
    np.testing.assert_array_equal(pictures, many)


def test_a_written_set_is_read_back_and_is_what_other_tools_read(tmp_path):
    jpeg = cv2.imencode(".jpg", faces()[5])[1].tobytes()
    eval.write_bin(tmp_path / "set.bin", [*faces()[:5], jpeg], np.array([True, False, True]))
    pictures, issame = eval.read_bin(tmp_path / "set.bin")
    np.testing.assert_array_equal(pictures[:5], faces()[:5])
    np.testing.assert_array_equal(pictures[5], cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
    bins, same = pickle.loads((tmp_path / "set.bin").read_bytes())
    assert bins[5] == jpeg and [type(each) for each in bins] == [bytes] * 6 and same == [True, False, True]
    assert issame.tolist() == same
    assert [each.name for each in tmp_path.iterdir()] == ["set.bin"]


def test_a_set_that_cannot_be_written_leaves_the_old_one(tmp_path):
    eval.write_bin(tmp_path / "set.bin", faces(), [True, False, True])
    before = (tmp_path / "set.bin").read_bytes()
    with pytest.raises(BadPicture, match="uint8"):
        eval.write_bin(tmp_path / "set.bin", faces().astype(np.float32), [True, False, True])
    with pytest.raises(BadPicture, match="not int"):
        eval.write_bin(tmp_path / "set.bin", [1, 2], [True])
    with pytest.raises(BadArgument, match="6 for 2 pairs"):
        eval.write_bin(tmp_path / "set.bin", faces(), [True, False])
    assert (tmp_path / "set.bin").read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["set.bin"]


GOOD = [png(each) for each in faces()]


@pytest.mark.parametrize(
    ("bins", "issame", "said"),
    [
        (GOOD, [True, False], "6 pictures and must hold half as many booleans, not list of 2"),
        (GOOD, [True, False, "yes"], "booleans only"),
        (GOOD, [True, False, 2], "booleans only"),
        (GOOD, None, "half as many"),
        (GOOD[:5], [True, False], "half as many"),
        ([], [], "list of 2 to"),
        ("text", [True, False], "list of 2 to"),
        ([*GOOD[:5], "text"], [True] * 3, "picture 5: A picture is bytes"),
        ([*GOOD[:5], [1, 2]], [True] * 3, "picture 5: A picture is bytes"),
        ([*GOOD[:5], b"no picture"], [True] * 3, "picture 5: .*not a picture"),
        ([*GOOD[:5], GOOD[5][:-100]], [True] * 3, "picture 5: .*damaged or cut short"),
        ([*GOOD[:5], b""], [True] * 3, "picture 5"),
        ([*GOOD[:5], png(faces(1, 12)[0])], [True] * 3, "picture 5 has 12x12 pixels and picture 0 has 16x16"),
        ([*GOOD[:5], np.zeros((16, 16, 3), bool)], [True] * 3, "picture 5: .*uint8"),
    ],
)
def test_what_is_no_verification_set_is_named(tmp_path, bins, issame, said):
    path = write(tmp_path / "set.bin", bins, issame)
    with pytest.raises(BadDataset, match=rf"set\.bin.*{said}"):
        eval.read_bin(path)


@pytest.mark.parametrize("content", [b"", b"garbage" * 50, pickle.dumps([1, 2, 3]), pickle.dumps((GOOD,))])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "set.bin").write_bytes(content)
    with pytest.raises(BadDataset, match=r"set\.bin"):
        eval.read_bin(tmp_path / "set.bin")


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path):
    content = pickle.dumps((GOOD, [True, False, True]), 4)
    for length in [*range(1, 60), *range(60, len(content) - 1, 97), len(content) - 1]:
        (tmp_path / "set.bin").write_bytes(content[:length])
        with pytest.raises(BadDataset, match="refused"):
            eval.read_bin(tmp_path / "set.bin")


def test_missing_files_and_folders_are_named(tmp_path):
    for path in (tmp_path / "none.bin", tmp_path):
        with pytest.raises(BadDataset, match="No such verification set"):
            eval.read_bin(path)


def test_a_set_larger_than_memory_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(under_test, "MAX_DECODED", 16 * 16 * 3 * 5)
    with pytest.raises(BadDataset, match="6 pictures of 16x16 pixels do not fit"):
        eval.read_bin(write(tmp_path / "set.bin", GOOD, [True] * 3))
    monkeypatch.setattr(under_test, "MAX_PICTURES", 5)
    with pytest.raises(BadDataset, match="list of 2 to 5 pictures, not list of 6"):
        eval.read_bin(tmp_path / "set.bin")


def test_the_real_set_of_shared_data(mobilefacenet_files):
    if not REAL.is_file():
        pytest.skip("../shared/data/formats/small_lfw.bin is not on this machine")
    import networks

    pictures, issame = eval.read_bin(REAL)
    assert pictures.shape == (20, 112, 112, 3) and issame.all() and len(issame) == 10
    found = eval.verification(eval.embed(networks.load("mobilefacenet"), pictures), issame)
    assert found.similarities.min() > 0.5  # ten genuine pairs; strangers lie below 0.4


@pytest.mark.parametrize("as_array", [False, True])
def test_a_picture_of_several_pairs_is_decoded_and_held_once(tmp_path, monkeypatch, as_array):
    three = faces(3)
    order = [0, 1, 2, 0, 1, 1]
    encoded = [cv2.imencode(".png", face)[1] for face in three]
    items = [encoded[number].copy() if as_array else encoded[number].tobytes() for number in order]
    (tmp_path / "a.bin").write_bytes(pickle.dumps((items, [True, False, True])))
    decoded, read = [], under_test.read_picture
    monkeypatch.setattr(under_test, "read_picture", lambda item: decoded.append(item) or read(item))
    pictures, issame = under_test.read_pairs(tmp_path / "a.bin")
    assert len(decoded) == 4 and issame.tolist() == [True, False, True]  # the first is looked at for its size
    assert (len(pictures), pictures.shape, len(pictures.different)) == (6, (6, 16, 16, 3), 3)
    np.testing.assert_array_equal(pictures[:], three[order])
    np.testing.assert_array_equal(pictures[4], three[1])
    np.testing.assert_array_equal(eval.read_bin(tmp_path / "a.bin")[0], three[order])


def test_a_small_file_that_names_one_picture_often_does_not_fill_the_memory(tmp_path, monkeypatch):
    picture = cv2.imencode(".png", np.zeros((8, 6, 3), np.uint8))[1].tobytes()
    (tmp_path / "a.bin").write_bytes(pickle.dumps(([picture] * 2000, [True] * 1000)))
    monkeypatch.setattr(under_test, "MAX_DECODED", 8 * 6 * 3 * 100)
    assert len(under_test.read_pairs(tmp_path / "a.bin")[0].different) == 1
    with pytest.raises(BadDataset, match="2000 pictures of 6x8 pixels do not fit"):
        eval.read_bin(tmp_path / "a.bin")
