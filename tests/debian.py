"""Installs a Debian package for the tests, where they run as root on a machine that has apt-get."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

SECONDS = 200


def install(*packages: str) -> bool:
    """Whether the packages are installed now. Test processes that want some at the same time take turns."""
    if os.geteuid() or not shutil.which("apt-get"):
        return False
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    with FileLock(Path(tempfile.gettempdir()) / "recognizer-tests-apt.lock"):
        return _run(command) or (_run(["apt-get", "update"]) and _run(command))


def _run(command: list[str]) -> bool:
    try:
        done = subprocess.run(
            command,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
