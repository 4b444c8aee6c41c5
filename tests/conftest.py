"""Fixtures that every package's tests share."""

import pytest

from common.errors import FetchFailed
from networks import zoo


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    """Each test has people of its own; weights and photos come from the user's cache."""
    for variable in ("RECOGNIZER_DATABASE", "RECOGNIZER_CONFIG", "RECOGNIZER_MAX_PIXELS"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "recognizer-data"
    monkeypatch.setenv("RECOGNIZER_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def mobilefacenet_files():
    """The files of the zoo's mobilefacenet, by role."""
    return _fetched(zoo.pull, "mobilefacenet")


@pytest.fixture(scope="session")
def mtcnn_files():
    """The files of the zoo's mtcnn, by role: "pnet", "rnet", "onet"."""
    return _fetched(zoo.pull, "mtcnn")


@pytest.fixture(scope="session")
def sample_photo():
    """A function from the name of a sample photo (``configs/samples.yaml``) to its path."""
    return lambda name: _fetched(zoo.sample, name)


def _fetched(fetch, name):
    try:
        return fetch(name)
    except FetchFailed as error:
        pytest.skip(f"{name} is not on this machine and cannot be fetched: {str(error).splitlines()[0]}")


@pytest.fixture
def command_line():
    """A function that runs the command line in this process; its result has exit_code, stdout and stderr."""
    from typer.testing import CliRunner

    from recognizer.cli.app import app

    return lambda *arguments, **options: CliRunner().invoke(app, [str(each) for each in arguments], **options)
