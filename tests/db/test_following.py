"""A gallery that is made from another one ends up the same, whatever happens to the first one meanwhile."""

import random
import threading
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from galleries_process import contents
from gallery_process import DIMENSION, check_exact, embedding, faces, gallery_of

import db
from common.errors import BadArgument, BadName, DatabaseError, ModelMismatch, NameTaken, UnknownGallery
from db import following, people
from db.connections import Connections
from db.database import _purge_portion

OTHER = "1" * 64


@pytest.fixture(params=["sqlite", "memory", "server"])
def database(request):
    fixture = {"sqlite": "sqlite_url", "server": "emptied_url"}.get(request.param)
    with db.open(request.getfixturevalue(fixture) if fixture else "sqlite://") as opened:
        yield opened


@pytest.fixture
def source(database):
    return gallery_of(database, "source")


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(following, "PEOPLE", 3)
    monkeypatch.setattr(following, "PHOTOS", 4)


def follow(database, source, name="target"):
    return database.follower(source, name, "other", OTHER, DIMENSION)


def negated(members):
    return [[replace(face, embedding=-face.embedding) for face in member.faces] for member in members]


def plain(members):
    return [member.faces for member in members]


def test_people_come_along_with_all_that_is_kept_of_them(database, source):
    full = db.Face(embedding(1), "a/b.jpg", 0.5, b"crop", "a" * 64)
    source.add_many({"Ann": [full, *faces(2)], "Łukasz 😀": faces(3)})
    source.set_metadata("Ann", {"team": "A", "é": [1.5, None]})
    made = follow(database, source)
    made.run(plain)
    assert contents(made.target) == contents(source)
    check_exact(made.target)
    assert made.pending() == 0 and made.lacking() == []


def test_faces_are_what_the_conversion_makes_of_them(database, source):
    source.add_many({f"p{i}": faces(i, i + 1) for i in range(10)})
    made = follow(database, source)
    made.run(negated)
    for i in range(10):
        found = [face.embedding for face in made.target.faces(f"p{i}")]
        assert np.array_equal(found, [-embedding(i), -embedding(i + 1)])
    check_exact(made.target)


class Changes:
    """Random changes of a gallery, of every kind there is."""

    def __init__(self, gallery, seed):
        self.gallery, self.draw = gallery, random.Random(seed)

    def one(self):
        people = [person.name for person in self.gallery.people()]
        self.draw.shuffle(people)
        kind = self.draw.choice(["add", "add", "new", "replace", "delete", "rename", "swap", "merge", "move", "data"])
        if kind == "new" or len(people) < 4:
            self.gallery.add_many({f"n{self.draw.randint(0, 30)}": self.faces() for _ in range(3)})
        elif kind == "add":
            self.gallery.add(people[0], self.faces())
        elif kind == "replace":
            self.gallery.replace({people[0]: self.faces()})
        elif kind == "delete":
            self.gallery.delete(people[:2])
        elif kind == "rename":
            self.gallery.rename(people[0], f"r{self.draw.randint(0, 10**9)}")
        elif kind == "swap":  # each of three people gets the name of the next one
            for name, new_name in (
                (people[0], "between"), (people[1], people[0]), (people[2], people[1]), ("between", people[2])
            ):  # fmt: skip
                self.gallery.rename(name, new_name)
        elif kind == "merge":
            self.gallery.merge(people[:2], people[2])
        elif kind == "move":
            photo = self.draw.choice(self.gallery.photos(people[0]))
            self.gallery.move(photo.id, self.draw.choice([people[1], "moved to"]), create=True)
        else:
            self.gallery.set_metadata(people[0], {"number": self.draw.random()})

    def faces(self):
        return faces(*(self.draw.randint(0, 10**6) for _ in range(self.draw.randint(1, 3))))


@pytest.mark.parametrize("seed", range(2))
def test_all_kinds_of_changes_between_two_looks_are_caught_up_with(database, source, small_batches, seed):
    changes = Changes(source, seed)
    made = follow(database, source)
    for _ in range(8):
        for _ in range(changes.draw.randint(1, 6)):
            changes.one()
        made.run(plain)
        assert contents(made.target) == contents(source)
    check_exact(made.target)


@pytest.mark.parametrize("seed", range(2))
def test_changes_while_it_is_being_made_are_caught_up_with(database, source, small_batches, seed):
    changes = Changes(source, seed)
    source.add_many({f"p{i}": changes.faces() for i in range(20)})
    made = follow(database, source)

    def meanwhile(steps, _total):
        for number, step in enumerate(steps):
            if number < 60:
                changes.one()
            yield step

    made.run(plain, meanwhile)
    assert contents(made.target) == contents(source)
    check_exact(made.target)


def test_stopped_anywhere_it_goes_on_where_it_was(database, source, small_batches):
    source.add_many({f"p{i}": faces(i) for i in range(20)})
    seen = []

    def stopping(members):
        seen.extend(member.name for member in members)
        if len(seen) % 5 == 0:
            raise KeyboardInterrupt
        return plain(members)

    for _ in range(20):
        made = follow(database, source)
        before = made.pending()
        try:
            made.run(stopping)
            break
        except KeyboardInterrupt:
            assert made.pending() <= before
    assert contents(made.target) == contents(source)
    assert len(seen) < 40  # nobody who was stored was taken again


def test_people_of_whom_nothing_is_left_are_not_in_the_target_and_are_told(database, source):
    source.add_many({"Ann": faces(1, 2), "Bob": faces(3), "Carl": faces(4, 5)})
    made = follow(database, source)
    dropped = {"1", "3"}

    def convert(members):
        return [[face for face in member.faces if face.source not in dropped] for member in members]

    made.run(convert)
    assert {person.name: person.count for person in made.target.people()} == {"Ann": 1, "Carl": 2}
    assert made.lacking() == [("Ann", 2, 1), ("Bob", 1, 0)]
    source.replace({"Carl": faces(3)})
    made.run(convert)
    assert [person.name for person in made.target.people()] == ["Ann"]
    check_exact(made.target)


