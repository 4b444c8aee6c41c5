import numpy as np
import pytest
from gallery_process import DIGEST, DIMENSION, check_exact, embedding, faces, gallery_of, means, rows

import db
from common.errors import BadArgument, BadEmbedding, BadName, DatabaseError, ModelMismatch, UnknownPerson

NOT_A_NUMBER = embedding(1).copy()
NOT_A_NUMBER[3] = np.nan


def mean_of(*seeds):
    return sum(embedding(seed).astype(np.float64) for seed in seeds) / len(seeds)


def template_of(gallery, name):
    return means(gallery)[name]


def state(gallery):
    """All that can be read of a gallery, for comparing before and after."""
    people = gallery.people()
    stored = [[bytes(face.embedding) for face in gallery.faces(person.name)] for person in people]
    check_exact(gallery)
    return gallery.revision(), people, stored, *(gallery.state(matching) for matching in ("template", "photo"))


def test_template_is_the_exact_mean_however_the_faces_arrive(gallery):
    seeds = list(range(30))
    gallery.add("at once", faces(*seeds))
    for seed in seeds:
        gallery.add("one by one", faces(seed))
    for some in (seeds[20:], seeds[:3], seeds[3:20]):
        gallery.add_many({"in groups": faces(*some), "other": faces(99)})
    for name in ("at once", "one by one", "in groups"):
        assert np.abs(template_of(gallery, name) - mean_of(*seeds)).max() < 1e-7
        assert gallery.person(name).count == 30


def test_template_stays_exact_when_large_and_small_embeddings_meet(gallery):
    large = db.Face(embedding(1) * np.float32(1e6))
    gallery.add("Ann", [large])
    gallery.add("Ann", [*faces(2), db.Face(-large.embedding)])
    assert np.abs(template_of(gallery, "Ann") - embedding(2) / 3).max() < 1e-6


def test_faces_come_back_as_they_were_added(gallery):
    gallery.add("Ann", [db.Face(embedding(1), "a/\udcff.jpg", np.float32(0.5), b"\xff\xd8\x00")])
    gallery.add("Ann", [db.Face(embedding(2))])
    first, second = gallery.faces("Ann")
    assert np.array_equal(first.embedding, embedding(1)) and np.array_equal(second.embedding, embedding(2))
    assert (first.source, first.score, first.crop) == ("a/\\udcff.jpg", 0.5, b"\xff\xd8\x00")
    assert (second.source, second.score, second.crop) == (None, None, None)


def test_more_people_than_fit_into_one_statement(gallery):
    added = gallery.add_many({f"p{i}": faces(i, i + 1) for i in range(1100)})
    assert [person.name for person in added] == [f"p{i}" for i in range(1100)]
    gallery.replace({f"p{i}": faces(i + 5) for i in range(1100)})
    for name, template in means(gallery).items():
        assert np.array_equal(template, embedding(int(name[1:]) + 5))
    assert len(gallery.delete([f"p{i}" for i in range(1, 1100)])) == 1099
    assert [person.name for person in gallery.people()] == ["p0"]


def test_a_bad_embedding_among_many_stores_nothing(gallery):
    gallery.add("Ann", faces(1))
    before = state(gallery)
    for broken in (NOT_A_NUMBER, embedding(1)[:-1], embedding(1) * 0):
        with pytest.raises(BadEmbedding):
            gallery.add_many({"Ann": faces(2), "Bob": [*faces(3), db.Face(broken)]})
        with pytest.raises(BadEmbedding):
            gallery.replace({"Ann": [db.Face(broken)]})
    assert state(gallery) == before


def test_a_write_that_fails_half_way_stores_nothing(gallery, monkeypatch):
    gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
    before = state(gallery)

    def disk_breaks(*_):
        raise OSError("the disk broke")

    monkeypatch.setattr("db.people.vectors.mean", disk_breaks)
    for write in (gallery.add_many, gallery.replace):
        with pytest.raises(OSError):
            write({"Ann": faces(3), "Bob": faces(4)})
    assert state(gallery) == before


@pytest.mark.parametrize(
    "broken",
    [
        embedding(1).astype(np.float64),
        embedding(1).tolist(),
        embedding(1)[None],
        np.full(DIMENSION, np.inf, np.float32),
        None,
    ],
    ids=["float64", "list", "two axes", "infinite", "none"],
)
def test_what_is_no_embedding_is_refused(gallery, broken):
    with pytest.raises(BadEmbedding):
        gallery.add("Ann", [db.Face(broken)])
    assert gallery.people() == []


