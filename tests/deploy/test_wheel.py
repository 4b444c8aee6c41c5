"""What pip installs is all of it: templates, static files, YAML files and the steps of the database's upgrades."""

import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.deploy import files

PACKAGES = ("common", "configs", "db", "eval", "mtcnn", "networks", "recognizer", "train")
NOT_INSTALLED = ("bench",)
DESCRIPTION = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names in a wheel of the project, built from a copy of it, without a network."""
    pytest.importorskip("setuptools", minversion="70.1")  # which makes wheels without another package
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in DESCRIPTION:
        shutil.copy(files.ROOT / name, source)
    for name in PACKAGES + NOT_INSTALLED:
        shutil.copytree(files.ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", target, source], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = target.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


def test_every_file_of_the_packages_is_in_the_wheel(wheel):
    ours = {
        str(path.relative_to(files.ROOT))
        for name in PACKAGES
        for path in (files.ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"configs/models.yaml", "recognizer/service/pages/templates/base.html", "eval/report/page.html"} <= ours
    assert "db/migrations/versions/0001_people.py" in ours
    assert ours - wheel == set()


def test_nothing_else_is_in_the_wheel(wheel):
    folders = {name.split("/")[0] for name in wheel}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == set(PACKAGES)
    assert not [name for name in wheel if name.endswith((".pyc", ".part", "~"))]
