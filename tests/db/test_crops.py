"""Which photo stands for each person of a list."""

import sqlalchemy as sa
from gallery_process import embedding, gallery_of

import db
from db.crops import covers, crop_of


def face(seed, crop=None):
    return db.Face(embedding(seed), crop=crop)


def test_the_newest_photo_with_a_crop_stands_for_a_person(gallery):
    gallery.add("Ann", [face(1, b"old"), face(2, b"new"), face(3)])
    gallery.add("Bob", [face(4)])
    gallery.add("\U0001f642 a/b", [face(5, b"only")])
    found = covers(gallery, ["Ann", "Bob", "\U0001f642 a/b", "nobody"])
    assert {name: crop_of(gallery, name, photo) for name, photo in found.items()} == {
        "Ann": b"new", "\U0001f642 a/b": b"only",
    }  # fmt: skip
    assert covers(gallery, []) == {}


def test_people_of_the_same_name_elsewhere_are_not_mixed_up(database):
    here, elsewhere = gallery_of(database), gallery_of(database, "elsewhere")
    here.add("Ann", [face(1, b"here")])
    elsewhere.add("Ann", [face(2, b"elsewhere")])
    for gallery, crop in ((here, b"here"), (elsewhere, b"elsewhere")):
        assert crop_of(gallery, "Ann", covers(gallery, ["Ann"])["Ann"]) == crop


def test_a_page_of_people_takes_one_statement(gallery):
    names = [f"p{number}" for number in range(120)]
    gallery.add_many({name: [face(seed, b"crop")] for seed, name in enumerate(names)})
    statements = []

    def note(connection, cursor, statement, *_):
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        found = covers(gallery, names)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert found.keys() == set(names)
    assert len([each for each in statements if "faces" in each]) == 1
