import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import networks
from common.errors import BadArgument, BadDataset
from eval.bins import write_bin
from mtcnn.pictures import read_picture
from networks.network import normalise
from tests.train.data.coloured_people import ColourNetwork, embedding, face, write_folder
from train.data import open_dataset
from train.data.merge import matching, profiles
from train.data.merge.centres import centre, dominant_centre
from train.data.merge.decisions import decide
from train.data.merge.merge import Output, Rule, examine, merged_source
from train.data.merge.profiles import profile
from train.data.merge.references import references
from train.data.prepare.plan import silent
from train.data.recordio import Reader, Writer
from train.data.shards import read_shard
from train.data.sources import open_source

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))


def naive(centres, groups, threshold, across_only=False):
    """The rule, one identity after another in float64: (partner, same)."""
    kept, partner, same = [], [], []
    for number, each in enumerate(centres.astype(np.float64)):
        others = [k for k in kept if not (across_only and groups[k] == groups[number])]
        cosines = [float(each @ centres[k].astype(np.float64)) for k in others]
        best = int(np.argmax(cosines)) if others else None
        partner.append(others[best] if others else -1)
        same.append(bool(others) and cosines[best] > threshold)
        if not same[-1]:
            kept.append(number)
    return partner, same


def crowd(count, people, noise, seed=0):
    random = np.random.default_rng(seed)
    base = normalise(random.standard_normal((people, 32)).astype(np.float32))
    spread = noise * normalise(random.standard_normal((count, 32)).astype(np.float32))
    return normalise(base[random.integers(0, people, count)] + spread)


@pytest.mark.parametrize("across_only", [False, True])
@pytest.mark.parametrize(("noise", "threshold"), [(0.3, 0.6), (1.0, 0.5), (1.0, 0.3)])
def test_blockwise_matching_is_the_rule_applied_one_by_one(noise, threshold, across_only, monkeypatch):
    monkeypatch.setattr(matching, "INCOMING", 16)
    monkeypatch.setattr(matching, "KEPT", 23)
    centres = crowd(300, 40, noise)
    groups = np.repeat([0, 1, 2], [130, 90, 80])
    found = matching.match(centres, groups, threshold, across_only)
    partner, same = naive(centres, groups, threshold, across_only)
    assert found.partner.tolist() == partner and found.same.tolist() == same
    assert 10 < sum(same) < 290
    compared = found.partner >= 0
    expected = np.sum(centres[compared] * centres[found.partner[compared]], axis=1)
    assert np.allclose(found.cosine[compared], expected, atol=1e-6)


def test_a_chain_of_people_who_resemble_each_other_is_not_drawn_together():
    angles = np.radians([0, 30, 60, 90])
    centres = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = matching.match(centres, np.arange(4), threshold=0.8)  # cos 30 is 0.87, cos 60 is 0.5
    assert found.same.tolist() == [False, True, False, True]
    assert found.partner.tolist() == [-1, 0, 0, 2]  # the third is compared with the first, not with who joined it


def test_no_block_of_cosines_is_larger_than_its_bound(monkeypatch):
    shapes, products = [], matching.products
    monkeypatch.setattr(matching, "products", lambda a, b: shapes.append((len(a), len(b))) or products(a, b))
    matching.match(crowd(20_000, 20_000, 1.0), np.arange(20_000), 0.99)
    assert max(rows for rows, _ in shapes) == matching.INCOMING
    assert max(columns for _, columns in shapes) == matching.KEPT
    assert sum(rows * columns for rows, columns in shapes) >= 20_000 * 19_999 / 2  # everybody was compared


def test_nearest_is_the_highest_cosine_of_all(monkeypatch):
    monkeypatch.setattr(matching, "INCOMING", 7)
    monkeypatch.setattr(matching, "KEPT", 5)
    rows, others = crowd(30, 10, 1.0, 1), crowd(24, 10, 1.0, 2)
    which, cosine = matching.nearest(rows, others)
    assert np.array_equal(which, (rows @ others.T).argmax(axis=1))
    assert np.allclose(cosine, (rows @ others.T).max(axis=1), atol=1e-6)
    assert matching.nearest(rows, others[:0])[0].tolist() == [-1] * 30


def test_a_centre_is_the_normalised_mean():
    embeddings = crowd(9, 1, 0.5)
    mean = embeddings.astype(np.float64).mean(axis=0)
    assert np.allclose(centre(embeddings), mean / np.linalg.norm(mean), atol=1e-6)
    assert not centre(embeddings[:0]).any()


