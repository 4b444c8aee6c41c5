"""Writes that depend on what a person is like: of two who saw the same, one writes; several writes are one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gallery_process import faces

from common.errors import NameTaken, UnknownPerson, VersionConflict
from db.conditional import expecting, together, version_of

CHANGES = {
    "add": lambda gallery: gallery.add("Ann", faces(9)),
    "replace": lambda gallery: gallery.replace({"Ann": faces(9)}),
    "metadata": lambda gallery: gallery.set_metadata("Ann", {"team": "A"}),
    "remove": lambda gallery: gallery.remove_photos(gallery.photos("Ann")[0].id),
    "merge": lambda gallery: gallery.merge("Bob", "Ann"),
    "move": lambda gallery: gallery.move(gallery.photos("Bob")[0].id, "Ann"),
}


@pytest.fixture
def people(gallery):
    """A gallery with Ann and Bob."""
    gallery.add_many({"Ann": faces(1, 2), "Bob": faces(3, 4)})
    return gallery


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_of_a_person_gives_a_new_version_and_that_of_others_stays(people, change):
    before, other = version_of(people, "Ann"), version_of(people, "Bob")
    CHANGES[change](people)
    assert version_of(people, "Ann") != before
    if change not in ("merge", "move"):
        assert version_of(people, "Bob") == other


def test_a_write_happens_only_where_the_person_has_one_of_the_versions(people):
    old = version_of(people, "Ann")
    people.set_metadata("Ann", {"n": 1})
    revision = people.revision()
    for method, arguments in (
        ("rename", ("Ann", "Eve")), ("delete", ("Ann",)), ("discard", ("Ann",)), ("add", ("Ann", faces(5))),
        ("merge", ("Bob", "Ann")), ("erase", ("Ann",)),
    ):  # fmt: skip
        with pytest.raises(VersionConflict):
            getattr(expecting(people, "Ann", [old, "0-0"]), method)(*arguments)
    assert people.revision() == revision and [person.name for person in people.people()] == ["Ann", "Bob"]
    assert expecting(people, "Ann", [old, version_of(people, "Ann")]).rename("Ann", "Eve").name == "Eve"
    assert people.revision() == revision + 1  # compared in the transaction that writes, not in one before it


def test_a_version_of_somebody_who_had_the_name_before_is_no_good(people):
    old = version_of(people, "Ann")
    people.delete("Ann")
    with pytest.raises(VersionConflict):
        expecting(people, "Ann", [old]).add("Ann", faces(5))
    people.add("Ann", faces(1, 2))
    with pytest.raises(VersionConflict):
        expecting(people, "Ann", [old]).delete("Ann")


def test_who_is_to_be_new_must_not_be_there(people):
    with pytest.raises(NameTaken):
        expecting(people, " Ann ", None).add("Ann", faces(5))
    assert people.person("Ann").count == 2
    assert expecting(people, "Eve", None).add("Eve", faces(5)).count == 1


def test_of_all_who_saw_the_same_version_at_the_same_time_one_writes(people):
    seen = version_of(people, "Ann")

    def change(number):
        try:
            return expecting(people, "Ann", [seen]).set_metadata("Ann", {"by": number}).metadata
        except VersionConflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        done = [each for each in pool.map(change, range(8)) if each]
    assert len(done) == 1 and people.person("Ann").metadata == done[0]


def test_several_writes_are_one(people):
    revision = people.revision()
    person = together(people, lambda each: (each.set_metadata("Ann", {"n": 1}), each.rename("Ann", "Eve"))[-1])
    assert (person.name, person.metadata, people.revision()) == ("Eve", {"n": 1}, revision + 1)


def test_of_several_writes_none_is_stored_where_one_fails(people):
    def work(each):
        each.set_metadata("Ann", {"n": 1})
        each.rename("Ann", "Bob")

    with pytest.raises(NameTaken):
        together(people, work)
    assert people.person("Ann").metadata is None


def test_several_writes_depend_on_a_version_as_one_does(people):
    seen = version_of(people, "Ann")
    people.set_metadata("Ann", {"n": 1})
    with pytest.raises(VersionConflict):
        together(expecting(people, "Ann", [seen]), lambda each: each.rename("Ann", "Eve"))
    assert people.person("Ann").name == "Ann"


def test_nobody_has_no_version(people):
    with pytest.raises(UnknownPerson):
        version_of(people, "Eve")
