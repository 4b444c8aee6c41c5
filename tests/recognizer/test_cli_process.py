"""The command line as a process of its own: exit codes, signals, pipes, terminals."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "recognizer.cli"]
SQLITE_MAGIC = b"SQLite format 3\0"


@pytest.fixture
def photo(mobilefacenet_files, mtcnn_files, sample_photo):
    return sample_photo("obama")


def _run(*arguments, **options):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, timeout=120, **options)


def _on_terminal(arguments, answer=b"", columns=80):
    """Run on a terminal of its own; what it shows and its exit code."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(COLUMNS=str(columns), TERM="xterm")
        os.execv(COMMAND[0], [*COMMAND, *map(str, arguments)])
    os.write(terminal, answer)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says EIO where the other end is closed
            break
        if not part:
            break
        shown += part
    _, status = os.waitpid(process, 0)
    return shown.decode(), os.waitstatus_to_exitcode(status)


def test_what_is_piped_is_aligned_text_without_colours_and_not_cut(photo, tmp_path):
    long_name = tmp_path / ("a" * 200 + ".jpg")
    shutil.copy(photo, long_name)
    result = _run("recognize", long_name, env=os.environ | {"COLUMNS": "40"})
    lines = result.stdout.decode().splitlines()
    assert result.returncode == 0
    assert b"\x1b" not in result.stdout + result.stderr
    assert len(lines) == 2
    assert lines[1].startswith(str(long_name))
    assert lines[0].index("Who") == lines[1].index("unknown")


def test_json_is_all_there_is_on_standard_output(photo, tmp_path):
    result = _run("recognize", photo, tmp_path / "missing.jpg", "--out", tmp_path, "--json")
    assert [sorted(each) for each in json.loads(result.stdout)] == [
        ["annotated", "faces", "photo"],
        ["error", "photo"],
    ]
    assert all(line.startswith((b"error: ", b"note: ")) for line in result.stderr.splitlines())
    assert result.returncode == 2


def test_a_file_name_that_is_not_valid_text_is_no_obstacle(photo, tmp_path):
    strange = os.fsencode(tmp_path) + b"/caf\xe9 \x1b[31m.jpg"
    shutil.copy(photo, os.fsdecode(strange))
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}  # as in every locale but C
    recognized = subprocess.run(
        [*COMMAND, "recognize", strange], capture_output=True, timeout=120, env=strict
    )
    assert recognized.returncode == 0
    assert b"\x1b" not in recognized.stdout
    enrolled = subprocess.run([*COMMAND, "enroll", "Ann", strange], capture_output=True, timeout=120)
    assert enrolled.returncode == 0, enrolled.stderr
    assert b"Ann" in _run("people").stdout


def test_a_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.run(
        [*COMMAND, "people"], stdout=writing, stderr=subprocess.PIPE, timeout=60, env=buffered
    )
    os.close(writing)
    assert process.stderr == b""
    assert process.returncode == 141


def test_an_interrupt_ends_it_quietly_and_stores_nothing(photo, own_data_folder):
    many = [photo] * 2000
    process = subprocess.Popen(
        [*COMMAND, "enroll", "Ann", *map(str, many)],
        stderr=subprocess.PIPE,
    )
    _wait_until((own_data_folder / "people.db").exists)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in shown
    assert json.loads(_run("people", "--json").stdout) == []


def _wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("debug", [False, True])
def test_an_unexpected_error_is_one_line_unless_debug_is_asked_for(debug):
    broken = (
        "from networks import zoo\n"
        "def names(*_): raise ZeroDivisionError('secret')\n"
        "zoo.names = names\n"
        "from recognizer.cli import main\n"
        "main()\n"
    )
    options = ["--debug"] if debug else []
    result = subprocess.run(
        [sys.executable, "-c", broken, *options, "models", "list"], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 2
    assert result.stdout == ""
    assert ("Traceback" in result.stderr) == debug
    assert result.stderr.splitlines()[-1].startswith("error: unexpected ZeroDivisionError")
    if not debug:
        assert len(result.stderr.splitlines()) == 1
        assert "--debug" in result.stderr and "secret" not in result.stderr


def test_a_terminal_gets_a_table_of_its_width(photo):
    shown, code = _on_terminal(["recognize", photo], columns=60)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert code == 0
    assert "\x1b[" in shown
    assert max(len(line.rstrip()) for line in plain.splitlines() if "note:" not in line) <= 60


@pytest.mark.parametrize("answer, code, left", [(b"n\n", 1, 1), (b"\n", 1, 1), (b"y\n", 0, 0)])
def test_forgetting_asks_on_a_terminal(command_line, photo, answer, code, left):
    assert command_line("enroll", "Ann", photo).exit_code == 0
    shown, exit_code = _on_terminal(["forget", "Ann"], answer)
    assert "Forget 1 person (1 photo) for good?" in shown
    assert exit_code == code
    assert len(json.loads(_run("people", "--json").stdout)) == left


def test_forgetting_does_not_wait_where_nobody_can_answer(command_line, photo):
    assert command_line("enroll", "Ann", photo).exit_code == 0
    result = _run("forget", "Ann", stdin=subprocess.DEVNULL)
    assert result.returncode == 2
    assert b"--yes" in result.stderr


def test_a_damaged_gallery_is_one_clear_error(own_data_folder):
    own_data_folder.mkdir()
    (own_data_folder / "people.db").write_bytes(SQLITE_MAGIC + b"nonsense" * 1000)
    result = _run("people")
    assert result.returncode == 2
    assert result.stderr.startswith(b"error: ")
    assert b"Traceback" not in result.stderr


def test_a_password_is_not_shown_in_errors():
    result = _run("people", "--database", "mysql://user:hunter2@127.0.0.1:1/people")
    assert result.returncode == 2
    assert b"hunter2" not in result.stdout + result.stderr