def test_the_dominant_centre_is_that_of_the_largest_group():
    one, two, three = (crowd(count, 1, 0.3, seed) for count, seed in ((8, 1), (12, 2), (3, 3)))
    found = dominant_centre(np.concatenate([one, two, three]), np.cos(np.radians(60)))
    assert np.allclose(found, centre(two), atol=1e-6)


def test_the_dominant_centre_of_very_many_pictures_compares_few(monkeypatch):
    monkeypatch.setattr("train.data.merge.centres.LARGEST", 10)
    embeddings = np.concatenate([crowd(60, 1, 0.3, 1), crowd(20, 1, 0.3, 2)])
    assert np.allclose(dominant_centre(embeddings, 0.5), centre(embeddings[:60]), atol=1e-6)


def people(folder):
    """Three datasets: a holds persons 0 1 2, b 2 3, c 0 3 4."""
    a = write_folder(folder / "a", {f"p{p}": [(p, look) for look in range(3)] for p in (0, 1, 2)})
    (folder / "b").mkdir()
    with Writer(folder / "b" / "train.rec", image_size=(16, 16)) as writer:
        for label, person in enumerate((2, 3)):
            for look in (3, 4):
                writer.write(face(person, look), label)
    c = write_folder(folder / "c", {"p1": [(0, 5), (0, 6)], "q": [(3, 7)], "r": [(4, 8), (4, 9)]})
    return [a, folder / "b" / "train.rec", c]


def written(path):
    """{name or label: sorted payloads} of a dataset."""
    dataset, found = open_dataset(path), {}
    if dataset.kind == "rec":
        with Reader(path) as reader:
            for number in range(len(reader)):
                found.setdefault(reader[number].identity, []).append(reader[number].payload)
    else:
        for shard in dataset.shards:
            for example in read_shard(dataset.path / shard.file):
                found.setdefault(dataset.names[example.label], []).append(example.jpeg)
    return {name: sorted(payloads) for name, payloads in found.items()}


def faces(person, looks):
    return sorted(face(person, look) for look in looks)


def test_same_people_are_joined_across_datasets_into_shards(tmp_path):
    report = examine(people(tmp_path), ColourNetwork(), Rule(0.6))
    Output(tmp_path / "out", shards=2, jobs=2).write(merged_source(report), silent)
    assert written(tmp_path / "out") == {
        "p0": faces(0, (0, 1, 2, 5, 6)), "p1": faces(1, (0, 1, 2)), "p2": faces(2, (0, 1, 2, 3, 4)),
        "1": faces(3, (3, 4, 7)), "r": faces(4, (8, 9)),
    }  # fmt: skip
    assert report.rows()[:1] + report.rows()[-1:] == [
        [str(tmp_path / "a"), "3", "3", "0", "0", "0", "9", "9", "0", "0"],
        ["together", "8", "5", "3", "0", "0", "18", "18", "0", "0"],
    ]
    same = report.to_mapping()["same"]
    assert [(each["identity"], each["same_as"]) for each in same] == [
        ("b: 0", "a: p2"), ("c: p1", "a: p0"), ("c: q", "b: 1"),
    ]  # fmt: skip


def test_same_people_are_dropped_where_asked_and_a_rec_is_written(tmp_path):
    report = examine(people(tmp_path), ColourNetwork(), Rule(0.6, on_match="drop"))
    Output(tmp_path / "out.rec").write(merged_source(report), silent)
    assert list(written(tmp_path / "out.rec").values()) == [
        faces(0, range(3)), faces(1, range(3)), faces(2, range(3)), faces(3, (3, 4)), faces(4, (8, 9)),
    ]  # fmt: skip
    assert report.rows()[-1] == ["together", "8", "5", "3", "0", "0", "18", "13", "5", "0"]


def test_a_name_that_another_dataset_has_is_told_apart(tmp_path):
    report = examine(people(tmp_path), ColourNetwork(), Rule(0.999))
    assert report.decisions.names == ["p0", "p1", "p2", "0", "1", "c/p1", "q", "r"]
    again = examine([tmp_path / "c"] * 3, ColourNetwork(), Rule(1.0))
    assert len(set(again.decisions.names)) == 9


