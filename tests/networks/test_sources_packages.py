"""npm and the Python package index against registries of our own: the real clients, a server on 127.0.0.1."""

import hashlib
import io
import json
import shutil
import tarfile

import pytest

from common.errors import FetchFailed
from networks.sources import packages
from networks.sources.delivery import Delivery
from networks.sources.forms import without_secrets
from tests.networks.local_server import LocalServer

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def server():
    with LocalServer() as running:
        yield running


@pytest.fixture
def delivery(tmp_path):
    return Delivery(tmp_path / "got", 100_000, lambda done, total: None)


def npm_tarball(script):
    manifest = {
        "name": "toy",
        "version": "1.0.0",
        "scripts": dict.fromkeys(("prepare", "prepack", "install"), script),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (("package.json", json.dumps(manifest).encode()), ("weights.bin", b"weights")):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue(), manifest


@pytest.fixture
def npm_registry(server, tmp_path, monkeypatch):
    tarball, manifest = npm_tarball(f"touch {tmp_path}/script-ran")
    dist = {"tarball": server.serve("/toy-1.0.0.tgz", tarball), "shasum": hashlib.sha1(tarball).hexdigest()}
    versions = {"1.0.0": {**manifest, "dist": dist}}
    about = {"name": "toy", "dist-tags": {"latest": "1.0.0"}, "versions": versions}
    server.serve("/toy", json.dumps(about).encode(), kind="application/json")
    for key, value in {"registry": server.url, "cache": tmp_path / "npm", "fetch_retries": 0}.items():
        monkeypatch.setenv(f"npm_config_{key}", str(value))
    return tarball


@needs_npm
def test_npm_brings_the_archive_and_runs_no_script_of_it(npm_registry, delivery, tmp_path):
    packages.npm(delivery, "toy@1.0.0")
    assert delivery.target.read_bytes() == npm_registry
    assert not (tmp_path / "script-ran").exists()


@needs_npm
def test_npm_without_the_version_names_its_error(npm_registry, delivery):
    with pytest.raises(FetchFailed, match=r"npm pack failed \(E\w+\)"):
        packages.npm(delivery, "toy@2.0.0")
    assert not delivery.target.exists()


@needs_npm
def test_an_npm_archive_larger_than_allowed_is_refused(npm_registry, delivery):
    with pytest.raises(FetchFailed, match="larger than the 10 bytes"):
        packages.npm(Delivery(delivery.target, 10, delivery.report), "toy@1.0.0")


def test_without_npm_the_source_is_passed_over_with_a_note(delivery, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchFailed, match="^npm is not installed$"):
        packages.npm(delivery, "toy@1.0.0")


@pytest.fixture
def index(server, monkeypatch):
    link = '<a href="../../files/toy-1.0.tar.gz">toy-1.0.tar.gz</a>'
    server.serve("/simple/toy/", f"<html><body>{link}</body></html>".encode(), kind="text/html")
    server.serve("/files/toy-1.0.tar.gz", b"distribution")
    monkeypatch.setenv("PIP_INDEX_URL", server.url + "/simple")
    return server


def test_a_distribution_file_comes_from_the_index_pip_is_set_to(index, delivery):
    packages.pypi(delivery, "toy==1.0", "toy-1.0.tar.gz")
    assert delivery.target.read_bytes() == b"distribution"


def test_the_index_in_pips_configuration_file_is_used(index, delivery, monkeypatch, tmp_path):
    monkeypatch.delenv("PIP_INDEX_URL")
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.url}/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    packages.pypi(delivery, "toy==1.0", "toy-1.0.tar.gz")
    assert delivery.target.read_bytes() == b"distribution"


@pytest.mark.parametrize(
    ("package", "file", "words"),
    [
        ("toy==1.0", "toy-1.0-py3-none-any.whl", "no file toy-1.0-py3-none-any.whl"),
        ("toy==1.1", "toy-1.0.tar.gz", "no file toy-1.0.tar.gz"),
        ("nothing==1.0", "nothing-1.0.tar.gz", "has no nothing"),
    ],
)
def test_a_release_that_the_index_lacks_is_named(index, delivery, package, file, words):
    with pytest.raises(FetchFailed, match=words):
        packages.pypi(delivery, package, file)


def test_an_index_that_cannot_be_read_shows_no_password(delivery, monkeypatch):
    with LocalServer() as gone:
        monkeypatch.setenv("PIP_INDEX_URL", gone.url.replace("//", "//user:hunter2@"))
    with pytest.raises(FetchFailed, match="index cannot be read") as failure:
        packages.pypi(delivery, "toy==1.0", "toy-1.0.tar.gz")
    assert "hunter2" not in str(failure.value)


def test_what_is_shown_of_an_address_holds_no_secret():
    assert without_secrets("https://me:pw@host.test:8443/a/b.zip?key=1#x") == "https://host.test:8443/a/b.zip"
    assert without_secrets("name@1.0.0") == "name@1.0.0"
