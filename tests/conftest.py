"""Fixtures that every package's tests share."""

import signal
from contextlib import ExitStack

import pytest

from common.errors import FetchFailed
from networks import zoo

# Of several minutes each run, these files take the most: first, so that no process is at one when the others are done.
LONGEST = (
    "test_runs.py",
    "test_whole_way.py",
    "test_trainer.py",
    "test_migrations.py",
    "test_outage.py",
    "test_bench_train.py",
    "test_consistency_kills.py",
    "test_workers.py",
    "test_facebank.py",
    "test_cli_process.py",
    "test_camera.py",
    "test_reembed.py",
)


def pytest_collection_modifyitems(items):
    """The order in which files are handed out, see ``--no-loadscope-reorder`` in the Makefile."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_configure():
    """A shell's background job, such as this test run may be, has its processes ignore interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture(scope="session")
def database_server():
    """The MySQL or MariaDB server of this run; tests that need one skip where there is none (tests/servers)."""
    from tests import servers

    with ExitStack() as stack:
        try:
            server = stack.enter_context(servers.started())
        except servers.NoServer as error:
            pytest.skip(str(error))
        yield server


@pytest.fixture
def private_server(database_server):
    """The server, where a test may stop, kill and pause it; it runs again afterwards."""
    if not database_server.can_stop:
        pytest.skip("needs a private server, which it may stop and change: unset RECOGNIZER_TEST_DATABASE")
    yield database_server
    database_server.restore()


@pytest.fixture
def server_database(database_server):
    """The name of an empty database on the server, dropped afterwards."""
    database = database_server.new_database()
    yield database
    database_server.restore()
    database_server.drop(database)


@pytest.fixture
def server_url(database_server, server_database):
    """The URL of an empty database on the server."""
    return database_server.url(server_database)
