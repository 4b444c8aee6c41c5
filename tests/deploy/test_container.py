"""The image's commands without an image: its variables, a user who is not root, a root file system that cannot be
written, no network but loopback, and what the Dockerfile lays in.

``bwrap`` makes the same of Linux' parts; without it these tests skip. What the image is built from is not built here.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import FetchFailed
from recognizer.service.pages import htmx
from tests import debian
from tests.deploy import files

DRIVER = Path(__file__).with_name("container_process.py")
ENVIRONMENT = files.image_environment()
EXTRA = {"RECOGNIZER_SERVICE_WORKERS": "2"}  # so that all kinds of processes are there
ELSEWHERE = {"proc", "dev", "sys", "tmp", "opt", "data"}  # of the root's folders: made anew
UID = "10001"
VENV = "/opt/recognizer/venv"


@pytest.fixture(scope="module")
def seen(mobilefacenet_files, mtcnn_files, sample_photo, tmp_path_factory):
    """What container_process.py saw."""
    if not shutil.which("bwrap") and not debian.install("bubblewrap"):
        pytest.skip("bwrap is not installed: apt-get install bubblewrap")
    if subprocess.run(["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"], capture_output=True).returncode:
        pytest.skip("bwrap may not make namespaces on this machine")
    folder = tmp_path_factory.mktemp("container")
    for name in ("weights", "photos", "data"):
        (folder / name).mkdir()
    for path in (*mobilefacenet_files.values(), *mtcnn_files.values(), script()):
        shutil.copy(path, folder / "weights")
    for name in ("obama", "obama2"):
        shutil.copy(sample_photo(name), folder / "photos" / name)
    words = {word: json.loads(argument) for word, argument in files.image() if word in ("ENTRYPOINT", "CMD")}
    driver = [sys.executable, DRIVER, "/photos/obama", "/photos/obama2", *words["ENTRYPOINT"], "--", *words["CMD"]]
    done = subprocess.run([*contained(folder), *driver], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout)


def script():
    try:
        return htmx.fetch()
    except FetchFailed as error:
        pytest.skip(str(error).splitlines()[0])


def contained(folder):
    """How bwrap is called: this machine's root read-only, without what the image has in another way."""
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--uid", UID, "--gid", UID, "--clearenv"]
    command += ["--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys", "--tmpfs", "/tmp"]
    for path in sorted(Path("/").iterdir()):
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir() and path.name not in ELSEWHERE:
            command += ["--ro-bind", str(path), str(path)]
    for path in dict.fromkeys((sys.base_prefix, sys.prefix, str(files.ROOT))):  # which may lie in /opt or /tmp
        command += ["--ro-bind", path, path]
    command += ["--ro-bind", sys.prefix, VENV, "--ro-bind", str(folder / "weights"), ENVIRONMENT["RECOGNIZER_WEIGHTS"]]
    command += ["--ro-bind", str(folder / "photos"), "/photos", "--bind", str(folder / "data"), "/data"]
    for name, value in (ENVIRONMENT | EXTRA).items():
        command += ["--setenv", name, value.replace("$PATH", "/usr/bin:/bin")]
    return [*command, "--remount-ro", "/", "--chdir", "/"]


def test_the_program_is_found_where_the_image_has_it():
    assert ENVIRONMENT["PATH"].split(":")[0] == f"{VENV}/bin"
    assert ("COPY", f"--from=built {VENV} {VENV}") in files.image()


def test_it_is_not_root_writes_to_its_data_and_to_tmp_alone_and_has_no_network(seen):
    assert seen["user"] == [int(UID), int(UID)]
    assert seen["written"] == ["/tmp/x", "/data/x"]
    assert seen["interfaces"] == ["lo"]
    assert {"people.db", "jobs"} <= set(seen["data"])


def test_without_a_key_it_does_not_start_and_says_how_to_make_one(seen):
    code, told = seen["without_a_key"]
    assert code == 2 and "keys create NAME --role admin" in told
    assert seen["key"].startswith("rk_")


def test_its_health_is_asked_by_its_own_command(seen):
    assert seen["before"] == 1
    assert seen["ready"] == "http://127.0.0.1:8000 is ready.\n"


def test_it_enrols_and_recognises_who_shows_a_key(seen):
    assert seen["nobody"] == 401
    status, enrolled = seen["enrolled"]
    assert (status, enrolled["added"]) == (201, {"Ann": 1})
    status, found = seen["found"]
    assert status == 200 and [face["name"] for face in found["photos"][0]["faces"]] == ["Ann"]


def test_it_ends_by_sigterm_within_the_time_it_is_given(seen):
    code, seconds = seen["ended"]
    assert code == 0
    assert seconds < files.seconds(files.compose()["services"]["recognizer"]["stop_grace_period"]) / 3


def test_every_line_of_its_log_is_json_of_all_its_processes_and_holds_no_key(seen):
    entries = {name: [json.loads(line) for line in seen[name].splitlines()] for name in ("out", "err")}
    assert {entry["logger"] for entry in entries["out"]} == {"recognizer.service.access"}
    said = [entry["message"] for entry in entries["err"]]
    assert said.count("Ready: gallery 'default'") == int(EXTRA["RECOGNIZER_SERVICE_WORKERS"])
    for beginning in ("Uvicorn running on", "Started parent process", "Received SIGTERM", "Stopping parent process"):
        assert any(text.startswith(beginning) for text in said), beginning
    assert seen["key"].rpartition("_")[2] not in seen["out"] + seen["err"]
