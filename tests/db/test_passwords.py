"""Where a password may come from, and that it is shown nowhere."""

import subprocess
import sys
from urllib.parse import quote, quote_plus

import pytest
import sqlalchemy as sa

import db
from common.errors import BadArgument, DatabaseError

WRONG = "hunter2-hunter2"


def without_password(url):
    return sa.make_url(url)._replace(password=None).render_as_string()


def password_of(url):
    return sa.make_url(url).password


def test_the_password_comes_from_the_environment_or_a_file(server_url, tmp_path, monkeypatch):
    url, file = without_password(server_url), tmp_path / "password"
    with pytest.raises(DatabaseError, match="user name or password"):
        db.open(url)
    file.write_text(password_of(server_url) + "\n", encoding="utf-8")
    db.open(url, password_file=file).close()
    monkeypatch.setenv("RECOGNIZER_DATABASE_PASSWORD_FILE", str(file))
    db.open(url).close()
    monkeypatch.setenv("RECOGNIZER_DATABASE_PASSWORD", WRONG)  # wins over the file of the environment ...
    with pytest.raises(DatabaseError, match="user name or password"):
        db.open(url)
    db.open(url, password_file=file).close()  # ... not over one that is named
    db.open(server_url).close()  # nor over that of the URL
    monkeypatch.setenv("RECOGNIZER_DATABASE_PASSWORD", password_of(server_url))
    db.open(url).close()


@pytest.mark.parametrize("content", [b"", b"\n", b"\nsecond line", b"\xff\xfe", b"x" * 5000, None])
def test_a_password_file_without_a_password_is_one_clear_error(tmp_path, content):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadArgument, match="password file"):
        db.open("mysql://user@127.0.0.1:1/people", password_file=file)


# Everything that a process can print: an error that nobody catches, with the variables of all frames, and all logs.
REVEALING = """
import logging, sys, traceback
logging.basicConfig(level=logging.DEBUG)
import db
from gallery_process import faces, gallery_of
try:
    with db.open(sys.stdin.readline().strip(), timeout=2) as database:
        logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
        gallery = gallery_of(database)
        gallery.add("Ann", faces(1))
        print(database, gallery, vars(database).keys(), gallery.people(), database._connections)
        print(database._connections.engine, repr(database._connections.engine.url), database._connections.engine.pool)
        database._connections.read(lambda connection: connection.exec_driver_sql("SELECT * FROM nothing_of_the_kind"))
except BaseException as error:
    print(repr(error), error.args, error.__context__ and error.__suppress_context__)
    traceback.print_exc()
    raise
"""


@pytest.fixture
def revealed(environment):
    """What a process that is given a URL prints."""

    def run(url):
        process = subprocess.run(
            [sys.executable, "-c", REVEALING], input=url + "\n", capture_output=True, text=True, env=environment
        )
        assert "DatabaseError" in process.stderr, process.stderr
        return process.stdout + process.stderr

    return run


def forms(url):
    """How a password may be written."""
    plain = password_of(url)
    return {plain, repr(plain)[1:-1], quote(plain), quote(plain, safe=""), quote_plus(plain)}


def test_no_error_repr_traceback_or_log_shows_the_password(server_url, revealed):
    shown = revealed(server_url)
    assert "Gallery('default'" in shown
    assert not [form for form in forms(server_url) if form in shown]


@pytest.mark.parametrize(
    "change", [{"password": WRONG}, {"database": "no_such_database"}, {"port": 1}, {"host": "no.host"}], ids=list
)
def test_no_failure_to_connect_shows_the_password(server_url, revealed, change):
    url = sa.make_url(server_url).set(**change).render_as_string(hide_password=False)
    shown = revealed(url)
    assert not [form for form in forms(url) if form in shown]
