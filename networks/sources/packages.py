"""Package archives, had through their registries' own clients. No code of a package is ever run."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common.errors import FetchFailed
from networks.sources.delivery import Delivery
from networks.sources.forms import FileName, NpmPackage, PypiPackage
from networks.sources.http import TIMEOUT, download

PATIENCE = 600  # seconds for npm


def npm(delivery: Delivery, package: NpmPackage) -> None:
    """The archive of an npm package, ``name@version``, through the npm client and its registry."""
    program = shutil.which("npm")
    if program is None:
        raise FetchFailed("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "pack", "--ignore-scripts", "--pack-destination", folder, "--", package]
        try:
            done = _run(command, cwd=folder, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise FetchFailed(f"npm did not finish within {PATIENCE} seconds") from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            code = re.search(r"npm (?:error|ERR!) code (\w+)", done.stderr)
            raise FetchFailed(f"npm pack failed ({code[1] if code else f'exit code {done.returncode}'})")
        delivery.check_size(archives[0].stat().st_size)
        shutil.move(archives[0], delivery.target)


def pypi(delivery: Delivery, package: PypiPackage, file: FileName) -> None:
    """A distribution file of a Python package, ``name==version``, from the index that pip is set to.

    ``pip download`` would build the metadata of a source distribution, and that runs its setup.py.
    """
    import requests
    from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedRepoVersionError

    name, version = package.split("==")
    with PyPISimple(_index()) as client:
        try:
            files = client.get_project_page(name, timeout=TIMEOUT).packages
        except NoSuchProjectError:
            raise FetchFailed(f"the package index has no {name}") from None
        except (requests.RequestException, UnsupportedRepoVersionError, ValueError) as error:
            raise FetchFailed(f"the package index cannot be read ({type(error).__name__})") from None
        urls = [found.url for found in files if found.filename == file and found.version == version]
        if not urls:
            raise FetchFailed(f"the package index has no file {file}")
        download(urls[0], delivery, client.s)


def _index() -> str:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    if os.environ.get("PIP_INDEX_URL"):
        return os.environ["PIP_INDEX_URL"]
    # "pip config get" overlooks the file that PIP_CONFIG_FILE names; "list" reads it.
    settings = _run([sys.executable, "-m", "pip", "config", "list"]).stdout
    configured = re.search(r"^global\.index-url='(.+)'$", settings, re.MULTILINE)
    return configured[1] if configured else PYPI_SIMPLE_ENDPOINT


def _run(command: list[str], **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        **options,
    )