@pytest.mark.parametrize(
    "given",
    [
        [],
        None,
        db.Face(embedding(1)),
        [embedding(1)],
        [db.Face(embedding(1), score=float("nan"))],
        [db.Face(embedding(1), score="0.9")],
        [db.Face(embedding(1), source=7)],
        [db.Face(embedding(1), source="x" * 5000)],
        [db.Face(embedding(1), crop="text")],
    ],
)
def test_what_is_no_list_of_faces_is_refused(gallery, given):
    with pytest.raises(BadArgument):
        gallery.add("Ann", given)
    assert gallery.people() == [] and gallery.revision() == 0


def test_replace_leaves_only_the_new_faces_and_the_metadata(gallery):
    gallery.add("Ann", faces(1, 2, 3))
    gallery.set_metadata("Ann", {"team": "é😀", "numbers": [1, None, 2.5]})
    replaced = gallery.replace({"Ann": faces(7)})
    assert replaced == [gallery.person("Ann")]
    assert replaced[0].count == 1 and replaced[0].metadata == {"team": "é😀", "numbers": [1, None, 2.5]}
    assert np.array_equal(template_of(gallery, "Ann"), embedding(7))
    assert gallery.set_metadata("Ann", None).metadata is None


@pytest.mark.parametrize(
    "metadata",
    ["text", [1], {"a": float("nan")}, {"a": {1, 2}}, {"a": "x" * 70_000}, {"a": "\ud800"}],
    ids=["text", "list", "nan", "set", "large", "surrogate"],
)
def test_metadata_that_json_cannot_hold_is_refused(gallery, metadata):
    gallery.add("Ann", faces(1))
    with pytest.raises(BadArgument):
        gallery.set_metadata("Ann", metadata)
    assert gallery.person("Ann").metadata is None


def test_replace_and_delete_with_an_unknown_name_change_nothing(gallery):
    gallery.add("Ann", faces(1))
    before = state(gallery)
    with pytest.raises(UnknownPerson, match="'Bob'"):
        gallery.replace({"Ann": faces(2), "Bob": faces(3)})
    with pytest.raises(UnknownPerson, match="'Bob', 'Cid'"):
        gallery.delete(["Ann", "Bob", "Cid"])
    for reading in (gallery.person, gallery.faces):
        with pytest.raises(UnknownPerson):
            reading("Bob")
    assert state(gallery) == before


def test_adding_to_people_who_must_be_there_creates_nobody(gallery):
    gallery.add("Ann", faces(1))
    before = state(gallery)
    with pytest.raises(UnknownPerson, match="'Bob'"):
        gallery.add_many({"Ann": faces(2), "Bob": faces(3)}, create=False)
    assert state(gallery) == before
    assert gallery.add_many({"Ann": faces(2)}, create=False)[0].count == 2


def test_nothing_to_do_is_no_write(gallery):
    assert gallery.add_many({}) == gallery.replace({}) == gallery.delete([]) == []
    assert gallery.revision() == 0


def test_delete_forgets_and_the_id_is_never_given_out_again(gallery):
    gallery.add_many({"Ann": faces(1), "Bob": faces(2)})
    first = {person.name: person.id for person in gallery.people()}
    assert gallery.delete("Bob") == ["Bob"]
    gallery.add("Bob", faces(3))
    again = {person.name: person.id for person in gallery.people()}
    assert again["Ann"] == first["Ann"] and again["Bob"] not in first.values()
    assert gallery.person("Bob").count == 1


def test_delete_and_replace_leave_no_byte_of_the_old_faces_in_sqlite_files(tmp_path, sqlite_url):
    with db.open(sqlite_url) as database:
        gallery = gallery_of(database)
        gallery.add_many({f"other {i}": faces(i) for i in range(50)})
        gallery.add("Rumpelstilzchen", [db.Face(embedding(777), "secret-source", crop=b"secret-crop" * 5000)])
        gallery.add("Bob", faces(888))

        def found(*traces):
            content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
            return [trace in content for trace in traces]

        traces = [b"Rumpelstilzchen", b"secret-source", b"secret-crop"]
        traces += [embedding(777).tobytes(), embedding(888).tobytes()]
        assert all(found(*traces))
        gallery.delete(["Rumpelstilzchen"])
        gallery.replace({"Bob": faces(3)})
        assert not any(found(*traces))


