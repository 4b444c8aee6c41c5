"""Forgetting by age: what goes, what stays exact, and what a dry run says."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from galleries_process import contents
from gallery_process import check_exact, embedding, faces, gallery_of, means

from common.errors import BadArgument
from db import retention
from db.schema import faces as face_table


@pytest.fixture
def people(database):
    """Photos are as many days old as their source says; "old" has only old ones."""
    gallery = gallery_of(database)
    other = gallery_of(database, "other")
    other.add("old", faces(40))
    gallery.add_many(
        {"mixed": faces(1, 20, 30), "old": faces(40, 41), "young": faces(2)} | {f"o{i}": faces(50) for i in range(5)}
    )
    for person, where in ((each, gallery) for each in gallery.people()):
        for photo in where.photos(person.name):
            age(database, photo.id, int(photo.source))
    age(database, other.photos("old")[0].id, 40)
    return gallery


def age(database, face_id, days):
    earlier = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    chosen = sa.update(face_table).where(face_table.c.id == face_id).values(created=earlier)
    database._connections.write(lambda connection: connection.execute(chosen) and None)


@pytest.mark.parametrize("portion", [1, 200])
def test_old_photos_go_and_people_who_have_no_other(database, people, monkeypatch, portion):
    monkeypatch.setattr(retention, "PORTION", portion)
    before, elsewhere = contents(people), contents(gallery_of(database, "other"))
    dry = people.expire(timedelta(days=10), dry_run=True)
    assert contents(people) == before
    assert dry.photos == 9 and dry.people == ["o0", "o1", "o2", "o3", "o4", "old"]
    assert people.expire(timedelta(days=10)) == dry
    assert {person.name: person.count for person in people.people()} == {"mixed": 1, "young": 1}
    assert np.array_equal(means(people)["mixed"], embedding(1))
    check_exact(people)
    assert contents(gallery_of(database, "other")) == elsewhere
    assert people.expire(timedelta(days=10)) == retention.Expired(0, [])


def test_readers_are_told_who_changed_and_who_is_gone(people):
    ids, revision = {person.name: person.id for person in people.people()}, people.revision()
    people.expire(timedelta(days=10))
    changes = people.changes(revision)
    assert changes.rows.ids.tolist() == [ids["mixed"]]
    assert set(changes.removed.tolist()) == {ids[name] for name in ids if name not in ("mixed", "young")}


def test_nothing_is_forgotten_for_an_age_that_is_none(people):
    for wrong in (timedelta(), timedelta(days=-1), 10, None, timedelta.max):
        with pytest.raises(BadArgument):
            people.expire(wrong)
    assert len(people.people()) == 8
