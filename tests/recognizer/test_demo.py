import hashlib
import re

import pytest

from networks import zoo
from recognizer.cli import demo


@pytest.fixture
def samples(mobilefacenet_files, mtcnn_files, sample_photo):
    return [sample_photo(name) for name in [*sum(demo.ENROLLED.values(), []), *demo.EXAMINED]]


def test_no_photo_is_recognized_in_itself():
    enrolled = {name for names in demo.ENROLLED.values() for name in names}
    assert not enrolled & set(demo.EXAMINED)


def test_the_demo_finds_who_is_enrolled_and_calls_strangers_unknown(command_line, samples, tmp_path):
    result = command_line("demo", "--out", tmp_path / "annotated")
    rows = [line for line in result.stdout.splitlines() if re.match(r"\S+\.(jpg|png) ", line)]
    assert result.exit_code == 0
    assert len(rows) == 3 + 1 + 6
    for row in rows:
        assert ("Barack Obama" if row.startswith("obama") else "unknown") in row
    assert str(tmp_path / "annotated") in result.stdout
    assert sorted(path.name for path in (tmp_path / "annotated").iterdir()) == sorted(
        zoo.sample(name).name for name in demo.EXAMINED
    )


def test_a_second_run_says_and_draws_the_same(command_line, samples, tmp_path):
    runs = []
    for _ in range(2):
        printed = command_line("demo", "--out", tmp_path / "annotated").stdout
        drawn = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (tmp_path / "annotated").iterdir()
        }
        runs.append((printed, drawn))
    assert runs[0] == runs[1]


def test_the_users_own_people_are_not_touched(command_line, samples, own_data_folder, tmp_path):
    command_line("enroll", "Ann", zoo.sample("biden"))
    before = command_line("people", "--json").stdout
    command_line("demo", "--out", tmp_path / "annotated")
    assert command_line("people", "--json").stdout == before
