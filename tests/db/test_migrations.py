"""From an empty database, and from the one of version 0.1.0 with people in it, to the tables of now."""

import itertools
import os
import traceback
from datetime import datetime

import numpy as np
import pytest
import release_0_1_0 as old
import sqlalchemy as sa
from gallery_process import check_exact, embedding, faces, gallery_of, rows

import db
from common.errors import DatabaseError
from db import schema, versions


def check_upgraded(url, more=0):
    """Everything that was in the database of version 0.1.0 is there."""
    with db.open(url) as database:
        assert [summary.name for summary in database.summaries()] == sorted(name for name, *_ in old.GALLERIES.values())
        for gallery_id, some in old.people(more).items():
            name, revision, threshold, far = old.GALLERIES[gallery_id]
            gallery = gallery_of(database, name)
            assert gallery.revision() == revision
            assert gallery.threshold == (None if threshold is None else db.Threshold(threshold, far))
            check_exact(gallery)
            state, found = rows(gallery)
            assert found.ids.tolist() == [person["id"] for person in some]
            assert np.array_equal(found.vectors, [old.mean(person["faces"]) for person in some])
            stored = {person.name: person for person in gallery.people()}
            assert stored.keys() == {person["name"] for person in some}
            for person in some[:20] + some[-3:]:
                now = stored[person["name"]]
                assert (now.id, now.count, now.metadata) == (person["id"], len(person["faces"]), person["metadata"])
                assert str(now.created.replace(tzinfo=None)) == person["created"]
                check_faces(gallery.faces(person["name"]), person["faces"])
            for since in range(revision + 1):
                removed = gallery.changes(since).removed.tolist()
                assert sorted(removed) == [b for a, b, c in old.DELETED if a == gallery_id and c > since]


def check_faces(now, before):
    for face, values in zip(now, before, strict=True):
        assert np.array_equal(face.embedding, embedding(values["id"]))
        expected = tuple(values[key] for key in ("id", "crop", "source", "score"))
        assert (face.id, face.crop, face.source, face.score) == expected
        assert face.created.replace(tzinfo=None) == datetime.fromisoformat(values["created"])


def content(elsewhere, tables):
    """All rows of all tables."""
    return {table: sorted(elsewhere(f"SELECT * FROM {table}"), key=repr) for table in tables()}


def test_a_database_of_the_first_release_is_upgraded_on_request_only_with_all_in_it(url, elsewhere, tables):
    old.make(url, more=1100)
    before = content(elsewhere, tables)
    with pytest.raises(DatabaseError, match="recognizer db upgrade"):
        db.open(url)
    assert content(elsewhere, tables) == before
    assert db.upgrade(url) == ("0001", versions.NEWEST)
    check_upgraded(url, more=1100)
    assert db.upgrade(url) == (versions.NEWEST, versions.NEWEST)
    check_upgraded(url, more=1100)


def test_what_is_added_after_an_upgrade_fits_to_what_was_there(url):
    old.make(url)
    db.upgrade(url)
    with db.open(url) as database:
        gallery = gallery_of(database)
        known = {person.id for person in gallery.people()} | {person_id for _, person_id, _ in old.DELETED}
        assert gallery.add("Ann", faces(1)).count == 2
        assert gallery.add("new", faces(2)).id > max(known - {90_000})
        assert gallery.delete("Bob" if "Bob" in old.NAMES[:5] else "ann")
        check_exact(gallery)
        third = gallery_of(database, "third")
        third.add("Ann", faces(3))
        check_exact(third)


def test_a_database_of_the_second_revision_is_upgraded_on_request_only_with_all_in_it(url, monkeypatch):
    old.make(url)
    with monkeypatch.context() as before:
        before.setattr(versions, "NEWEST", "0002")
        assert db.upgrade(url) == ("0001", "0002")
    with pytest.raises(DatabaseError, match="schema version 0002.*recognizer db upgrade"):
        db.open(url)
    assert db.upgrade(url) == ("0002", versions.NEWEST)
    check_upgraded(url)
    check_tables(url)