def test_people_within_one_dataset_are_joined_too_unless_it_is_trusted(tmp_path):
    twice = write_folder(tmp_path / "d", {"x": [(0, 0)], "y": [(0, 1)], "z": [(1, 0)]})
    assert examine([twice], ColourNetwork(), Rule(0.6)).decisions.names == ["x", "z"]
    assert examine([twice], ColourNetwork(), Rule(0.6, across_only=True)).decisions.names == ["x", "y", "z"]


def test_people_of_a_test_set_are_taken_out(tmp_path):
    pictures = [read_picture(face(person, look)) for person, look in ((4, 0), (4, 1), (1, 5), (9, 0))]
    write_bin(tmp_path / "lfw.bin", pictures, [True, False])
    folder = write_folder(tmp_path / "test", {"t": [(3, 0), (3, 1)]})
    inputs = people(tmp_path)
    report = examine(inputs, ColourNetwork(), Rule(0.6), exclude=[tmp_path / "lfw.bin", folder])
    assert report.decisions.names == ["p0", "p2"]
    assert {each["identity"] for each in report.to_mapping()["in_test_sets"]} == {"a: p1", "b: 1", "c: q", "c: r"}
    strict = examine(inputs, ColourNetwork(), Rule(0.6, exclude_threshold=1.0), exclude=[folder])
    assert len(strict.decisions.names) == 5
    assert np.allclose(references(folder, ColourNetwork())[0], normalise((embedding(3) + embedding(3, 1))[None])[0],
                       atol=1e-6)  # fmt: skip


def test_strangers_among_an_identitys_pictures_are_dropped_when_cleaning(tmp_path):
    mixed = write_folder(tmp_path / "d", {"x": [(0, 0), (5, 1), (0, 2), (0, 3)], "y": [(1, 0), (1, 1)]})
    report = examine([mixed], ColourNetwork(), Rule(0.6, clean_angle=60.0))
    Output(tmp_path / "out", shards=1).write(merged_source(report), silent)
    assert written(tmp_path / "out") == {"x": faces(0, (0, 2, 3)), "y": faces(1, (0, 1))}
    mean = np.mean([embedding(0, look) for look in (0, 2, 3)], axis=0)
    assert np.allclose(report.profiles[0].centres[0], mean / np.linalg.norm(mean), atol=1e-6)
    report.write(tmp_path / "report", 5)
    dropped = (tmp_path / "report" / "dropped.tsv").read_text().split("\t")
    assert dropped[:3] == ["d", "x", "x/1.jpg"] and float(dropped[3]) < 0.5
    assert examine([mixed], ColourNetwork(), Rule(0.6)).profiles[0].kept.all()


def test_damaged_pictures_are_left_out_and_listed(tmp_path):
    folder = write_folder(tmp_path / "d", {"x": [(0, 0), (0, 1)], "y": [(1, 0)]})
    (folder / "x" / "1.jpg").write_bytes(b"no picture")
    (folder / "y" / "0.jpg").write_bytes(face(1, 0)[:-30])
    report = examine([folder], ColourNetwork(), Rule(0.6))
    assert report.decisions.names == ["x"]
    assert report.rows()[-1] == ["together", "2", "1", "0", "0", "1", "3", "1", "0", "2"]
    report.write(tmp_path / "report", 5)
    assert [line.split("\t")[2:] for line in (tmp_path / "report" / "dropped.tsv").read_text().splitlines()] == [
        ["x/1.jpg", "damaged"], ["y/0.jpg", "damaged"],
    ]  # fmt: skip


def test_an_interrupted_embedding_goes_on_where_it_was_and_another_call_embeds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "PIECE", 6)
    folder = write_folder(tmp_path / "d", {f"p{p}": [(p, look) for look in range(4)] for p in range(10)})
    with pytest.raises(KeyboardInterrupt):
        profile(open_source(folder), ColourNetwork(left=20), batch=4)
    second = ColourNetwork()
    found = profile(open_source(folder), second, batch=4)
    assert second.calls == 40 - 16  # two pieces of two people each were done
    third = ColourNetwork()
    again = profile(open_source(folder), third, batch=4)
    assert third.calls == 0
    for name in ("centres", "kept", "cosines"):
        assert np.array_equal(getattr(found, name), getattr(again, name))
    for person in range(10):
        mean = np.mean([embedding(person, look) for look in range(4)], axis=0)
        assert np.allclose(found.centres[person], mean / np.linalg.norm(mean), atol=1e-6)