def test_two_at_once_do_no_harm_even_without_a_lock(url, small_batches, monkeypatch):
    monkeypatch.setattr(Connections, "alone", lambda *_: nullcontext())
    with db.open(url) as first, db.open(url) as second:
        source = gallery_of(first, "source")
        source.add_many({f"p{i}": faces(i, i + 1) for i in range(40)})
        errors = []

        def work(database):
            try:
                follow(database, database.find("source")).run(plain)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=[each]) for each in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        made = follow(first, source)
        assert made.pending() == 0 and contents(made.target) == contents(source)
        check_exact(made.target)


def test_what_another_process_stored_meanwhile_is_not_overwritten_by_what_is_older(database, source, monkeypatch):
    monkeypatch.setattr(Connections, "alone", lambda *_: nullcontext())
    source.add_many({"Ann": faces(1), "Bob": faces(2)})
    slow, fast = follow(database, source), follow(database, source)

    def late(members):
        source.replace({"Ann": faces(3)})
        fast.run(plain)
        return negated(members)

    slow.run(late)
    assert contents(slow.target) == contents(source)


def test_another_process_that_is_at_it_is_named(url):
    with db.open(url) as first, db.open(url, timeout=1) as second:
        source = gallery_of(first, "source")
        source.add("Ann", faces(1))

        def convert(members):
            with pytest.raises(DatabaseError, match="another process"):
                follow(second, second.find("source")).run(plain)
            return plain(members)

        follow(first, source).run(convert)


def test_somebody_enrolled_directly_is_not_overwritten_by_a_namesake(database, source):
    source.add("Ann", faces(1))
    made = follow(database, source)
    made.run(plain)
    made.target.add("Zoe", faces(9))
    source.add_many({"Zoe": faces(2), "Bob": faces(3)})
    with pytest.raises(BadName, match="'Zoe' was enrolled in the gallery directly"):
        made.run(plain)
    assert [face.source for face in made.target.faces("Zoe")] == ["9"]
    made.target.rename("Zoe", "Zoe 2")
    made.run(plain)
    assert {person.name for person in made.target.people()} == {"Ann", "Bob", "Zoe", "Zoe 2"}
    check_exact(made.target)


def test_a_source_that_is_deleted_meanwhile_ends_it(database, source, small_batches):
    source.add_many({f"p{i}": faces(i) for i in range(20)})
    made = follow(database, source)

    def convert(members):
        if any(person.name == "source" for person in database.summaries()):
            database.delete_gallery("source")
        return plain(members)

    with pytest.raises((UnknownGallery, DatabaseError)):
        made.run(convert)
    assert made.target.count()[0] < 20
    with pytest.raises(DatabaseError, match="finished or deleted"):
        made.pending()


def test_a_source_of_which_a_part_is_gone_already_is_not_taken_for_what_it_was(database, source, monkeypatch):
    """Deleting a gallery takes its name at once and its people in portions, and may be interrupted between two."""
    source.add_many({f"p{i}": faces(i) for i in range(20)})
    made = follow(database, source)
    monkeypatch.setattr(database, "purge", lambda _: None)
    database.delete_gallery("source")
    monkeypatch.setattr(people, "BATCH", 5)
    source._connections.write(lambda connection: _purge_portion(connection, source._id))
    with pytest.raises(UnknownGallery):
        made.run(plain)
    assert made.target.count() == (0, 0)


def test_a_gallery_of_that_name_that_is_made_from_nothing_or_something_else_is_refused(database, source):
    gallery_of(database, "there").add("Ann", faces(1))
    with pytest.raises(NameTaken, match="'there' already, which is not made from this one"):
        follow(database, source, "there")
    follow(database, source)
    with pytest.raises(NameTaken, match="not made from this one"):
        follow(database, gallery_of(database, "there"))
    with pytest.raises(ModelMismatch):
        database.follower(source, "target", "third", "2" * 64, DIMENSION)
    assert follow(database, source).pending() == 0


def test_switching_waits_for_deletions_to_have_been_followed(database, source):
    source.add_many({"Ann": faces(1), "Bob": faces(2)})
    made = follow(database, source)
    made.run(plain)
    source.delete(["Ann"])
    with pytest.raises(BadArgument, match="'target' has yet to take over 1 people"):
        database.switch_galleries("source", "target")
    made.run(plain)
    database.switch_galleries("source", "target")
    now = database.find("source")
    assert now.model_name == "other" and [person.name for person in now.people()] == ["Bob"]


def test_what_is_next_is_found_by_index_however_far_it_has_come(source, database):
    """Scanning what was taken over already would make a million people take hours."""
    if not database.engine.startswith("SQLite"):
        pytest.skip("the plans of the other engines depend on how many rows there are")
    source.add_many({f"p{i}": faces(i) for i in range(50)})
    connections, statements = source._connections, []

    def record(_connection, _cursor, statement, parameters, *_):
        statements.append((statement, parameters))

    with connections.reading() as connection:
        sa.event.listen(connections.engine, "before_cursor_execute", record)
        following._events(connection, source._id, following.Cursor(1, 5))
        sa.event.remove(connections.engine, "before_cursor_execute", record)
        for statement, parameters in statements:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            [first, *_] = [row[-1] for row in plan]
            table = "persons" if "FROM persons" in statement else "deletions"
            assert first.startswith(f"SEARCH {table} USING"), plan
            if table == "persons":
                assert "persons_revision (gallery_id=? AND revision" in first, plan
    assert len(statements) == 4
