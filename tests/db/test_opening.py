import re
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_process import embedding, faces, gallery_of, rows

import db
from common.errors import BadArgument, DatabaseError, MissingDependency
from db import schema

ROOT = Path(db.__file__).parents[1]


def test_importing_the_package_leaves_sqlalchemy_alone():
    code = "import sys, db; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_what_was_stored_is_there_after_opening_again(url):
    with db.open(url) as database:
        gallery_of(database).add("Ann", faces(1, 2))
        gallery_of(database).set_threshold(0.3, 1e-3)
    with db.open(url) as database:
        gallery = gallery_of(database)
        assert gallery.person("Ann").count == 2 and gallery.revision() == 2
        assert gallery.threshold == db.Threshold(0.3, 1e-3)


def test_a_closed_database_says_so(url):
    with db.open(url) as database:
        gallery = gallery_of(database)
    for call in (gallery.revision, gallery.people, lambda: rows(gallery), lambda: gallery.add("Ann", faces(1))):
        with pytest.raises(DatabaseError, match="closed"):
            call()


def test_the_database_of_another_program_is_refused_and_left_alone(url, elsewhere, tables):
    elsewhere("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(DatabaseError, match="something else"):
        db.open(url)
    assert tables() == ["invoices"]


def test_a_person_with_faces_cannot_be_taken_away_from_under_them(url):
    with db.open(url) as database:
        gallery_of(database).add("Ann", faces(1))
        with pytest.raises(DatabaseError, match="FOREIGN KEY|1451"):
            database._connections.write(lambda connection: connection.exec_driver_sql("DELETE FROM persons"))
        assert gallery_of(database).person("Ann").count == 1


@pytest.mark.parametrize(
    "url",
    [
        "people.db",
        "",
        "postgresql://user:hunter2@host/people",
        "mysql://user:hunter2@host",
        "mysql://user:hunter2@host:port/people",
        "mysql://user@host/people?password=hunter2",
        "sqlite://user:hunter2@host/people.db",
        "sqlite:////tmp/d?ta/people.db",
        "sqlite:///file:people.db?mode=memory&uri=true&key=hunter2",
        7,
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url):
    with pytest.raises(BadArgument, match="sqlite:////path/people.db") as caught:
        db.open(url)
    assert "hunter2" not in str(caught.value)


def test_mysql_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "mysql", None)
    monkeypatch.setitem(sys.modules, "mysql.connector", None)
    with pytest.raises(MissingDependency, match=r"insightface-tensorflow\[mysql\]") as caught:
        db.open("mysql://user:hunter2@127.0.0.1:1/people")
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_server_is_named_without_user_and_password():
    pytest.importorskip("mysql.connector", reason="needs mysql-connector-python")
    with pytest.raises(DatabaseError, match="mysql://127.0.0.1:1/people: no server") as caught:
        db.open("mysql://someone:hunter2@127.0.0.1:1/people")
    assert "hunter2" not in str(caught.value) and "someone" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_errors_and_reprs_hold_no_embedding_name_or_photo(url):
    with db.open(url) as database:
        gallery = gallery_of(database)
        gallery.add("Ann", [db.Face(embedding(1), crop=b"photo-bytes")])
        with pytest.raises(DatabaseError) as caught:
            database._connections.write(
                lambda connection: connection.execute(schema.gallery_names.insert().values(name="Ann", gallery_id=999))
            )
        assert "INSERT" not in str(caught.value)
        shown = [str(caught.value), str(caught.value.__context__)]
        shown += map(repr, (database, gallery, rows(gallery), gallery.changes(0), gallery.faces("Ann")))
        assert not re.search(r"'Ann'|photo-bytes|array|0\.\d\d", " ".join(shown))
