"""identify.py: a gallery drawn from a folder of identities, and everybody else searched in it."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

import eval
from common.errors import BadArgument
from eval.cli.identify import app
from eval.splits import split
from tests.eval import people


def labels(seed=0, count=60):
    random = np.random.default_rng(seed)
    return random.permutation(np.repeat(np.arange(count), random.integers(1, 7, count)))


@pytest.mark.parametrize("gallery", [1, 3])
@pytest.mark.parametrize("strangers", [0, 0.005, 0.5])
def test_every_picture_is_gallery_or_probe_and_strangers_are_in_no_gallery(gallery, strangers):
    given = labels()
    parts = split(given, gallery=gallery, strangers=strangers)
    assert sorted([*parts.gallery, *parts.probes]) == list(range(len(given)))
    assert len(parts.strangers) == {0: 0, 0.005: 1, 0.5: 30}[strangers]
    for person in range(60):
        mine = np.sum(given == person)
        enrolled = np.sum(given[parts.gallery] == person)
        assert enrolled == (0 if person in parts.strangers else min(gallery, mine))


def test_the_seed_decides_and_nothing_else():
    given = labels()
    first, same, other = (split(given, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.gallery, same.gallery)
    assert first.gallery.tolist() != other.gallery.tolist() and first.strangers.tolist() != other.strangers.tolist()


def test_each_picture_of_a_person_comes_into_the_gallery_about_as_often():
    given = np.repeat(np.arange(4), 5)
    drawn = np.concatenate([split(given, strangers=0.25, seed=seed).gallery for seed in range(400)])
    counts = np.bincount(drawn, minlength=20)
    assert counts.sum() == 1200 and counts.min() > 30 and counts.max() < 95  # 60 expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gallery": 0}, "1 picture of each person, or more, not 0"),
        ({"strangers": 1.0}, "must be from 0 up to but not 1, not 1.0"),
        ({"strangers": float("nan")}, "not nan"),
        ({"gallery": 6}, "nobody has more than 6 pictures"),
        ({"seed": -1}, "seed must be 0 or more"),
    ],
)
def test_draws_that_leave_nobody_to_be_found_are_refused(options, message):
    with pytest.raises(BadArgument, match=message):
        split(labels(), **options)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return people.model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def run(model):
    def call(*arguments, code=0):
        found = CliRunner().invoke(app, [*map(str, arguments), "--model", str(model)])
        assert found.exit_code == code, found.output
        assert "Traceback" not in found.output
        return found.stdout, found.stderr

    return call


def test_the_numbers_are_those_of_the_same_split_by_hand(run, tmp_path):
    written = people.folder(tmp_path / "set", [6, 5, 1, 8, 4, 7], noise=110)
    given = np.array([int(name[1]) - 1 for name in written])
    rows = people.by_hand(written.values(), "none")
    options = ["--gallery", 2, "--strangers", 0.34, "--seed", 7, "--flip", "none"]
    document = json.loads(run(tmp_path / "set", *options, "--json")[0])
    parts = split(given, gallery=2, strangers=0.34, seed=7)
    expected = eval.identification(rows[parts.gallery], given[parts.gallery], rows[parts.probes], given[parts.probes])
    assert (document["people"], document["mated"], document["unmated"]) == (4, expected.mated, expected.unmated)
    assert document["cmc"] == pytest.approx(expected.cmc.tolist()) and document["cmc"][0] < document["cmc"][-1] == 1
    assert document["rank"] == {str(k): pytest.approx(share) for k, share in expected.rank.items()}
    assert document["tpir"]["0.1"] == pytest.approx(expected.tpir[0.1])
    assert document["thresholds"]["0.1"] == pytest.approx(expected.thresholds[0.1], abs=1e-4)
    assert document["tpir"]["0.01"] is None
    assert (document["gallery"], document["strangers"], document["seed"]) == (2, 0.34, 7)


def test_the_table_says_who_searches_and_where_strangers_are_too_few(run, tmp_path):
    people.folder(tmp_path / "set", [6, 5, 1, 8])
    lines = run(tmp_path / "set", "--strangers", 0)[0].splitlines()
    assert lines[0] == "tiny, flip sum_raw: 20 pictures of 4 identities; gallery of 4 people, 4 pictures"
    assert lines[1] == "16 probes of them, 0 of 0 strangers"
    assert [line.split()[0] for line in lines[3:7]] == ["Rank", "1", "5", "10"]
    assert lines[9].split() == ["0.1", "too", "few", "strangers", "-"]


def test_a_draw_that_finds_nobody_is_refused_before_anything_is_embedded(run, tmp_path):
    people.folder(tmp_path / "set", [2, 2])
    options = ["--gallery", 2, "--embeddings", tmp_path / "kept"]
    assert "nobody has more than 2 pictures" in run(tmp_path / "set", *options, code=2)[1]
    assert not (tmp_path / "kept").exists()


def test_embeddings_that_all_pairs_kept_are_taken(run, tmp_path, model):
    from eval.cli import all_pairs

    people.folder(tmp_path / "set", [4, 4])
    arguments = [str(tmp_path / "set"), "--embeddings", str(tmp_path / "kept")]
    assert CliRunner().invoke(all_pairs.app, [*arguments, "--model", str(model)]).exit_code == 0
    before = (tmp_path / "kept" / "embeddings.npy").stat()
    run(*arguments)
    after = (tmp_path / "kept" / "embeddings.npy").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_characteristic_is_drawn_where_asked(run, tmp_path):
    pytest.importorskip("matplotlib", reason="plots need it: pip install '.[eval]'")
    people.folder(tmp_path / "set", [4, 4])
    run(tmp_path / "set", "--plot", tmp_path / "new" / "cmc.svg")
    assert ElementTree.parse(tmp_path / "new" / "cmc.svg").getroot().tag.endswith("svg")
    assert "--plot draws an .svg file" in run(tmp_path / "set", "--plot", tmp_path / "cmc.png", code=2)[1]