def test_what_is_kept_is_not_taken_for_another_model_rule_or_list_of_pictures(tmp_path):
    folder = write_folder(tmp_path / "d", {"x": [(0, 0), (0, 1)]})
    profile(open_source(folder), ColourNetwork())
    for change in ("model", "rule", "pictures", "damaged"):
        network, angle = ColourNetwork("other" if change == "model" else "colours"), None
        if change == "rule":
            angle = 75.0
        if change == "pictures":
            (folder / "x" / "9.jpg").write_bytes(face(0, 9))
        if change == "damaged":
            for path in (tmp_path / "cache" / "merge").rglob("*.npz"):
                path.write_bytes(path.read_bytes()[:-100])
        profile(open_source(folder), network, clean_angle=angle)
        assert network.calls > 0, change


def test_the_merged_source_is_small_when_it_is_sent_to_a_process(tmp_path):
    report = examine(people(tmp_path), ColourNetwork(), Rule(0.6))
    source = merged_source(report)
    items = source.items(np.arange(len(source.identities())))
    sent = pickle.loads(pickle.dumps(source))
    assert sent._profiles is None
    for place, number in zip(items.places, range(len(items.places))):
        name = items.names[number]
        assert sent.read(int(place), name) == source.read(int(place), name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 1.5}, "threshold is a cosine"),
        ({"on_match": "merge"}, "Unknown choice 'merge'. Expected one of: join, drop"),
        ({"exclude_threshold": -2}, "exclude threshold is a cosine"),
        ({"clean_angle": 0}, "angle must lie between 0 and 180"),
    ],
)
def test_rules_that_make_no_sense_are_refused(tmp_path, change, message):
    folder = write_folder(tmp_path / "d", {"x": [(0, 0)]})
    with pytest.raises(BadArgument, match=message):
        examine([folder], ColourNetwork(), Rule(**{"threshold": 0.5, **change}))


def test_a_merge_that_leaves_nobody_is_an_error(tmp_path):
    folder = write_folder(tmp_path / "d", {"x": [(0, 0)]})
    with pytest.raises(BadDataset, match="Nobody is left"):
        decide([profile(open_source(folder), ColourNetwork())], 0.5, test_people=embedding(0)[None])


@pytest.fixture
def command(monkeypatch):
    from typer.testing import CliRunner

    from train.cli.merge_datasets import app

    monkeypatch.setattr(networks, "load", lambda name, **options: ColourNetwork())
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


def test_the_command_writes_dataset_and_report(tmp_path, command):
    inputs = people(tmp_path)
    options = ("--model", "m", "--threshold", 0.6, "--jobs", 1)
    looked = command(*inputs, *options, "--out", tmp_path / "all", "--report-only")
    assert looked.exit_code == 0, looked.output
    assert not (tmp_path / "all").exists() and (tmp_path / "all.merge" / "report.json").is_file()
    done = command(*inputs, *options, "--out", tmp_path / "all", "--json")
    assert done.exit_code == 0, done.output
    stated = json.loads(done.stdout)
    assert stated == json.loads((tmp_path / "all.merge" / "report.json").read_text())
    assert stated["identities"] == open_dataset(tmp_path / "all").classes == 5
    for name in ("same.png", "different.png"):
        sheet = read_picture(tmp_path / "all.merge" / name)
        reds = set((sheet[::4, ::4, 2][(sheet[::4, ::4, 1] % 16 == 0) & (sheet[::4, ::4, 0] == 0)] // 16).tolist())
        assert len(reds) >= 3  # faces of several people are on it
    refused = command(*inputs, *options, "--out", tmp_path / "all")
    assert refused.exit_code == 2 and "exists already" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "0.5"], "Say where the dataset goes"),
        (["--threshold", "0.5", "--report-only", "--pairs", "0"], "--pairs must be 1 or more"),
        (["--threshold", "3", "--report-only"], "threshold is a cosine"),
        (["--threshold", "0.5", "--report-only", "--exclude", "none.bin"], "none.bin"),
    ],
)
def test_what_the_command_cannot_do_is_one_line(tmp_path, command, arguments, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "d", {"x": [(0, 0)]})
    done = command(folder, "--model", "m", *arguments)
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_the_script_runs_from_any_folder(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, ROOT / "train" / "merge_datasets.py", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "merge_datasets.py" in done.stdout
