"""The same people under another model: nobody is lost unsaid, whatever stops it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import db
import networks
from common.errors import BadArgument, BadName, ModelMismatch
from mtcnn.align import align
from networks.card import ModelCard
from recognizer import Recognizer, reembed
from tests.recognizer import tiny_models
from tests.recognizer.tiny_models import crop, face, gallery_of, png

ROOT = Path(db.__file__).parents[1]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two recognisers, of 5 and of 7 numbers."""
    folder = tmp_path_factory.mktemp("models")
    paths = tiny_models.model(folder, "old", 1, 5), tiny_models.model(folder, "new", 2, 7)
    return [networks.load(path) for path in paths]


@pytest.fixture
def paths(models, tmp_path):
    return tiny_models.model(tmp_path, "old", 1, 5), tiny_models.model(tmp_path, "new", 2, 7)


@pytest.fixture
def database():
    with db.open("sqlite://") as opened:
        yield opened


def run(database, models, **options):
    old, new = models
    return reembed.run(reembed.begin(database, gallery_of(database, old), new), new, **options)


def test_everyone_comes_along_with_the_embeddings_of_the_new_model(database, models):
    old, new = models
    source = gallery_of(database, old)
    source.add_many({f"p{i}": [face(old, 10 * i + j) for j in range(1 + i % 3)] for i in range(30)})
    source.set_metadata("p3", {"team": "A"})
    done = run(database, models)
    assert (done.gallery, done.people, done.photos, done.lacking) == ("default-new", 30, 60, [])
    target = gallery_of(database, new, "default-new")
    for person in source.people():
        now, before = target.person(person.name), source.faces(person.name)
        assert (now.metadata, now.created, now.count) == (person.metadata, person.created, person.count)
        for found, face_before in zip(target.faces(person.name), before, strict=True):
            seed = int(face_before.source.removesuffix(".jpg"))
            assert np.allclose(found.embedding, new.embed(crop(seed)[None])[0], atol=1e-6)
            assert np.isclose(np.linalg.norm(found.embedding), 1)
            same = ("source", "score", "crop", "picture", "created")
            assert [getattr(found, name) for name in same] == [getattr(face_before, name) for name in same]


def test_embeddings_are_those_that_enrolling_with_the_new_model_gives(mobilefacenet_files, portraits, tmp_path):
    card = replace(networks.zoo.entry("mobilefacenet").card, name="other", flip="sum_raw", threshold=None)
    other = networks.load(mobilefacenet_files["model"], card=card)
    url = f"sqlite:///{tmp_path}/people.db"
    photos = {"Obama": [portraits.obama2, portraits.obama3], "Biden": [portraits.biden]}
    with Recognizer(database=url, store_crops=True) as recognizer:
        recognizer.add_customs(photos)
        detector = recognizer.detector
    with db.open(url) as database:
        source = database.find("default")
        done = reembed.run(reembed.begin(database, source, other), other)
        assert (done.people, done.photos, done.lacking) == (2, 3, [])
        for name, pictures in photos.items():
            crops = [align(each, detector.detect_single(each).landmarks, card.input_size)[0] for each in pictures]
            found = [each.embedding for each in database.find("default-other").faces(name)]
            assert np.allclose(found, other.embed(np.stack(crops)), atol=1e-5)
            assert not np.allclose(found, [each.embedding for each in source.faces(name)], atol=1e-3)
        database.switch_galleries("default", "default-other")
        assert database.find("default").model_name == "other"
    with pytest.raises(ModelMismatch):
        Recognizer(database=url)


def test_photos_without_a_crop_are_told_and_the_others_come_along(database, models):
    old, _ = models
    source = gallery_of(database, old)
    bare = replace(face(old, 7), crop=None)
    source.add_many({"Ann": [face(old, 1), bare, face(old, 2)], "Bob": [bare], "Carl": [face(old, 3)]})
    done = run(database, models)
    assert (done.people, done.photos) == (2, 3)
    assert done.lacking == [("Ann", 3, 2), ("Bob", 1, 0)]
    assert run(database, models).lacking == done.lacking  # and are so again, when nothing is left to do


@pytest.mark.parametrize(
    "damaged, reason",
    [
        (png(crop(1))[:-80], "cut short"),
        (b"no picture", "not a picture"),
        (png(crop(1, (112, 112))), "has 112x112 pixels; new takes 6x8"),
        (png(crop(1, (6, 8))), "has 8x6 pixels; new takes 6x8"),
    ],
)
def test_a_damaged_crop_is_told_and_stops_nothing(database, models, damaged, reason):
    old, _ = models
    source = gallery_of(database, old)
    source.add_many({"Ann": [replace(face(old, 1), crop=damaged), face(old, 2)], "Bob": [face(old, 3)]})
    told = []
    done = run(database, models, damaged=lambda *what: told.append(what))
    assert done.lacking == [("Ann", 2, 1)] and done.people == 2
    [(name, photo, why)] = told
    assert (name, photo) == ("Ann", "1.jpg") and reason in why


def test_a_picture_too_large_to_be_a_crop_is_not_decoded(database, models, monkeypatch):
    old, _ = models
    monkeypatch.setenv("RECOGNIZER_MAX_PIXELS", "10000")
    gallery_of(database, old).add("Ann", [replace(face(old, 1), crop=png(crop(1, (200, 200)))), face(old, 2)])
    told = []
    run(database, models, damaged=lambda *what: told.append(what))
    assert "at most 10000" in told[0][2]


