"""Where a MariaDB or MySQL server's program is, or how it comes onto this machine."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests import debian

NAMES = ("mariadbd", "mysqld")
FOLDERS = ("usr/sbin", "usr/libexec", "usr/bin", "usr/local/sbin", "usr/local/bin", "usr/local/mysql/bin")
PACKAGE = "mariadb-server-core"  # the program and its SQL files, without a service that would be started


class NoServer(Exception):
    """No server to test on; the message says how to get one."""


@dataclass(frozen=True)
class Program:
    """A server's program.

    Attributes:
        path: as seen within its tree.
        tree: the folder that it has as its root (by chroot); "/" for the machine's own.
        version: what ``--version`` prints.
    """

    path: str
    tree: Path
    version: str

    @property
    def is_mariadb(self) -> bool:
        return "MariaDB" in self.version

    def command(self, *options: str) -> list[str]:
        return [*_in_tree(self.tree), self.path, "--no-defaults", *options]


def find(place: str | None = None) -> Program:
    """The program at ``place`` (a file, or a folder that is a tree), else on this machine, else newly installed.

    Raises:
        NoServer: there is none.
    """
    if place and Path(place).is_file():
        return _program(Path("/"), str(Path(place).absolute()))
    if place:
        return _in(Path(place)) or _missing(f"{place} is neither a server's program nor a tree that holds one.")
    return _in(Path("/")) or _install()


def _in(tree: Path) -> Program | None:
    places = [f"/{folder}/{name}" for name in NAMES for folder in FOLDERS]
    if tree == Path("/"):
        places += [found for name in NAMES if (found := shutil.which(name))]
    for place in places:
        if os.access(f"{tree}{place}" if tree != Path("/") else place, os.X_OK):
            return _program(tree, place)
    return None


def _program(tree: Path, path: str) -> Program:
    asked = subprocess.run([*_in_tree(tree), path, "--no-defaults", "--version"], capture_output=True, text=True)
    if asked.returncode:
        _missing(f"{path} --version fails: {asked.stderr.strip()}")
    return Program(path, tree, asked.stdout)


def _in_tree(tree: Path) -> list[str]:
    return [] if tree == Path("/") else ["chroot", str(tree)]


def _install() -> Program:
    if debian.install(PACKAGE):
        return _in(Path("/")) or _missing(f"{PACKAGE} is installed and has no server.")
    return _missing(f"No MariaDB or MySQL server is installed, and 'apt-get install {PACKAGE}' did not help.")


def _missing(what: str) -> Program:
    raise NoServer(
        f"{what} Install one, name its program in RECOGNIZER_TEST_SERVER, or a server that runs in "
        "RECOGNIZER_TEST_DATABASE=mysql://user:password@host:port/ (docs/databases.md)."
    )
