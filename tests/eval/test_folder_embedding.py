"""Embedding a folder of identities: every picture once, in order; interrupted, it goes on; nothing is mixed up."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

import networks
from common.errors import BadArgument, BadDataset, BadEmbedding, BadPicture, NoFace
from eval import folder_embedding, kept
from eval.faces import Options
from eval.folder_embedding import embed_folder
from networks.network import Network
from tests.eval import people

OPTIONS = Options(aligned=True, size=people.SIZE, jobs=2)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return networks.load(people.model(tmp_path_factory.mktemp("model")))


class Counting:
    """A network that counts the faces it is given, and may fail after some."""

    def __init__(self, network, fail_after=None, error=KeyboardInterrupt):
        self.faces, self._fail_after, self._error, self._inner = 0, fail_after, error, network
        self.network = Network(self, network.card, network.digest)

    def __call__(self, faces):
        if self._fail_after is not None and self.faces >= self._fail_after:
            raise self._error
        self.faces += len(faces)
        return self._inner._engine(faces)


def test_every_picture_is_embedded_once_in_natural_order(tmp_path, network):
    written = people.folder(tmp_path / "set", [3, 1, 12])
    for batch in (1, 5, 64):
        found = embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / f"kept{batch}", flip="sum_raw", batch=batch)
        assert found.files == list(written) and found.files[5] == "p3/2.png"
        assert found.names == ["p1", "p2", "p3"] and found.labels.tolist() == [0] * 3 + [1] + [2] * 12
        np.testing.assert_allclose(found.embeddings, people.by_hand(written.values()), atol=1e-5)
        assert isinstance(found.embeddings, np.memmap) and found.embeddings.dtype == np.float32


def test_what_is_finished_is_taken_as_it_is(tmp_path, network):
    people.folder(tmp_path / "set", [3, 2])
    first = embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept", flip="none")
    counting = Counting(network)
    again = embed_folder(tmp_path / "set", counting.network, OPTIONS, tmp_path / "kept", flip="none")
    assert counting.faces == 0
    np.testing.assert_array_equal(first.embeddings, again.embeddings)


@pytest.mark.parametrize("portion", [1, 4, 4096])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, network, monkeypatch, portion):
    monkeypatch.setattr(folder_embedding, "PORTION", portion)
    written = people.folder(tmp_path / "set", [5, 6])
    broken = Counting(network, fail_after=6)
    with pytest.raises(KeyboardInterrupt):
        embed_folder(tmp_path / "set", broken.network, OPTIONS, tmp_path / "kept", flip="none", batch=2)
    rest = Counting(network)
    found = embed_folder(tmp_path / "set", rest.network, OPTIONS, tmp_path / "kept", flip="none", batch=2)
    assert (broken.faces, rest.faces) == (6, 5)
    np.testing.assert_allclose(found.embeddings, people.by_hand(written.values(), "none"), atol=1e-5)


def test_rows_that_were_written_but_not_saved_are_made_again(tmp_path, network, monkeypatch):
    written = people.folder(tmp_path / "set", [4, 4])
    monkeypatch.setattr(folder_embedding, "PORTION", 4)
    monkeypatch.setattr(
        kept.KeptRows, "close", lambda rows: rows._file.close()
    )  # as if killed: nothing saved at the end
    with pytest.raises(KeyboardInterrupt):
        network_that_ends = Counting(network, fail_after=6).network
        embed_folder(tmp_path / "set", network_that_ends, OPTIONS, tmp_path / "kept", flip="none", batch=2)
    assert json.loads((tmp_path / "kept" / "done.json").read_text())["rows"] == 4
    monkeypatch.undo()
    rest = Counting(network)
    found = embed_folder(tmp_path / "set", rest.network, OPTIONS, tmp_path / "kept", flip="none")
    assert rest.faces == 4
    np.testing.assert_allclose(found.embeddings, people.by_hand(written.values(), "none"), atol=1e-5)


@pytest.mark.parametrize("change", ["flip", "digest", "engine", "faces", "pictures"])
def test_embeddings_that_were_made_otherwise_are_not_taken(tmp_path, network, change):
    people.folder(tmp_path / "set", [2, 2])
    given = {"network": network, "options": OPTIONS, "flip": "none", "engine": "auto f32"}
    embed_folder(tmp_path / "set", keep=tmp_path / "kept", **given)
    if change == "pictures":
        os.utime(tmp_path / "set" / "p1" / "1.png", (1, 1))
    other = {
        "flip": {"flip": "sum_raw"},
        "digest": {"network": Network(network._engine, network.card, "f" * 64)},
        "engine": {"engine": "auto bf16"},
        "faces": {"options": replace(OPTIONS, aligned=False, border=3)},
        "pictures": {},
    }[change]
    with pytest.raises(BadArgument, match=rf"made otherwise \({change}\)"):
        embed_folder(tmp_path / "set", keep=tmp_path / "kept", **{**given, **other})


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, network):
    people.folder(tmp_path / "set", [2, 2])
    with pytest.raises(BadArgument, match="holds other things, such as p"):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "set")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadArgument, match="cannot hold embeddings"):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "content"),
    [("embeddings.npy", b"no"), ("done.json", b"[]"), ("done.json", b'{"rows": 99, "notes": {}}'), ("done.json", b"{")],
)
def test_a_damaged_folder_is_refused(tmp_path, network, name, content):
    people.folder(tmp_path / "set", [2, 2])
    embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")
    (tmp_path / "kept" / name).write_bytes(content)
    with pytest.raises(BadArgument, match="is damaged"):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")


def test_rows_that_are_said_to_be_there_and_are_not_are_no_rows_of_zeros(tmp_path, network):
    people.folder(tmp_path / "set", [2, 2])
    embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")
    rows = tmp_path / "kept" / "embeddings.npy"
    rows.write_bytes(rows.read_bytes()[: -3 * 4 * 5])
    (tmp_path / "kept" / "done.json").write_text('{"rows": 3, "notes": {}}')
    with pytest.raises(BadArgument, match="is damaged"):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")


def test_two_processes_do_not_fill_one_folder(tmp_path, network):
    people.folder(tmp_path / "set", [2, 2])
    with (
        kept.kept_rows(tmp_path / "kept", {}, (4, 5)),
        pytest.raises(BadArgument, match="Another process"),
    ):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")


def test_a_full_disk_is_one_clear_error_and_what_was_saved_stays(tmp_path, network, monkeypatch):
    people.folder(tmp_path / "set", [4, 4])

    def full(path, content):
        if path.name == "done.json":
            raise OSError(28, "No space left on device")
        whole(path, content)

    whole = kept.write_whole
    monkeypatch.setattr(kept, "write_whole", full)
    with pytest.raises(BadArgument, match="cannot hold embeddings: No space left on device"):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")
    monkeypatch.undo()
    assert len(embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept").labels) == 8


def test_pictures_that_cannot_be_read_are_left_out_and_named(tmp_path, network):
    written = people.folder(tmp_path / "set", [3, 3])
    (tmp_path / "set" / "p1" / "2.png").write_bytes(b"no picture")
    for _ in range(2):  # made, and kept
        found = embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept", flip="none", batch=2)
        del_one = [name for name in written if name != "p1/2.png"]
        assert found.files == del_one and found.labels.tolist() == [0, 0, 1, 1, 1] and found.pictures == 6
        assert [name for name, _ in found.unreadable] == ["p1/2.png"] and "is not a picture" in found.unreadable[0][1]
        expected = people.by_hand([written[name] for name in del_one], "none")
        np.testing.assert_allclose(found.embeddings, expected, atol=1e-5)
    strict = replace(OPTIONS, missing="fail")
    for keep in ("kept", "new"):
        with pytest.raises(BadPicture, match=r"p1.2\.png"):
            embed_folder(tmp_path / "set", network, strict, tmp_path / keep, flip="none")


def test_photos_without_a_face_are_taken_at_their_centre_or_left_out_or_refused(
    tmp_path, network, mtcnn_files, sample_photo
):
    import cv2

    from mtcnn.aligner import Aligner
    from mtcnn.pictures import read_picture

    obama = read_picture(sample_photo("obama"))
    empty = np.tile(np.arange(64, dtype=np.uint8)[:, None, None], (1, 40, 3))
    for name, photo in {"a/1": obama, "a/2": empty, "b/1": obama[:, ::-1]}.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "set" / f"{name}.png"), photo)
    options = replace(OPTIONS, aligned=False)
    found = embed_folder(tmp_path / "set", network, options, tmp_path / "kept", flip="none")
    assert found.missed == ["a/2.png"] and found.labels.tolist() == [0, 0, 1]
    cut = [Aligner(size=people.SIZE)(obama).face, cv2.resize(empty[2:62], (16, 24), interpolation=cv2.INTER_AREA)]
    np.testing.assert_allclose(found.embeddings[:2], people.by_hand(cut, "none"), atol=0.02)
    found = embed_folder(tmp_path / "set", network, replace(options, missing="exclude"), tmp_path / "kept", flip="none")
    assert found.missed == ["a/2.png"] and found.files == ["a/1.png", "b/1.png"] and found.labels.tolist() == [0, 1]
    for keep in ("kept", "new"):
        with pytest.raises(NoFace, match=r"a.2\.png"):
            embed_folder(tmp_path / "set", network, replace(options, missing="fail"), tmp_path / keep, flip="none")


def test_a_folder_of_which_nothing_can_be_used_is_refused(tmp_path, network):
    (tmp_path / "set" / "p1").mkdir(parents=True)
    with pytest.raises(BadDataset, match="1 folders without a picture"):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")
    (tmp_path / "set" / "p1" / "1.png").write_bytes(b"no picture")
    with pytest.raises(NoFace, match="None of 1 pictures"):
        embed_folder(tmp_path / "set", network, OPTIONS, tmp_path / "kept")
    with pytest.raises(BadDataset, match="No such folder"):
        embed_folder(tmp_path / "nowhere", network, OPTIONS, tmp_path / "kept2")


def test_an_embedding_that_means_nothing_is_refused_by_the_name_of_its_picture(tmp_path, network):
    people.folder(tmp_path / "set", [2, 2])
    for value in (0, np.nan):
        useless = Network(lambda faces, value=value: [np.full((len(faces), 5), value, np.float32)], network.card, "")
        with pytest.raises(BadEmbedding, match=r"p1/1\.png"):
            embed_folder(tmp_path / "set", useless, OPTIONS, tmp_path / f"kept{value}")


def test_few_pictures_are_in_memory_at_a_time(tmp_path, network):
    people.folder(tmp_path / "set", [40, 40])
    reading = []

    class Reader:
        def __call__(self, path):
            reading.append(path)
            return folder_embedding.FaceReader(OPTIONS)(path)

    rows = folder_embedding._batches(tmp_path / "set", [f"p1/{i}.png" for i in range(1, 41)], Reader(), OPTIONS, 2)
    for number in range(1, 10):
        next(rows)
        assert len(reading) <= 2 * (number + folder_embedding.AHEAD)
    rows.close()
