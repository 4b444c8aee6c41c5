"""The recognizer's words on real photos, with the real networks and a real database."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml

import db
import networks
from common.errors import (
    BadArgument,
    BadEmbedding,
    DatabaseError,
    ModelMismatch,
    NoFace,
    NothingEnrolled,
    UnknownPerson,
)
from mtcnn import Detections, read_picture
from mtcnn.cascade import Mtcnn
from recognizer import Recognizer


def people(recognizer):
    return {person.name: person.count for person in recognizer.customs()}


def unit(rows):
    rows = np.float64(rows)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def random_embeddings(count, dimension=192, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


# Who is who


def test_a_person_enrolled_from_two_photos_is_known_in_a_third_and_strangers_stay_strangers(
    recognizer, sample_photo
):
    report = recognizer.add_customs("Barack Obama", [sample_photo("obama"), sample_photo("obama2")])
    assert report.added == {"Barack Obama": 2} and report.refused == []
    (face,) = recognizer.recognize(sample_photo("obama3"))
    assert face.name == "Barack Obama" and face.similarity > recognizer.threshold
    assert face.runner_up is None
    strangers = recognizer.recognize(sample_photo("t1"))
    assert len(strangers) == 6
    assert [stranger.name for stranger in strangers] == [None] * 6
    assert max(stranger.similarity for stranger in strangers) < recognizer.threshold


def test_of_two_people_the_nearer_is_named_and_the_other_is_the_runner_up(recognizer, portraits):
    recognizer.add_customs({"Obama": portraits.obama, "Biden": portraits.biden})
    (face,) = recognizer.recognize(portraits.obama2)
    assert face.name == "Obama" and face.runner_up.name == "Biden"
    assert face.similarity > face.runner_up.similarity
    known, probe = recognizer.get_embd([portraits.obama, portraits.obama2])
    assert face.similarity == pytest.approx(float(known[0] @ probe[0]), abs=1e-4)


def test_everyone_in_a_picture_is_named_in_place(recognizer, portraits):
    recognizer.add_customs({"Obama": [portraits.obama, portraits.obama3], "Biden": portraits.biden})
    both = np.hstack([portraits.obama2, np.ascontiguousarray(portraits.biden[:, ::-1])])
    faces = {face.name: face for face in recognizer.recognize(both)}
    assert set(faces) == {"Obama", "Biden"}
    assert faces["Obama"].box[2] < 270 and faces["Biden"].box[0] > 250
    mapping = faces["Obama"].to_mapping()
    assert mapping["name"] == "Obama" and len(mapping["box"]) == 4 and len(mapping["landmarks"]) == 5


def test_an_empty_gallery_knows_nobody(recognizer, portraits):
    (face,) = recognizer.recognize(portraits.biden)
    assert face.name is None and face.similarity == -1 and face.runner_up is None
    assert recognizer.customs() == []


def test_verify_compares_the_two_most_prominent_faces(recognizer, portraits):
    same = recognizer.verify(portraits.obama, portraits.obama2)
    other = recognizer.verify(portraits.obama, portraits.biden)
    assert same.same and not other.same
    assert -1 <= other.similarity < same.threshold == recognizer.threshold <= same.similarity <= 1
    assert recognizer.verify(portraits.obama, portraits.obama).similarity == pytest.approx(1, abs=1e-5)
    with pytest.raises(NoFace):
        recognizer.verify(portraits.obama, portraits.wall)


# Forms of a picture


def test_one_picture_gives_one_answer_and_several_a_list(recognizer, portraits):
    several = [portraits.obama, portraits.wall, np.hstack([portraits.biden, portraits.obama])]
    for form in (several, tuple(several), iter(several)):
        assert [len(faces) for faces in recognizer.recognize(form)] == [1, 0, 2]
    assert [len(faces) for faces in recognizer.recognize(np.stack([portraits.obama, portraits.biden]))] == [
        1,
        1,
    ]
    assert isinstance(recognizer.detect(portraits.obama), Detections)
    assert [len(faces) for faces in recognizer.detect(several)] == [1, 0, 2]
    assert recognizer.align_face(several[2]).shape == (2, 112, 112, 3)
    assert [faces.shape for faces in recognizer.align_face(several)] == [(n, 112, 112, 3) for n in (1, 0, 2)]
    assert recognizer.get_embd(several[2]).shape == (2, 192)
    assert [rows.shape for rows in recognizer.get_embd(several)] == [(1, 192), (0, 192), (2, 192)]


@pytest.mark.parametrize("word", ["recognize", "detect", "align_face", "get_embd"])
def test_no_pictures_give_no_answers(recognizer, word):
    assert getattr(recognizer, word)([]) == []


def test_path_text_bytes_and_array_give_the_same(recognizer, portraits, tmp_path):
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), portraits.biden)
    expected = recognizer.get_embd(portraits.biden)
    for form in (path, str(path), path.read_bytes(), bytearray(path.read_bytes())):
        np.testing.assert_array_equal(recognizer.get_embd(form), expected)


def test_together_and_one_by_one_give_the_same_embeddings(recognizer, portraits):
    pictures = [portraits.obama, portraits.obama2, portraits.wall, portraits.biden, portraits.obama3]
    for picture, rows in zip(pictures, recognizer.get_embd(pictures)):
        np.testing.assert_allclose(rows, recognizer.get_embd(picture).reshape(rows.shape), atol=1e-4)


def test_aligned_faces_are_embedded_as_they_are(recognizer, portraits):
    aligned = recognizer.align_face(portraits.obama)
    np.testing.assert_allclose(recognizer.get_embd(aligned), recognizer.get_embd(portraits.obama), atol=1e-5)
    given = recognizer.align_face(portraits.obama, recognizer.detect(portraits.obama))
    np.testing.assert_array_equal(given, aligned)
    with pytest.raises(BadArgument, match="one picture"):
        recognizer.align_face([portraits.obama], recognizer.detect(portraits.obama))


# The gallery's words


def test_adding_again_counts_up_and_averages(recognizer, portraits):
    recognizer.add_customs("Obama", portraits.obama)
    recognizer.add_customs("Obama", portraits.obama2)
    assert people(recognizer) == {"Obama": 2}
    rows = np.concatenate(recognizer.get_embd([portraits.obama, portraits.obama2]))
    (probe,) = recognizer.get_embd(portraits.obama3)
    (face,) = recognizer.recognize(portraits.obama3)
    assert face.similarity == pytest.approx(float(unit(rows.mean(0)) @ probe), abs=1e-4)


def test_the_order_and_portions_in_which_photos_come_do_not_matter(
    mobilefacenet_files, mtcnn_files, portraits
):
    photos = [portraits.obama, portraits.obama2, portraits.obama3]
    found = []
    for portions in ([photos], [photos[:1], photos[1:]], [[photo] for photo in photos[::-1]]):
        with Recognizer(database="sqlite://") as fresh:
            for portion in portions:
                fresh.add_customs("Obama", portion)
            found.append(fresh.recognize(portraits.biden)[0].similarity)
    assert found == pytest.approx([found[0]] * 3, abs=1e-5)


def test_ready_embeddings_are_averaged_into_a_person(recognizer, portraits):
    recognizer.add_customs("Obama", portraits.obama)
    (first,) = recognizer.get_embd(portraits.obama)
    extra = random_embeddings(3)
    recognizer.add_embds("Obama", extra * 7)  # of any length: directions are averaged
    assert people(recognizer) == {"Obama": 4}
    (probe,) = recognizer.get_embd(portraits.obama2)
    template = unit(np.vstack([first[None], unit(extra)]).mean(0))
    assert recognizer.recognize(portraits.obama2)[0].similarity == pytest.approx(
        float(template @ probe), abs=1e-4
    )


def test_ready_embeddings_come_in_every_form(recognizer, portraits):
    recognizer.add_customs({"A": portraits.obama, "B": portraits.biden})
    rows = random_embeddings(2)
    recognizer.add_embds("A", rows[0])
    recognizer.add_embds("A", rows)
    recognizer.add_embds("A", list(rows))
    recognizer.add_embds("A", recognizer.get_embd([portraits.obama, portraits.obama2]))
    recognizer.add_embds("A", rows.astype(np.float64))
    report = recognizer.add_embds({"A": rows, "B": rows[1]})
    assert report.added == {"A": 2, "B": 1}
    assert people(recognizer) == {"A": 1 + 1 + 2 + 2 + 2 + 2 + 2, "B": 2}


def test_photos_are_averaged_into_a_person_from_any_iterable(recognizer, portraits):
    recognizer.add_customs("Obama", portraits.obama)
    recognizer.add_embds("Obama", (photo for photo in (portraits.obama2, portraits.obama3)))
    recognizer.add_embds({"Obama": iter([portraits.obama2])})
    recognizer.add_embds("Obama", portraits.obama2)
    assert people(recognizer) == {"Obama": 5}


@pytest.mark.parametrize("form", ["photo", "embedding", "both"])
def test_averaging_into_someone_unknown_stores_nothing(recognizer, portraits, form):
    recognizer.add_customs("Obama", portraits.obama)
    given = {"photo": portraits.biden, "embedding": random_embeddings(1)}
    with pytest.raises(UnknownPerson, match="Biden"):
        if form == "both":
            recognizer.add_embds({"Obama": random_embeddings(1), "Biden": random_embeddings(1)})
        else:
            recognizer.add_embds("Biden", given[form])
    assert people(recognizer) == {"Obama": 1}


BAD_ROWS = random_embeddings(2)
NAN, ZERO = BAD_ROWS.copy(), BAD_ROWS.copy()
NAN[1, 3], ZERO[1] = np.nan, 0


@pytest.mark.parametrize(
    "embeddings",
    [NAN, np.where(np.isnan(NAN), np.inf, NAN), ZERO, BAD_ROWS[:, :191], BAD_ROWS[:, :1], BAD_ROWS[:0],
     np.zeros(192), np.float32([]), np.array(1.0, np.float32), [BAD_ROWS[0], BAD_ROWS[:, :5]]],
)  # fmt: skip
def test_embeddings_that_are_none_store_nothing(recognizer, portraits, embeddings):
    recognizer.add_customs("Obama", portraits.obama)
    with pytest.raises(BadEmbedding):
        recognizer.add_embds("Obama", embeddings)
    with pytest.raises(BadEmbedding):
        recognizer.add_embds({"Obama": embeddings})
    assert people(recognizer) == {"Obama": 1}


def test_very_short_embeddings_are_brought_to_length_one(recognizer, portraits):
    recognizer.add_customs("Obama", portraits.obama)
    (row,) = recognizer.get_embd(portraits.obama)
    recognizer.add_embds("Obama", row * np.float32(1e-30))
    assert recognizer.recognize(portraits.obama)[0].similarity == pytest.approx(1, abs=1e-4)


def test_pictures_and_embeddings_are_not_mixed(recognizer, portraits):
    recognizer.add_customs({"A": portraits.obama, "B": portraits.biden})
    with pytest.raises(BadArgument, match="either pictures or embeddings"):
        recognizer.add_embds({"A": random_embeddings(1), "B": portraits.biden})


def test_updating_replaces_all_that_was_known(recognizer, portraits):
    recognizer.add_customs("President", [portraits.obama, portraits.obama2])
    report = recognizer.update_customs("President", portraits.biden)
    assert report.added == {"President": 1} and people(recognizer) == {"President": 1}
    assert recognizer.recognize(portraits.biden)[0].name == "President"
    assert recognizer.recognize(portraits.obama3)[0].name is None


def test_updating_someone_unknown_or_with_nothing_usable_changes_nothing(recognizer, portraits):
    recognizer.add_customs("Obama", [portraits.obama, portraits.obama2])
    with pytest.raises(UnknownPerson, match="Biden"):
        recognizer.update_customs({"Obama": portraits.obama3, "Biden": portraits.biden})
    with pytest.raises(NothingEnrolled):
        recognizer.update_customs("Obama", portraits.wall)
    assert people(recognizer) == {"Obama": 2}


def test_the_deleted_are_forgotten_all_or_none(recognizer, portraits):
    recognizer.add_customs({"A": portraits.obama, "B": portraits.biden, "C": portraits.obama3})
    with pytest.raises(UnknownPerson, match="'D'"):
        recognizer.del_customs(["A", "D"])
    assert set(people(recognizer)) == {"A", "B", "C"}
    assert recognizer.del_customs("A") == ["A"]
    assert recognizer.del_customs(["C"]) == ["C"]
    assert recognizer.del_customs([]) == []
    assert recognizer.recognize(portraits.obama)[0].name is None
    assert recognizer.recognize(portraits.biden)[0].name == "B"


# Databases


def test_others_on_the_same_database_see_each_change_at_their_next_call(
    mobilefacenet_files, mtcnn_files, portraits, tmp_path
):
    url = f"sqlite:///{tmp_path / 'people.db'}"
    with Recognizer(database=url) as writer, Recognizer(database=url) as reader:

        def name():
            return reader.recognize(portraits.obama2)[0].name

        assert name() is None
        writer.add_customs("Obama", portraits.obama)
        assert name() == "Obama"
        writer.update_customs("Obama", portraits.biden)
        assert name() is None
        writer.add_embds("Obama", np.concatenate([reader.get_embd(portraits.obama)] * 30))
        assert name() == "Obama"
        writer.del_customs("Obama")
        assert name() is None
        writer.add_customs("President", portraits.obama)
        assert name() == "President"
    with Recognizer(database=url) as later:
        assert people(later) == {"President": 1}


def test_databases_in_memory_know_nothing_of_each_other(recognizer, portraits):
    recognizer.add_customs("Obama", portraits.obama)
    with Recognizer(database="sqlite://") as other:
        assert other.customs() == []
        assert other.recognize(portraits.obama)[0].name is None


def test_galleries_of_one_database_know_nothing_of_each_other(
    mobilefacenet_files, mtcnn_files, portraits, tmp_path
):
    url = f"sqlite:///{tmp_path / 'people.db'}"
    with (
        Recognizer(database=url, gallery="staff") as staff,
        Recognizer(database=url, gallery="guests") as guests,
    ):
        staff.add_customs("Obama", portraits.obama)
        assert people(guests) == {} and guests.recognize(portraits.obama2)[0].name is None


def test_people_are_kept_in_the_data_folder_by_default(
    mobilefacenet_files, mtcnn_files, portraits, own_data_folder
):
    with Recognizer() as first:
        first.add_customs("Obama", portraits.obama)
    assert (own_data_folder / "people.db").is_file()
    with Recognizer() as second:
        assert people(second) == {"Obama": 1}


def test_a_closed_recognizer_says_so(mobilefacenet_files, mtcnn_files, portraits):
    with Recognizer(database="sqlite://") as closed:
        pass
    with pytest.raises(DatabaseError, match="closed"):
        closed.recognize(portraits.obama)


def test_a_gallery_belongs_to_the_model_it_was_made_with(
    mobilefacenet_files, mtcnn_files, portraits, tmp_path
):
    url = f"sqlite:///{tmp_path / 'people.db'}"
    with Recognizer(database=url) as first:
        first.add_customs("Obama", portraits.obama)
    other = tmp_path / "other.tflite"
    other.write_bytes(mobilefacenet_files["model"].read_bytes())
    card = networks.load("mobilefacenet").card
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(replace(card, flip="sum_raw").to_mapping()))
    with pytest.raises(ModelMismatch, match="another gallery"):
        Recognizer(model=other, database=url)
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(replace(card, name="renamed").to_mapping()))
    with Recognizer(model=other, database=url) as same:
        assert same.recognize(portraits.obama2)[0].name == "Obama"


# Thresholds


def test_the_argument_s_threshold_wins_over_the_gallery_s_which_wins_over_the_card_s(
    mobilefacenet_files, mtcnn_files, tmp_path
):
    url = f"sqlite:///{tmp_path / 'people.db'}"
    card = networks.load("mobilefacenet").card
    with Recognizer(database=url) as recognizer, db.open(url) as database:
        assert recognizer.threshold == card.threshold.similarity
        recognizer.index.search(np.eye(1, 512, dtype=np.float32), 1)  # what it says is as of now, not of a search
        model = recognizer.model
        database.gallery("default", model.name, model.digest, model.dim).set_threshold(0.0, 1e-3)
        assert recognizer.threshold == 0.0
        with Recognizer(database=url, threshold=-0.25) as strict:
            assert strict.threshold == -0.25
        with Recognizer(database=url, threshold=0) as zero:
            assert zero.threshold == 0


def test_the_threshold_decides_who_is_a_stranger(mobilefacenet_files, mtcnn_files, portraits):
    with Recognizer(database="sqlite://", threshold=1) as strict:
        strict.add_customs("Obama", portraits.obama)
        assert strict.recognize(portraits.obama2)[0].name is None
        assert not strict.verify(portraits.obama, portraits.obama2).same
    with Recognizer(database="sqlite://", threshold=-1) as lenient:
        lenient.add_customs("Obama", portraits.obama)
        assert lenient.recognize(portraits.biden)[0].name == "Obama"


@pytest.mark.parametrize("threshold", [1.01, -2, float("nan"), "0.4", True, [0.4]])
def test_a_threshold_that_is_no_cosine_is_refused(mobilefacenet_files, threshold):
    with pytest.raises(BadArgument, match="threshold is a cosine"):
        Recognizer(database="sqlite://", threshold=threshold)


def test_without_any_threshold_the_error_says_what_to_do(
    mobilefacenet_files, mtcnn_files, portraits, tmp_path
):
    (tmp_path / "mine.tflite").write_bytes(mobilefacenet_files["model"].read_bytes())
    card = replace(networks.load("mobilefacenet").card, threshold=None)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card.to_mapping()))
    with (
        Recognizer(model=tmp_path / "mine.tflite", database="sqlite://") as recognizer,
        pytest.raises(BadArgument, match=r"threshold=\.\.\."),
    ):
        recognizer.recognize(portraits.obama)


# Threads and processes


def test_eight_threads_recognise_while_another_enrols(recognizer, portraits):
    recognizer.add_customs("Obama", [portraits.obama, portraits.obama3])

    def enrol():
        for number in range(12):
            recognizer.add_customs(f"Guest {number}", portraits.biden)
            recognizer.add_embds("Obama", recognizer.get_embd(portraits.obama2))
            recognizer.del_customs(f"Guest {number}")
        return "enrolled"

    with ThreadPoolExecutor(9) as threads:
        enrolling = threads.submit(enrol)
        found = list(threads.map(lambda _: recognizer.recognize(portraits.obama2), range(80)))
        assert enrolling.result() == "enrolled"
    assert {faces[0].name for faces in found} == {"Obama"}
    assert people(recognizer) == {"Obama": 14}


def test_recognising_a_photo_imports_no_training_framework(
    mobilefacenet_files, mtcnn_files, portraits, tmp_path
):
    cv2.imwrite(str(tmp_path / "face.png"), portraits.obama)
    script = (
        "import sys; from recognizer import Recognizer;"
        "faces = Recognizer(database='sqlite://').recognize(sys.argv[1]);"
        "assert len(faces) == 1, faces;"
        "print(sorted({'tensorflow', 'keras', 'torch', 'jax', 'onnx', 'requests'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script, tmp_path / "face.png"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_progress_wraps_the_photos(recognizer, portraits):
    seen = []

    def progress(work, length):
        seen.append(length)
        for each in work:
            seen.append(each[0])
            yield each

    recognizer.add_customs(
        {"A": [portraits.obama, portraits.obama2], "B": portraits.biden}, progress=progress
    )
    assert seen == [3, "A", "A", "B"]


def test_a_detector_may_be_given_ready_made(mobilefacenet_files, mtcnn_files, sample_photo):
    detector = Mtcnn(mtcnn_files, min_face_size=300)
    with Recognizer(database="sqlite://", detector=detector) as recognizer:
        assert recognizer.detector is detector
        assert len(recognizer.detect(read_picture(sample_photo("t1"))[:450, :450])) == 0
