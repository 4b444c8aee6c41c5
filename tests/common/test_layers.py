"""The architecture: imports point to lower floors, and importing a package does nothing but define."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "common": set(),
    "configs": set(),
    "networks": {"common"},
    "db": {"common"},
    "mtcnn": {"common", "networks"},
    "eval": {"common", "networks", "mtcnn"},
    "recognizer": {"common", "networks", "mtcnn", "eval", "db"},
    "train": {"common", "networks", "mtcnn", "eval"},
}
OURS = {*MAY_IMPORT, "bench", "tests"}
INSTALLED = [name for name in MAY_IMPORT if any((ROOT / name).glob("*.py"))]


def imported(tree):
    """Top-level names of all imports, wherever in the file they stand, with their line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0] if node.level == 0 else ".", node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            module = node.value.split(":")[0]  # a target of a Registry
            if "." in module and module.replace(".", "").replace("_", "").isalnum():
                yield module.split(".")[0], node.lineno


def wrong(package, text, where):
    allowed = MAY_IMPORT[package] | {package}
    return [
        f"{where}:{line} imports {name}" for name, line in imported(ast.parse(text)) if name in OURS - allowed
    ]


@pytest.mark.parametrize("package", INSTALLED)
def test_imports_only_point_to_lower_floors(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert [
        line for path in files for line in wrong(package, path.read_text("utf-8"), path.relative_to(ROOT))
    ] == []


@pytest.mark.parametrize("package", INSTALLED)
def test_imports_are_absolute(package):
    for path in (ROOT / package).rglob("*.py"):
        assert "." not in [name for name, _ in imported(ast.parse(path.read_text("utf-8")))], path


def test_this_test_sees_imports_in_every_form():
    assert wrong("db", "import numpy, networks.card", "x") == ["x:1 imports networks"]
    assert wrong("db", "def f():\n    from mtcnn.align import align", "x") == ["x:2 imports mtcnn"]
    assert wrong("common", 'R = {"a": "networks.engines.keras:KerasEngine"}', "x") == ["x:1 imports networks"]
    assert wrong("recognizer", "import train", "x") and wrong("train", "import recognizer", "x")
    assert wrong("eval", "import bench", "x") and wrong("mtcnn", "from tests import x", "x")
    assert not wrong("recognizer", "import db, mtcnn, networks, common\nfrom recognizer import x", "x")


@pytest.mark.parametrize("package", [name for name in INSTALLED if name != "train"])
def test_importing_a_package_writes_no_file(package, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    folders = {
        "HOME": home,
        "USERPROFILE": home,
        "RECOGNIZER_CACHE": home / "cache",
        "RECOGNIZER_DATA": home / "data",
    }
    environment = {**os.environ, **{key: str(path) for key, path in folders.items()}, "PYTHONPATH": str(ROOT)}
    environment = {key: value for key, value in environment.items() if not key.startswith("XDG_")}
    command = [sys.executable, "-B", "-c", f"import {package}"]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "" and done.stderr == ""
    assert list(home.rglob("*")) == []
