"""Comparing many models on many sets keeps one set in memory, and times embedding alone."""

import gc
import weakref

import numpy as np
import pytest

import eval
from common.errors import BadArgument
from eval import measuring, on_demand
from eval.bins import PairPictures
from eval.comparing import candidates, compare
from eval.on_demand import SetsOnDemand
from eval.sets import Located, VerificationSet, read
from tests.eval import tiny_sets
from tests.recognizer import tiny_models


@pytest.fixture
def located(tmp_path):
    for seed, name in enumerate("abc"):
        tiny_sets.write_set(tmp_path / f"{name}.bin", 20, seed=seed)
    return [Located(name, tmp_path / f"{name}.bin") for name in "abc"]


def test_a_set_has_left_the_memory_when_the_next_one_is_read(located, tmp_path, monkeypatch):
    network = tiny_models.model(tmp_path / "models")
    held, read = [], on_demand.read

    def watched(each, **options):
        gc.collect()
        assert [reference() for reference in held] == [None] * len(held)
        found = read(each, **options)
        held.append(weakref.ref(found.pictures.different))
        return found

    monkeypatch.setattr(on_demand, "read", watched)
    sets = SetsOnDemand(located)
    compared, failed = candidates([network], threads=1)
    assert len(list(compare(compared, sets))) == len(held) == 3 and not failed
    assert sets["c"] is sets["c"] and len(held) == 3, "the last one is not read again"
    assert sets["a"].name == "a" and len(held) == 4 and list(sets) == ["a", "b", "c"] and len(sets) == 3
    with pytest.raises(KeyError):
        sets["d"]


def test_two_sets_of_one_name_are_refused(located, tmp_path):
    with pytest.raises(BadArgument, match="Two sets are called a"):
        SetsOnDemand([*located, Located("a", tmp_path / "other" / "a.bin")])


def test_seconds_are_those_of_embedding(located, tmp_path, monkeypatch):
    ticks = iter([100.0, 104.0])
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(ticks))
    compared, _ = candidates([tiny_models.model(tmp_path / "models")], threads=1)
    one = SetsOnDemand(located)["a"]
    monkeypatch.setattr(measuring, "verification", lambda *_, **__: next(ticks, "judged after the clock was stopped"))
    found = measuring.measure(compared[0].network, one, backend="openvino")
    assert (found.seconds, found.pictures, found.rate) == (4.0, 40, 10.0)
    assert found.verification == "judged after the clock was stopped"


def test_a_picture_of_many_pairs_is_embedded_once_and_the_numbers_stay_the_same(tmp_path):
    draw = np.random.default_rng(0)
    people = draw.integers(0, 256, (7, 8, 6, 3), np.uint8)
    numbers = draw.integers(0, 7, 60)
    eval.write_bin(tmp_path / "a.bin", list(people[numbers]), draw.random(30) < 0.5)
    one = read(Located("a", tmp_path / "a.bin"))
    calls = []
    [candidate], _ = candidates([tiny_models.model(tmp_path / "models")])
    embed = candidate.network.embed
    candidate.network.embed = lambda faces, flip: calls.append(faces) or embed(faces, flip)
    found = measuring.measure(candidate.network, one, backend="openvino", flip="none", batch=4)
    assert [len(faces) for faces in calls] == [4, 3] and found.pictures == 7
    assert sorted(face.tobytes() for faces in calls for face in faces) == sorted(face.tobytes() for face in people)
    rows = tiny_sets.embeddings(people[numbers], "none")
    np.testing.assert_allclose(found.verification.similarities, (rows[::2] * rows[1::2]).sum(1), atol=1e-5)


def test_embeddings_that_cannot_be_compared_are_a_failure_of_that_model(located, tmp_path):
    black = PairPictures(np.zeros((1, 8, 6, 3), np.uint8), np.zeros(40, np.int64))
    sets = {"black": VerificationSet("black", located[0].path, black, np.arange(20) % 2 == 0)}
    compared, _ = candidates([tiny_models.model(tmp_path / "models")])
    compared[0].network.embed = lambda pictures, flip: np.full((len(pictures), 5), np.nan, np.float32)
    [failure] = compare(compared, sets)
    assert str(failure) == "tiny (openvino) on black: embeddings: row 0 is not finite."
