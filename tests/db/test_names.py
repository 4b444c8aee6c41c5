import pytest
from gallery_process import faces, means

from common.errors import BadArgument, BadName, UnknownPerson

HOSTILE = [
    "'; DROP TABLE persons; --",
    "O'Brien",
    '"; DROP TABLE faces; --',
    "%_\\%s{0}?:name",
    "ann",
    "Ann",
    "ANN",
    "Änn",
    "Ånn",
    "Aenn",
    "strasse",
    "straße",
    "Iı",
    "iİ",
    "ｆｕｌｌ",
    "full",
    "Ann\u200b",
    "An n",
    "An\u00a0n",
    "\u202eevil\u2066",
    "علي",
    "👩\u200d🚀",
    "null",
    "0",
    "x" * 255,
    "x" * 254,
    "😀" * 255,
    "😀" * 254 + "😁",
    "\U0010fffd\uffee\U00010000",
]


def test_hostile_names_are_kept_apart_and_come_back_unchanged(gallery):
    gallery.add_many({name: faces(number) for number, name in enumerate(HOSTILE)})
    assert [person.name for person in gallery.people()] == sorted(HOSTILE)
    assert means(gallery).keys() == set(HOSTILE)
    for number, name in enumerate(HOSTILE):
        assert [face.source for face in gallery.faces(name)] == [str(number)]
    assert gallery.delete(HOSTILE) == HOSTILE
    assert gallery.people() == []


@pytest.mark.parametrize(
    "name",
    ["", "   ", "\u3000", "a\nb", "Ann\n", "a\0b", "a\x7f", "a\x85", "\ud800", "x" * 256, None, 5, b"Ann"],
    ids=ascii,
)
def test_bad_names_are_refused_and_nothing_is_stored(gallery, name):
    with pytest.raises(BadName):
        gallery.add_many({"Ann": faces(1), name: faces(2)})
    with pytest.raises(BadName):
        gallery.delete(["Ann", name])
    assert gallery.people() == [] and gallery.revision() == 0


def test_two_spellings_of_one_name_are_one_person(gallery):
    gallery.add("Zoe\u0308", faces(1))
    gallery.add("  Zo\u00eb ", faces(2))
    assert [(person.name, person.count) for person in gallery.people()] == [("Zo\u00eb", 2)]
    assert gallery.person("Zoe\u0308").count == 2
    with pytest.raises(BadName, match="twice"):
        gallery.add_many({"Zoe\u0308": faces(1), "Zo\u00eb": faces(2)})
    assert gallery.delete(["Zoe\u0308", "Zo\u00eb"]) == ["Zo\u00eb"]


def test_errors_quote_at_most_forty_characters_of_a_name(gallery):
    long = "x" * 41
    for error, call in (
        (UnknownPerson, lambda: gallery.person(long)),
        (BadName, lambda: gallery.person(long * 10)),
        (BadName, lambda: gallery.person(long + "\n")),
        (BadArgument, lambda: gallery.add(long, [])),
    ):
        with pytest.raises(error) as caught:
            call()
        assert "x" * 40 in str(caught.value) and long not in str(caught.value)
    with pytest.raises(UnknownPerson) as caught:
        gallery.delete([f"unknown {i}" for i in range(1000)])
    assert len(str(caught.value)) < 400 and "990 more" in str(caught.value)
