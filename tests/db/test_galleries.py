"""Galleries as a whole: copied, switched, replaced, and what is left when that is interrupted."""

import threading

import pytest
from galleries_process import contents
from gallery_process import DIMENSION, check_exact, faces, gallery_of
from killing import forks, kill  # noqa: F401

import db
from common.errors import BadArgument, BadName, FaceError, ModelMismatch, NameTaken, UnknownGallery
from db import following, versions

STAGED = "copy (copy of source, not finished)"


@pytest.fixture(params=["sqlite", "memory", "server"])
def database(request):
    fixture = {"sqlite": "sqlite_url", "server": "emptied_url"}.get(request.param)
    with db.open(request.getfixturevalue(fixture) if fixture else "sqlite://") as opened:
        yield opened


def names(database):
    return [found.name for found in database.summaries()]


def test_a_copy_holds_the_same_and_goes_its_own_way(database):
    source = gallery_of(database, "source")
    source.add_many({f"p{i}": faces(i, i + 1) for i in range(20)})
    source.add("Ann", [db.Face(faces(1)[0].embedding, "a.jpg", 0.5, b"crop", "a" * 64)])
    source.set_metadata("Ann", {"team": "A"})
    source.set_threshold(0.5, 1e-4, 0.4, 0.6)
    copy = database.copy_gallery("source", "copy")
    assert contents(copy) == contents(source)
    assert copy.threshold == source.threshold and copy.uid != source.uid
    check_exact(copy)
    before = contents(source)
    copy.add("Bob", faces(7))
    copy.delete(["Ann", "p1"])
    assert contents(source) == before
    assert names(database) == ["copy", "source"] and not any(found.source for found in database.summaries())
    database.delete_gallery("source")
    assert gallery_of(database, "copy").person("Bob").count == 1


def test_an_empty_gallery_can_be_copied(database):
    gallery_of(database, "source")
    assert database.copy_gallery("source", "copy").count() == (0, 0)


def test_a_name_is_given_to_one_gallery_only(database):
    gallery_of(database, "source").add("Ann", faces(1))
    gallery_of(database, "there").add("Bob", faces(2))
    for taken in ("there", "source"):
        for take in (
            lambda taken=taken: database.copy_gallery("source", taken),
            lambda taken=taken: database.create_gallery(taken, "tiny", "0" * 64, DIMENSION),
            lambda taken=taken: database.rename_gallery({"there": "source", "source": "there"}[taken], taken),
        ):
            with pytest.raises(NameTaken, match=f"There is a gallery '{taken}' already"):
                take()
    with pytest.raises(UnknownGallery, match="'nowhere'"):
        database.copy_gallery("nowhere", "copy")
    with pytest.raises(BadName):
        database.copy_gallery("source", " ")
    assert names(database) == ["source", "there"]


def test_galleries_with_the_longest_names_can_be_copied(database):
    gallery_of(database, "é" * 255).add("Ann", faces(1))
    assert database.copy_gallery("é" * 255, "x" * 255).count() == (1, 1)


def test_an_interrupted_copy_says_what_it_is_and_goes_on(database, monkeypatch):
    monkeypatch.setattr(following, "PEOPLE", 4)
    source = gallery_of(database, "source")
    source.add_many({f"p{i:02}": faces(i) for i in range(20)})

    def interrupted(steps, total):
        for number, step in enumerate(steps, 1):
            yield step
            if number == 9:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.copy_gallery("source", "copy", interrupted)
    assert names(database) == [STAGED, "source"]
    staged = database.summaries()[0]
    assert (staged.source, staged.people, staged.pending) == ("source", 12, 8)
    totals = []
    database.copy_gallery("source", "copy", lambda steps, total: totals.append(total) or steps)
    assert totals == [8]
    assert names(database) == ["copy", "source"]
    assert contents(database.find("copy")) == contents(source)


def test_a_copy_that_is_killed_again_and_again_is_complete_or_not_there(url, kill):  # noqa: F811
    with db.open(url) as database:
        source = gallery_of(database, "source")
        source.add_many({f"p{i}": faces(i, i + 1) for i in range(80)})
        kills = 0
        while "copy" not in names(database):
            kills += not kill("copy", url, "source", "copy", longest=0.03 + 0.12 * kills)
            assert kills < 50
            if STAGED in names(database):
                staged = database.find(STAGED)
                check_exact(staged)
                assert contents(staged).items() <= contents(source).items()
                source.add(f"new {kills}", faces(1000 + kills))
        found = contents(database.find("copy"))
        assert found == contents(source) and kills
        check_exact(database.find("copy"))
        assert names(database) == ["copy", "source"]


def test_of_two_copies_to_one_name_one_is_made_and_the_other_refused(url):
    with db.open(url) as first, db.open(url) as second:
        gallery_of(first, "source").add_many({f"p{i}": faces(i) for i in range(100)})
        outcomes = []

        def work(database):
            try:
                outcomes.append(database.copy_gallery("source", "copy").count())
            except FaceError as error:
                outcomes.append(type(error))

        threads = [threading.Thread(target=work, args=[each]) for each in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (100, 100) in outcomes and len(outcomes) == 2
        assert names(first) == ["copy", "source"]
        assert contents(first.find("copy")) == contents(first.find("source"))


def test_switching_exchanges_names_and_can_be_taken_back(database):
    one, two = gallery_of(database, "one"), database.gallery("two", "other", "1" * 64, DIMENSION)
    one.add("Ann", faces(1))
    two.add("Bob", faces(2))
    database.switch_galleries("one", "two")
    assert [person.name for person in database.find("one").people()] == ["Bob"]
    for stale in (one, two):
        with pytest.raises(ModelMismatch, match="open it again"):
            stale.add("Carl", faces(3))
        with pytest.raises(ModelMismatch):
            stale.state()
    database.switch_galleries("two", "one")
    assert one.add("Carl", faces(3)).count == 1
    assert [person.name for person in two.people()] == ["Bob"]


def test_replacing_gives_the_name_to_another_gallery_and_forgets_the_first(database):
    old, new = gallery_of(database, "old"), gallery_of(database, "new")
    old.add_many({f"p{i}": faces(i) for i in range(700)})
    new.add("Ann", faces(1))
    database.replace_gallery("old", "new")
    assert names(database) == ["old"]
    assert [person.name for person in database.find("old").people()] == ["Ann"]
    with pytest.raises(ModelMismatch):
        old.add("Bob", faces(2))
    with pytest.raises(UnknownGallery):
        new.add("Bob", faces(2))
    with pytest.raises(BadArgument, match="by itself"):
        database.replace_gallery("old", "old")
    with pytest.raises(UnknownGallery):
        database.replace_gallery("old", "new")


def test_nothing_is_left_of_a_gallery_that_was_replaced(tmp_path, sqlite_url):
    with db.open(sqlite_url) as database:
        gallery_of(database, "old").add("Rumpelstilzchen", [db.Face(faces(1)[0].embedding, crop=b"secret" * 99)])
        gallery_of(database, "new").add("Ann", faces(2))
        database.replace_gallery("old", "new")
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        assert b"Rumpelstilzchen" not in content and b"secretsecret" not in content
        assert faces(1)[0].embedding.tobytes() not in content


def test_a_database_tells_what_runs_it(database):
    assert database.engine.split()[0] in ("SQLite", "MariaDB", "MySQL")
    assert database.revision == versions.NEWEST
