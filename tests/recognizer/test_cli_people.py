import json
import shutil

import pytest

from networks import zoo


@pytest.fixture
def portrait(mobilefacenet_files, mtcnn_files, sample_photo):
    return sample_photo


@pytest.fixture
def with_obama(command_line, portrait):
    assert command_line("enroll", "Barack Obama", portrait("obama2"), portrait("obama3")).exit_code == 0


def _people(command_line, *options):
    result = command_line("people", "--json", *options)
    assert result.exit_code == 0
    return {person["name"]: person["photos"] for person in json.loads(result.stdout)}


def _recognized(command_line, *arguments):
    return json.loads(command_line("recognize", "--json", *arguments).stdout)


def test_a_person_is_enrolled_and_known_in_another_photo(command_line, portrait, with_obama):
    [photo] = _recognized(command_line, portrait("obama"))
    [face] = photo["faces"]
    assert photo["photo"] == str(portrait("obama"))
    assert face["name"] == "Barack Obama"
    assert zoo.entry("mobilefacenet").card.threshold.similarity < face["similarity"] <= 1
    assert len(face["box"]) == 4


def test_the_table_names_who_is_there_and_how_sure_that_is(command_line, portrait, with_obama):
    command_line("enroll", "Joe Biden", portrait("biden"))
    result = command_line("recognize", portrait("obama"))
    header, row = result.stdout.splitlines()
    assert header.split() == ["Photo", "Who", "Similarity", "Runner-up", "Margin", "Score", "Box"]
    similarity, runner_up, margin = _numbers(row)
    assert "Barack Obama" in row and "Joe Biden" in row
    assert margin == pytest.approx(similarity - runner_up, abs=0.0011)


def _numbers(row):
    """Similarity, the runner-up's similarity and the margin of a row."""
    numbers = [float(word) for word in row.split() if word.lstrip("-").replace(".", "", 1).isdecimal()]
    return numbers[:3]


def test_strangers_are_unknown_and_that_is_no_failure(command_line, portrait, with_obama):
    result = command_line("recognize", portrait("t1"))
    assert result.exit_code == 0
    assert result.stdout.count("unknown") == 6


def test_an_empty_gallery_knows_nobody_and_says_so(command_line, portrait):
    result = command_line("recognize", portrait("obama"))
    assert result.exit_code == 0
    assert "unknown" in result.stdout
    assert "nobody is enrolled" in result.stderr


def test_a_higher_threshold_makes_a_stranger(command_line, portrait, with_obama):
    [photo] = _recognized(command_line, portrait("obama"), "--threshold", "0.99")
    assert photo["faces"][0]["name"] is None


def test_folders_stand_for_their_photos(command_line, portrait, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("obama", "biden"):
        shutil.copy(portrait(name), folder)
    (folder / "notes.txt").write_text("no picture")
    assert [photo["photo"] for photo in _recognized(command_line, folder)] == [
        str(folder / "biden.jpg"), str(folder / "obama.jpg"),
    ]  # fmt: skip


def test_a_facebank_enrolls_everyone_and_reports_what_it_left_out(command_line, portrait, tmp_path):
    for person, photo in (("Obama", "obama"), ("Biden", "biden")):
        (tmp_path / "bank" / person).mkdir(parents=True)
        shutil.copy(portrait(photo), tmp_path / "bank" / person)
    (tmp_path / "bank" / "Biden" / "broken.jpg").write_text("no picture")
    result = command_line("enroll-folder", tmp_path / "bank", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["added"] == {"Obama": 1, "Biden": 1}
    assert [refusal["name"] for refusal in report["refused"]] == ["Biden"]
    assert "warning: " in result.stderr and "broken.jpg" in result.stderr
    assert _people(command_line) == {"Obama": 1, "Biden": 1}
    entries = json.loads(command_line("audit", "--action", "person.add", "--json").stdout)
    assert {entry["person"]: entry["details"] for entry in entries} == {"Obama": {"photos": 1}, "Biden": {"photos": 1}}
    command_line("enroll-folder", tmp_path / "bank")
    assert json.loads(command_line("audit", "--json").stdout) == entries  # nobody got anything new


def test_of_several_faces_one_is_taken_and_that_is_noted(command_line, portrait):
    result = command_line("enroll", "Someone", portrait("t1"))
    assert result.exit_code == 0
    assert "note: " in result.stderr and "6 faces" in result.stderr


def test_verify_answers_with_its_exit_code(command_line, portrait):
    same = command_line("verify", portrait("obama"), portrait("obama2"))
    different = command_line("verify", portrait("obama"), portrait("biden"), "--json")
    assert (same.exit_code, different.exit_code) == (0, 1)
    assert same.stdout.startswith("same person")
    assert json.loads(different.stdout)["same"] is False


def test_verify_needs_a_face_in_both(command_line, portrait, tmp_path):
    from PIL import Image

    Image.new("RGB", (200, 200), "green").save(tmp_path / "green.png")
    result = command_line("verify", portrait("obama"), tmp_path / "green.png")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_forgetting_needs_a_yes(command_line, with_obama):
    refused = command_line("forget", "Barack Obama")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert _people(command_line) == {"Barack Obama": 2}
    assert command_line("forget", "Barack Obama", "--yes").exit_code == 0
    assert _people(command_line) == {}


def test_forgetting_someone_unknown_forgets_nobody(command_line, with_obama):
    result = command_line("forget", "Barack Obama", "Nobody", "--yes")
    assert result.exit_code == 2
    assert "Nobody" in result.stderr
    assert _people(command_line) == {"Barack Obama": 2}


def test_nobody_enrolled_is_an_answer(command_line):
    assert "Nobody is enrolled" in command_line("people").stdout
    assert _people(command_line) == {}
    assert command_line("forget", "Ann", "--yes").exit_code == 2


def test_people_stay_in_the_database_and_gallery_they_were_put_in(command_line, portrait, tmp_path):
    place = ("--database", f"sqlite:///{tmp_path}/other.db", "--gallery", "friends")
    assert command_line("enroll", "Ann", portrait("obama"), *place).exit_code == 0
    assert _people(command_line, *place) == {"Ann": 1}
    assert _people(command_line, *place[:2]) == {}
    assert _people(command_line) == {}
