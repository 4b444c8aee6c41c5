"""The measured threshold is the one that counting pairs one by one gives, and says how sure it is."""

import math

import numpy as np
import pytest
from PIL import Image

import db
from common.errors import BadArgument
from recognizer import calibrate
from recognizer.calibrate import BINS, NEEDED
from recognizer.calibrate_plot import plot

DIMENSION = 16


@pytest.fixture
def database():
    with db.open("sqlite://") as opened:
        yield opened


def people(count, seed=0, most=4, spread=0.6):
    """Persons' unit vectors, float32, 1 to ``most`` each, around a direction of their own."""
    draw = np.random.default_rng(seed)
    found = {}
    for number in range(count):
        centre = draw.normal(size=DIMENSION)
        noise = draw.normal(size=(draw.integers(1, most + 1), DIMENSION)) / 4
        vectors = centre / np.linalg.norm(centre) + spread * noise
        found[f"p{number}"] = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


def stored(database, vectors, name="default"):
    gallery = database.gallery(name, "tiny", "0" * 64, DIMENSION)
    gallery.add_many({name: [db.Face(row) for row in rows] for name, rows in vectors.items()})
    return gallery


def cosine(a, b):
    a, b = np.float64(a), np.float64(b)
    return float(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))


def by_hand(vectors):
    """Genuine and impostor cosines, one pair at a time."""
    genuine, impostor = [], []
    for name, rows in vectors.items():
        for number, row in enumerate(rows):
            others = [np.float64(other) for place, other in enumerate(rows) if place != number]
            if others:
                genuine.append(cosine(row, sum(others) / len(others)))
            for stranger, theirs in vectors.items():
                if stranger != name:
                    impostor.append(cosine(row, np.float64(theirs).mean(axis=0)))
    return np.array(genuine), np.array(impostor)


@pytest.mark.parametrize("far", [0.1, 0.01, 0.003])
def test_threshold_and_rates_are_those_of_counting_every_pair(database, far):
    vectors = people(60)
    found = calibrate.calibrate(stored(database, vectors), far)
    genuine, impostor = by_hand(vectors)
    assert (found.genuine, found.impostor) == (len(genuine), len(impostor))
    assert (found.people, found.of, found.wanted) == (60, 60, far)
    allowed = math.floor(far * len(impostor))
    ordered = np.sort(impostor)[::-1]
    # The least cosine above the first one that must not be accepted.
    assert found.threshold == pytest.approx(ordered[allowed], abs=1e-6) and found.threshold > ordered[allowed] - 1e-7
    assert found.far == pytest.approx((impostor >= found.threshold).mean(), abs=1.1 / len(impostor))
    assert found.far <= far
    assert found.tar == pytest.approx((genuine >= found.threshold).mean(), abs=1.1 / len(genuine))
    assert found.low <= found.threshold <= found.high and found.tar_low <= found.tar <= found.tar_high
    for histogram, values in ((found.genuine_histogram, genuine), (found.impostor_histogram, impostor)):
        expected = np.cumsum(np.histogram(values, BINS, (-1, 1))[0])
        assert histogram.sum() == len(values) and np.abs(np.cumsum(histogram) - expected).max() <= 2


def test_the_nearest_strangers_are_named(database):
    vectors = people(40)
    vectors["twin"] = vectors["p7"] + np.float32(0.01)
    found = calibrate.calibrate(stored(database, vectors), 0.05)
    [first, second, similarity] = found.nearest[0]
    assert {first, second} == {"p7", "twin"} and similarity > 0.9
    assert len({frozenset(each[:2]) for each in found.nearest}) == len(found.nearest) == 3


def test_the_interval_holds_the_threshold_of_the_whole_population_as_often_as_it_says(database):
    """Galleries of 60 are drawn out of 1,000 people, whose threshold is known."""
    population = people(1000, seed=1, most=2)
    everyone = calibrate.calibrate(stored(database, population, "everyone"), 0.01)
    draw, names, hits, rounds = np.random.default_rng(2), list(population), 0, 20
    for number in range(rounds):
        chosen = draw.choice(len(names), 60, replace=False)
        gallery = stored(database, {names[i]: population[names[i]] for i in chosen}, f"some {number}")
        found = calibrate.calibrate(gallery, 0.01)
        hits += found.low <= everyone.threshold <= found.high
    assert hits >= 18  # 95 % of 20 are 19


def test_intervals_count_people_not_pairs(database):
    """Ten copies of each photo make ten times the pairs, and nobody any surer."""
    vectors = people(40, most=2)
    once = calibrate.calibrate(stored(database, vectors), 0.02)
    copied = {name: np.concatenate([rows] * 10) for name, rows in vectors.items()}
    often = calibrate.calibrate(stored(database, copied, "often"), 0.02)
    assert often.impostor == 10 * once.impostor
    assert (often.high - often.low) > 0.7 * (once.high - once.low)


