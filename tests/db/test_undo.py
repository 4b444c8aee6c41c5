"""Deleting so that it can be undone: what comes back, what does not, and when it is gone for good."""

import random
import time

import pytest
import sqlalchemy as sa
from forks import in_processes, running
from galleries_process import contents
from gallery_process import check_exact, embedding, faces, gallery_of

import db
from common.errors import BadArgument, NameTaken, NothingToUndo, UnknownGallery, UnknownPerson
from db.schema import undo_faces, undo_persons

DRAW = random.Random(0)

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def people(database):
    """A gallery of Ann, with all that a person can have, Bob and Carl."""
    gallery = gallery_of(database)
    crops = [b"\x89PNG" + bytes(range(256)) * 100, None]
    gallery.add_many(
        {
            "Ann": [
                db.Face(embedding(seed), f"{seed}.jpg", 0.5 + seed / 10, crop, str(seed) * 64)
                for seed, crop in enumerate(crops)
            ],
            "Bob": faces(7, 8, 9),
            "Carl": faces(10),
        }
    )
    gallery.add("Ann", faces(5))
    gallery.set_metadata("Ann", {"team": "é😀", "n": [1, None, 2.5]})
    return gallery


def kept(database):
    """How many persons and faces are kept aside."""
    counts = [sa.select(sa.func.count()).select_from(table) for table in (undo_persons, undo_faces)]
    return database._connections.read(lambda connection: [connection.scalar(count) for count in counts])


def test_who_is_brought_back_is_as_before_in_everything_but_ids(database, people):
    before, ids = contents(people), [people.person(name).id for name in ("Ann", "Bob")]
    discarded = people.discard(["Ann", "Bob"])
    assert discarded.names == ["Ann", "Bob"]
    assert [person.name for person in people.people()] == ["Carl"]
    assert kept(database) == [2, 6]
    check_exact(people)
    restored = people.undo(discarded.token)
    assert [person.name for person in restored] == ["Ann", "Bob"]
    assert contents(people) == before and kept(database) == [0, 0]
    assert not set(ids) & {person.id for person in restored}
    check_exact(people)


def test_readers_see_the_deletion_and_the_return(people):
    ann, revision = people.person("Ann").id, people.revision()
    discarded = people.discard("Ann")
    changes = people.changes(revision)
    assert changes.removed.tolist() == [ann] and len(changes.rows.ids) == 0
    [back] = people.undo(discarded.token)
    assert people.changes(changes.state.revision).rows.ids.tolist() == [back.id]


def test_it_is_undone_once(people):
    token = people.discard("Ann").token
    people.undo(token)
    for wrong in (token, "", "x" * 32, None, 7):
        with pytest.raises(NothingToUndo):
            people.undo(wrong)
    assert people.person("Ann").count == 3


def test_of_two_processes_that_undo_at_once_one_does(people):
    before, token = contents(people), people.discard(["Ann", "Bob"]).token

    def undo():
        try:
            return len(people.undo(token))
        except NothingToUndo:
            return 0

    assert sorted(in_processes(undo, undo)) == [0, 2]
    assert contents(people) == before
    check_exact(people)


def test_after_its_time_it_cannot_be_undone_and_the_rows_are_removed(database, people):
    people.discard("Carl")
    late = people.discard("Ann", seconds=0.05)
    time.sleep(0.06)
    with pytest.raises(NothingToUndo):
        people.undo(late.token)
    assert database.tidy().undo == 1
    assert kept(database) == [1, 1]
    people.discard("Bob", seconds=0.05)
    time.sleep(0.06)
    assert gallery_of(database, "other").add("Eve", faces(1)).count == 1
    gallery_of(database, "other").discard("Eve")  # the next one removes what is over, in whatever gallery
    assert kept(database) == [2, 2]


def test_a_name_that_was_taken_meanwhile_is_told_and_nothing_is_brought_back(database, people):
    token = people.discard(["Ann", "Bob"]).token
    people.add("Bob", faces(1))
    before = contents(people)
    with pytest.raises(NameTaken, match="'Bob'.*Rename"):
        people.undo(token)
    assert contents(people) == before and kept(database) == [2, 6]
    people.rename("Bob", "Bob 2")
    assert [person.count for person in people.undo(token)] == [3, 3]


def test_another_gallery_does_not_get_the_people(database, people):
    token = people.discard("Ann").token
    other = gallery_of(database, "other")
    with pytest.raises(NothingToUndo):
        other.undo(token)
    assert other.people() == [] and people.undo(token)[0].name == "Ann"


def test_who_is_unknown_is_told_and_nobody_goes(database, people):
    with pytest.raises(UnknownPerson, match="'Nobody'"):
        people.discard(["Ann", "Nobody"])
    for seconds in (0, -1, 604_801, float("nan"), "60"):
        with pytest.raises(BadArgument):
            people.discard("Ann", seconds)
    assert len(people.people()) == 3 and kept(database) == [0, 0]


def test_deleting_a_gallery_removes_what_was_kept_of_its_people(database, people):
    token = people.discard(["Ann", "Bob"]).token
    database.delete_gallery("default")
    assert kept(database) == [0, 0]
    with pytest.raises(UnknownGallery):
        people.undo(token)


def test_what_is_kept_is_neither_copied_nor_exported(database, people, tmp_path):
    people.discard("Ann")
    people.export(tmp_path / "people.gallery")
    assert b"team" not in (tmp_path / "people.gallery").read_bytes()
    assert [person.name for person in database.copy_gallery("default", "copy").people()] == ["Bob", "Carl"]


def test_who_was_forgotten_at_the_source_does_not_come_back_in_what_follows_it(database, people):
    following = database.follower(people, "later", "tiny", people.model_digest, people.dimension)
    following.run(lambda members: [member.faces for member in members])
    tokens = [following.target.discard(name).token for name in ("Ann", "Bob")]
    people.delete("Ann")
    with pytest.raises(NothingToUndo, match="'Ann': deleted by now"):
        following.target.undo(tokens[0])
    assert following.target.undo(tokens[1])[0].name == "Bob"
    following.run(lambda members: [member.faces for member in members])
    assert [person.name for person in following.target.people()] == ["Bob", "Carl"]
    check_exact(following.target)


def test_killed_anywhere_people_are_either_there_or_can_be_brought_back(database, people):
    before = contents(people)

    def work():
        while True:
            people.undo(people.discard(["Ann", "Bob"]).token)

    work_once = time.monotonic()
    people.undo(people.discard(["Ann", "Bob"]).token)
    seconds = time.monotonic() - work_once
    for _ in range(8):
        with running(work):
            time.sleep(DRAW.uniform(0, 3 * seconds))
        tokens = database._connections.read(
            lambda connection: connection.scalars(sa.select(undo_persons.c.token).distinct()).all()
        )
        for token in tokens:
            people.undo(token)
        assert contents(people) == before and kept(database) == [0, 0]
    check_exact(people)