def test_a_database_of_the_third_revision_keeps_its_keys_with_which_people_can_then_sign_in(url, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(versions, "NEWEST", "0003")
        with db.open(url) as database:
            gallery_of(database).add("Ann", faces(1))
            key, secret = database.keys.create("door", "enrol", "default")
    with pytest.raises(DatabaseError, match="schema version 0003.*recognizer db upgrade"):
        db.open(url)
    assert db.upgrade(url) == ("0003", versions.NEWEST)
    with db.open(url) as database:
        assert database.keys.check(secret) == key
        assert database.sessions.check(database.sessions.create(key.id, 60)) == key
    check_tables(url)


READING = ("SELECT", "SHOW", "PRAGMA", "DESCRIBE", "SET", "BEGIN")
KILLED = 77


def killed_before_change(number, call):
    """``call`` in a process that dies before its change ``number`` (a statement or a COMMIT); whether it came to it."""
    process = os.fork()
    if process:
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert status in (0, KILLED)
        return status == KILLED
    changes = itertools.count()

    def change(*arguments):
        is_commit = len(arguments) == 1
        if (is_commit or not arguments[2].lstrip().upper().startswith(READING)) and next(changes) == number:
            os._exit(KILLED)

    try:
        sa.event.listen(sa.Engine, "before_cursor_execute", change)
        sa.event.listen(sa.Engine, "commit", change)
        call()
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize(("engine", "step"), [("sqlite", 5), ("server", 9)])  # step 1: a minute
def test_an_upgrade_that_is_killed_before_any_of_its_changes_is_taken_up_again(new_url, engine, step):
    for number in itertools.count(0, step):
        with new_url(engine) as url:
            old.make(url)
            killed = killed_before_change(number, lambda url=url: db.upgrade(url))
            if killed:
                try:
                    db.open(url).close()
                except DatabaseError as error:
                    assert "recognizer db upgrade" in str(error)
                assert db.upgrade(url)[1] == versions.NEWEST
            check_upgraded(url)
        if not killed:
            break
    assert number > 25


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize(("engine", "step"), [("sqlite", 5), ("server", 5)])
def test_setting_up_that_is_killed_before_any_of_its_changes_is_taken_up_again(new_url, engine, step):
    for number in itertools.count(0, step):
        with new_url(engine) as url:
            killed = killed_before_change(number, lambda url=url: db.open(url).close())
            check_tables(url)
        if not killed:
            break
    assert number > 15


def check_tables(url):
    """The tables of a database are those of db.schema, and can be used."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with db.open(url) as database:
        with database._connections.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, schema.tables) == []
        assert gallery_of(database).add("somebody new", faces(1)).count == 1


def test_migrations_make_the_tables_that_the_code_expects(url):
    check_tables(url)


def test_an_upgraded_database_has_the_same_tables_as_a_new_one(url):
    old.make(url)
    db.upgrade(url)
    check_tables(url)


@pytest.mark.parametrize("revision", ["9999", "later", "'"])
def test_a_database_of_a_newer_release_is_refused_and_left_alone(url, elsewhere, tables, revision):
    db.open(url).close()
    quoted = revision.replace("'", "''")
    elsewhere(f"UPDATE alembic_version SET version_num = '{quoted}'")
    before = content(elsewhere, tables)
    for call in (db.open, db.upgrade):
        with pytest.raises(DatabaseError, match="newer insightface-tensorflow"):
            call(url)
    assert content(elsewhere, tables) == before


def test_tables_of_somebody_else_are_not_upgraded(url, elsewhere, tables):
    elsewhere("CREATE TABLE invoices (id INTEGER)")
    with pytest.raises(DatabaseError, match="something else"):
        db.upgrade(url)
    assert tables() == ["invoices"]


def test_processes_that_upgrade_at_once_do_it_once(url, start):
    old.make(url, more=200)
    processes = [start("upgrade", url) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [process.communicate(timeout=60)[0] for process in processes]
    assert sorted(results) == sorted([f"0001 {versions.NEWEST}\n"] + [f"{versions.NEWEST} {versions.NEWEST}\n"] * 3)
    check_upgraded(url, more=200)