def test_too_few_pairs_say_how_many_it_takes_and_what_can_be_measured(database):
    vectors = people(20)
    gallery = stored(database, vectors)
    pairs = sum(map(len, vectors.values())) * 19
    with pytest.raises(BadArgument, match=rf"0\.0001 takes 100000 comparisons.*there are {pairs} here") as caught:
        calibrate.calibrate(gallery, 1e-4)
    offered = float(str(caught.value).split("--far ")[1].split()[0])
    assert NEEDED / pairs <= offered <= 1.1 * NEEDED / pairs
    assert calibrate.calibrate(gallery, offered).far <= offered
    with pytest.raises(BadArgument):
        calibrate.calibrate(gallery, offered / 1.2)
    assert gallery.threshold is None


@pytest.mark.parametrize("count", [0, 1, 2])
def test_galleries_of_hardly_anybody_are_refused(database, count):
    with pytest.raises(BadArgument, match="no rate can be measured yet"):
        calibrate.calibrate(stored(database, people(count)), 0.1)


@pytest.mark.parametrize("far", [0, -1, 5e-324, 0.5, 1, float("nan"), "x", None])
def test_rates_out_of_range_are_refused(database, far):
    with pytest.raises(BadArgument, match="false accept rate"):
        calibrate.calibrate(stored(database, people(20)), far)


def test_people_without_a_second_photo_have_no_tar(database):
    found = calibrate.calibrate(stored(database, people(40, most=1)), 0.01)
    assert (found.tar, found.tar_low, found.tar_high, found.genuine) == (None, None, None, 0)
    assert found.impostor == 40 * 39


def test_people_enrolled_under_two_names_are_pointed_out(database):
    vectors = people(12, most=1)
    twice = vectors | {f"again {name}": rows for name, rows in vectors.items()}
    with pytest.raises(BadArgument, match=r"are the same as those of another person.*'again p\d+' and 'p\d+'"):
        calibrate.calibrate(stored(database, twice), 0.02)


def test_of_too_many_pairs_a_sample_is_compared_the_same_one_each_time(database, monkeypatch):
    vectors = people(200, most=3)
    gallery = stored(database, vectors)
    everything = calibrate.calibrate(gallery, 0.01)
    monkeypatch.setattr(calibrate, "MOST_PAIRS", 9_000)
    first, second = calibrate.calibrate(gallery, 0.01), calibrate.calibrate(gallery, 0.01)
    assert 7_000 < first.impostor <= 9_000 and first.people < 100 and first.of == 200
    assert (first.threshold, first.low, first.high) == (second.threshold, second.low, second.high)
    assert first.genuine == everything.genuine == by_hand(vectors)[0].size
    assert first.low - 0.05 < everything.threshold < first.high + 0.05


def test_reading_in_pieces_samples_the_same_people(database):
    vectors = np.random.default_rng(0).normal(size=(500, DIMENSION)).astype(np.float32)
    ids = np.repeat(np.arange(1, 251), 2)
    whole = calibrate._sample(ids, vectors, 5_000)
    kept = (ids[:0], vectors[:0])
    for start in range(0, 500, 100):
        part = slice(start, start + 100)
        kept = calibrate._sample(np.r_[kept[0], ids[part]], np.concatenate([kept[1], vectors[part]]), 5_000)
    assert np.array_equal(whole[0], kept[0]) and np.array_equal(whole[1], kept[1])
    people_kept = len(np.unique(whole[0]))
    assert 2 * people_kept * (people_kept - 1) <= 5_000 < 2 * (people_kept + 1) * people_kept


def test_the_length_of_embeddings_does_not_matter(database):
    vectors = people(40)
    found = calibrate.calibrate(stored(database, vectors), 0.02)
    longer = {name: rows * np.float32(1 + number) for number, (name, rows) in enumerate(vectors.items())}
    again = calibrate.calibrate(stored(database, longer, "longer"), 0.02)
    assert again.threshold == pytest.approx(found.threshold, abs=1e-6)


def test_the_picture_shows_both_distributions_and_the_threshold(database, tmp_path):
    found = calibrate.calibrate(stored(database, people(40)), 0.02)
    plot(found, tmp_path / "measured.png")
    image = np.asarray(Image.open(tmp_path / "measured.png").convert("RGB")).astype(int)
    red = (image[:, :, 0] - image[:, :, 2] > 60).any(axis=0).nonzero()[0]
    blue = (image[:, :, 2] - image[:, :, 0] > 60)[100:].any(axis=0).nonzero()[0]
    assert red.min() < blue.min() < blue.max() and red.max() < blue.max()
    with pytest.raises(BadArgument, match="cannot be written"):
        plot(found, tmp_path / "no such folder" / "measured.png")


def test_progress_counts_everybody(database):
    steps = []

    def progress(items, total):
        items = list(items)
        steps.append((len(items), total))
        return items

    calibrate.calibrate(stored(database, people(40)), 0.02, progress)
    assert steps[0] == (40, 40) and all(made == total for made, total in steps)
    assert len(steps) == 2
