import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

import db

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not
import gallery_process  # noqa: E402


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path}/people.db"


@pytest.fixture(params=["sqlite", "server"])
def url(request):
    """The URL of an empty database that several processes may use, of each engine."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def new_url(request, tmp_path):
    """A function from "sqlite" or "server" to a context with the URL of one more empty database, then removed."""

    @contextmanager
    def make(engine):
        if engine == "sqlite":
            with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
                yield f"sqlite:///{folder}/people.db"
            return
        server = request.getfixturevalue("database_server")
        database = server.new_database()
        try:
            yield server.url(database)
        finally:
            server.drop(database)

    return make


@pytest.fixture
def other(database):
    """The same database as another process has it open: with a cache of its own."""
    url = database._connections.engine.url.set(
        drivername="sqlite" if database._connections.is_sqlite else "mysql"
    ).render_as_string(hide_password=False)
    with db.open(url) as opened:
        yield opened


@pytest.fixture
def elsewhere(url):
    """Runs statements in the database of ``url`` as another program would; the rows of the last one."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="sqlite" if url.startswith("sqlite") else "mysql+mysqlconnector"),
        connect_args={} if url.startswith("sqlite") else {"charset": "utf8mb4", "collation": "utf8mb4_bin"},
    )

    def run(*statements):
        with engine.begin() as connection:
            for statement in statements:
                found = connection.exec_driver_sql(statement)
            return [tuple(row) for row in found] if found.returns_rows else []

    yield run
    engine.dispose()


@pytest.fixture
def tables(url, elsewhere):
    """Lists the tables in the database of ``url``."""
    listing = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return lambda: sorted(name for (name,) in elsewhere(listing if url.startswith("sqlite") else "SHOW TABLES"))


@pytest.fixture(scope="session")
def filled_database(database_server):
    """A database on the server that is set up; whoever uses it empties its tables: 10 times as fast as a new one."""
    database = database_server.new_database()
    db.open(database_server.url(database)).close()
    yield database
    database_server.restore()
    database_server.drop(database)


@pytest.fixture
def emptied_url(database_server, filled_database):
    """The URL of a database on the server that is set up, and has no rows."""
    yield database_server.url(filled_database)
    tables = database_server.ask("SHOW TABLES", database=filled_database)
    rows = [f"DELETE FROM {table}" for (table,) in tables if table != "alembic_version"]
    database_server.ask("SET foreign_key_checks = 0", *rows, database=filled_database)


@pytest.fixture(params=["sqlite", "memory", "server"])
def gallery(request):
    """An empty gallery, on each engine."""
    fixture = {"sqlite": "sqlite_url", "server": "emptied_url"}.get(request.param)
    with db.open(request.getfixturevalue(fixture) if fixture else "sqlite://") as database:
        yield gallery_process.gallery_of(database)


@pytest.fixture(scope="session")
def set_up_file(tmp_path_factory):
    """A file of SQLite that is set up, to be copied: a tenth of the time of setting one up."""
    path = tmp_path_factory.mktemp("set-up") / "people.db"
    db.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def copied_url(set_up_file, sqlite_url, tmp_path):
    """The URL of a file of SQLite that is set up, and has no rows."""
    shutil.copy(set_up_file, tmp_path / "people.db")
    return sqlite_url


@pytest.fixture(params=["sqlite", "server"])
def database(request):
    """An open database without rows that several processes may use, on each engine."""
    with db.open(request.getfixturevalue({"sqlite": "copied_url", "server": "emptied_url"}[request.param])) as opened:
        yield opened


@pytest.fixture
def environment():
    """Variables for a process that imports the packages and gallery_process."""
    folders = [str(Path(db.__file__).parents[1]), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, folders))}


@pytest.fixture
def start(environment):
    """Starts a command of gallery_process.py in a process of its own; kills what still runs at the end."""
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [sys.executable, gallery_process.__file__, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