def test_a_face_that_the_model_makes_nothing_of_stays_behind(database, models):
    old, _ = models
    card = ModelCard("new", task="embedding", input_size=(8, 6), embedding_size=7)
    blind = networks.Network(lambda pictures: [np.zeros((len(pictures), 7), np.float32)], card, "3" * 64)
    gallery_of(database, old).add("Ann", [face(old, 1)])
    told = []
    done = run(database, (old, blind), damaged=lambda *what: told.append(what))
    assert done.lacking == [("Ann", 1, 0)] and told == [("Ann", "1.jpg", "new makes nothing of it")]


def test_the_same_model_another_gallery_and_another_model_are_refused(database, models):
    old, new = models
    source = gallery_of(database, old)
    with pytest.raises(BadArgument, match="'default' holds embeddings of old already"):
        reembed.begin(database, source, old)
    gallery_of(database, new, "mine").add("Zoe", [face(new, 1)])
    with pytest.raises(BadName, match="'mine' already, which is not made from this one"):
        reembed.begin(database, source, new, "mine")
    reembed.begin(database, source, new, "next")
    third = networks.Network(None, replace(new.card, name="third"), "4" * 64)
    with pytest.raises(ModelMismatch):
        reembed.begin(database, source, third, "next")


def test_the_progress_counts_those_who_are_left(database, models):
    old, _ = models
    source = gallery_of(database, old)
    source.add_many({f"p{i}": [face(old, i)] for i in range(10)})
    totals = []

    def progress(items, total):
        totals.append(total)
        return items

    run(database, models, progress=progress)
    source.add_many({"p3": [face(old, 99)], "new": [face(old, 98)]})
    run(database, models, progress=progress)
    assert totals == [10, 2]


SLOWLY = """
import sys, time, db, networks
from db import following
from recognizer import reembed
following.PEOPLE = 4
model = networks.load(sys.argv[2])
def slowly(items, total):
    for item in items:
        yield item
        time.sleep(0.002)
print("ready", flush=True)
sys.stdin.readline()
with db.open(sys.argv[1]) as database:
    print(reembed.run(reembed.begin(database, database.find("default"), model), model, None, slowly).lacking)
"""


@pytest.mark.parametrize("engine", ["sqlite", "server"])
def test_killed_again_and_again_it_goes_on_where_it_was(request, tmp_path, models, paths, engine):
    url = f"sqlite:///{tmp_path}/people.db" if engine == "sqlite" else request.getfixturevalue("server_url")
    draw, ended, kills = random.Random(0), False, 0
    with db.open(url) as database:
        source = gallery_of(database, networks.load(paths[0]))
        source.add_many({f"p{i}": [face(models[0], i), face(models[0], i + 1)] for i in range(40)})
        reached = []
        while not ended:
            process = subprocess.Popen(
                [sys.executable, "-c", SLOWLY, url, str(paths[1])],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            process.stdout.readline()
            killer = threading.Timer(draw.uniform(0.05, 0.4 + 0.5 * kills), process.send_signal, [signal.SIGKILL])
            killer.start()
            output, _ = process.communicate("\n")
            killer.cancel()
            ended = process.returncode == 0
            kills += not ended
            there = [found for found in database.summaries() if found.source]
            reached.append(there[0].people if there else 0)
            source.add(f"new {kills}", [face(models[0], 500 + kills)])
        assert output == "[]\n" and kills < 30
        assert reached == sorted(reached)
        new = networks.load(paths[1])
        reembed.run(reembed.begin(database, source, new), new)
        target = database.find("default-new")
        assert target.count() == source.count()
        for person in source.people():
            seeds = [int(each.source.removesuffix(".jpg")) for each in source.faces(person.name)]
            found = [each.embedding for each in target.faces(person.name)]
            assert np.allclose(found, new.embed(np.stack([crop(seed) for seed in seeds])), atol=1e-6)


def test_in_the_background_it_goes_on_by_itself_at_low_priority(tmp_path, models, paths, own_data_folder):
    own_data_folder.mkdir()
    url = f"sqlite:///{own_data_folder}/people.db"
    with db.open(url) as database:
        source = gallery_of(database, networks.load(paths[0]))
        source.add_many({f"p{i}": [face(models[0], i)] for i in range(200)})
        command = [sys.executable, "-m", "recognizer.cli", "gallery", "reembed", "--model", str(paths[1])]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "RECOGNIZER_DATA": str(own_data_folder)}
        result = subprocess.run(
            [*command, "--into", "next one", "--background"],
            capture_output=True, text=True, env=environment, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        pid = int(result.stdout.split("process ")[1].split(";")[0])
        log = Path(result.stdout.strip().split("written to ")[1])
        assert log.is_relative_to(own_data_folder) and log.stat().st_mode & 0o777 == 0o600
        assert os.getsid(pid) == pid != os.getsid(0)
        seen, deadline = set(), time.monotonic() + 60
        while database.summaries()[1].pending and time.monotonic() < deadline:
            seen.add(niceness(pid))
            time.sleep(0.02)
        assert database.find("next one").count() == (200, 200)
        assert os.getpriority(os.PRIO_PROCESS, 0) + reembed.NICE in seen
        while "now" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "'next one' has 200 people, 200 photos now." in log.read_text()


def niceness(pid):
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return None