def test_changes_lead_from_any_revision_to_the_present(gallery):
    follower = {}
    revision = 0
    steps = [
        lambda: gallery.add_many({"Ann": faces(1), "Bob": faces(2)}),
        lambda: gallery.add("Ann", faces(3)),
        lambda: gallery.replace({"Bob": faces(4)}),
        lambda: gallery.delete(["Ann"]),
        lambda: gallery.add("Ann", faces(5)),
        lambda: gallery.set_threshold(0.4, 1e-4),
    ]
    for number, step in enumerate(steps, 1):
        step()
        changes = gallery.changes(revision)
        assert changes.state.revision == gallery.revision() == number
        revision = changes.state.revision
        for gone in changes.removed.tolist():
            del follower[gone]
        follower.update(zip(changes.rows.ids.tolist(), changes.rows.vectors.tolist(), strict=True))
        state, present = rows(gallery)
        assert changes.state == state == gallery.state()
        assert follower == dict(zip(present.ids.tolist(), present.vectors.tolist(), strict=True))
        assert len(gallery.changes(revision).rows.ids) == len(gallery.changes(revision).removed) == 0


def test_changes_arrays_have_their_types_even_when_empty(gallery):
    changes = gallery.changes(0)
    assert changes.rows.ids.dtype == changes.rows.digests.dtype == changes.removed.dtype == np.int64
    assert changes.rows.vectors.shape == (0, DIMENSION) and changes.rows.vectors.dtype == np.float32


def test_changes_since_a_revision_yet_to_come_are_refused(gallery):
    with pytest.raises(DatabaseError, match="anew"):
        gallery.changes(5)
    for wrong in (-1, 1.5, None, "1", True):
        with pytest.raises(BadArgument):
            gallery.changes(wrong)


def test_threshold_is_kept_with_its_false_accept_rate(gallery):
    assert gallery.threshold is None
    gallery.set_threshold(0.0, None)
    assert gallery.threshold == db.Threshold(0.0, None)
    gallery.set_threshold(0.5, 1e-4, 0.25, 0.75)
    assert gallery.threshold == gallery.state().threshold == db.Threshold(0.5, 1e-4, 0.25, 0.75)
    gallery.set_threshold(np.float32(0.25), 1e-4)
    assert gallery.threshold == db.Threshold(0.25, 1e-4)
    for similarity, far in ((1.5, 0.1), (float("nan"), 0.1), ("0.5", 0.1), (0.5, 2), (0.5, -1), (True, 0.1)):
        with pytest.raises(BadArgument):
            gallery.set_threshold(similarity, far)
    assert gallery.threshold == db.Threshold(0.25, 1e-4)
    revision = gallery.revision()
    gallery.clear_threshold()
    assert gallery.threshold is gallery.state().threshold is None and gallery.revision() == revision + 1


def test_a_gallery_belongs_to_one_model(url):
    with db.open(url) as database:
        gallery_of(database).add("Ann", faces(1))
        assert database.gallery("default", "renamed", DIGEST, DIMENSION).person("Ann").count == 1
        for digest, dimension in (("1" * 64, DIMENSION), (DIGEST, 512)):
            with pytest.raises(ModelMismatch) as caught:
                database.gallery("default", "resnet50", digest, dimension)
            for part in ("'default'", "'tiny'", DIGEST[:12], "64", "'resnet50'", digest[:12], str(dimension)):
                assert part in str(caught.value)
        database.gallery("other", "resnet50", "1" * 64, 512).add("Ann", [db.Face(np.ones(512, np.float32))])
        assert [(found.name, found.dimension, found.people) for found in database.summaries()] == [
            ("default", 64, 1),
            ("other", 512, 1),
        ]
        with pytest.raises(BadName):
            database.gallery("", "m", "d", 4)
        for wrong in (("g", "", "d", 4), ("g", "m", None, 4), ("g", "m", "d", 0), ("g", "m", "d", "4")):
            with pytest.raises(BadArgument):
                database.gallery(*wrong)
        assert len(database.summaries()) == 2
