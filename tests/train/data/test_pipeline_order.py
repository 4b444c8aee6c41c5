import numpy as np
import pytest

from common.errors import BadArgument
from train.data.order import Balanced, InOrder, Shuffled
from train.data.randomness import check_seed, permutation, uniform

FILES = [40, 0, 7, 100, 53]
IMAGES = sum(FILES)


@pytest.mark.parametrize("window", [1, 16, 64, IMAGES, 10_000])
def test_each_epoch_is_a_permutation_and_no_two_are_the_same(window):
    order = Shuffled(FILES, run=8, window=window, seed=3)
    epochs = [order.indices(epoch * IMAGES, IMAGES) for epoch in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(IMAGES))
    assert not np.array_equal(epochs[0], epochs[1]) and not np.array_equal(epochs[1], epochs[2])


@pytest.mark.parametrize(
    "order",
    [InOrder(IMAGES), Shuffled(FILES, 8, 64, 5), Shuffled(FILES, 8, IMAGES, 5), Balanced(np.arange(IMAGES) // 9, 5)],
    ids=["stored", "windows", "whole", "balanced"],
)
def test_any_piece_of_the_stream_is_what_it_is_in_the_whole(order):
    whole = order.indices(0, 4 * IMAGES)
    random = np.random.default_rng(0)
    for _ in range(50):
        first, count = random.integers(0, 3 * IMAGES), random.integers(0, IMAGES)
        assert np.array_equal(order.indices(int(first), int(count)), whole[first : first + count])


def test_a_window_reads_few_places_of_the_files():
    files, run, window = [1000] * 10, 50, 500
    order = Shuffled(files, run, window, seed=1)
    for number in range(order.images // window):
        pictures = np.sort(order.indices(number * window, window))
        places = 1 + (np.diff(pictures) > 1).sum()
        assert places <= window // run + 1
    first = order.indices(0, window)
    assert len(set(first // 1000)) > 4  # from many files
    assert np.abs(np.diff(first)).mean() > 1000  # and mixed: neighbours in the stream are far apart


def test_a_window_is_mixed_anew_in_each_epoch():
    order = Shuffled([64], run=32, window=63, seed=0)  # two runs only, which come in the same order now and then
    first = [tuple(order.mixed(epoch, 0)) for epoch in range(10)]
    assert len({tuple(np.argsort(each)) for each in first}) == 10


def test_the_window_after_a_position_is_the_one_that_is_read_next():
    order = Shuffled(FILES, run=8, window=64, seed=0)
    for first in range(0, 2 * IMAGES, 3):
        place = first % IMAGES
        begin = first + min(64 - place % 64, IMAGES - place)
        following = order.mixed(*order.after(first))
        assert np.array_equal(following, order.indices(begin, len(following)))


def test_every_picture_is_equally_likely_everywhere_in_a_whole_shuffle():
    counts = np.zeros((6, 6))
    for seed in range(600):
        counts[np.arange(6), Shuffled([4, 2], 2, 6, seed).indices(0, 6)] += 1
    assert np.abs(counts - 100).max() < 45  # standard deviation 9


def test_balanced_sampling_shows_every_class_equally_often():
    labels = np.repeat([0, 1, 5, 6], [1, 50, 7, 2])  # classes 2 to 4 have no picture
    order = Balanced(labels, seed=0)
    shown = order.indices(0, 4 * 100)
    assert np.array_equal(np.unique(labels[shown], return_counts=True)[1], [100] * 4)
    for number in range(100):  # once in each round, in an order of its own
        assert sorted(labels[shown[4 * number : 4 * number + 4]]) == [0, 1, 5, 6]
    assert len({tuple(labels[shown[4 * n : 4 * n + 4]]) for n in range(100)}) > 10


def test_balanced_sampling_shows_all_pictures_of_a_class_before_one_comes_again():
    labels = np.repeat([0, 1, 2], [3, 5, 22])
    order = Balanced(labels, seed=0)
    shown = order.indices(0, 3 * order.rounds)  # 10 rounds make an epoch
    for label, images in ((0, 3), (1, 5)):
        own = shown[labels[shown] == label]
        for start in range(0, 10 - images + 1, images):
            assert len(set(own[start : start + images])) == images
    later = order.indices(3 * order.rounds, 3 * order.rounds)
    assert not np.array_equal(shown[labels[shown] == 2], later[labels[later] == 2])


def test_a_positions_numbers_do_not_depend_on_where_the_range_begins():
    for draws in (1, 4, 5, 9):
        whole = uniform(0, 100, draws, seed=7, purpose="blur")
        assert whole.shape == (100, draws)
        assert np.array_equal(uniform(37, 20, draws, 7, "blur"), whole[37:57])
        assert not np.array_equal(uniform(0, 100, draws, 7, "crop"), whole)
        assert not np.array_equal(uniform(0, 100, draws, 8, "blur"), whole)


def test_numbers_are_uniform():
    drawn = uniform(10**12, 4000, 3, seed=1, purpose="x")
    assert drawn.min() >= 0 and drawn.max() < 1
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 0.03
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.08
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.08


def test_seeds_give_the_same_in_every_release():
    # A run that is resumed after an upgrade of NumPy, or on another machine, must see the same pictures.
    assert permutation(8, 1, "pictures", 2).tolist() == [5, 6, 2, 3, 7, 0, 1, 4]
    assert uniform(5, 1, 2, 1, "augment flip")[0].tolist() == [0.31073467446546055, 0.9745539023923379]


@pytest.mark.parametrize("seed", [-1, 1.5, True, "3", None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(BadArgument, match="seed must be a whole number"):
        check_seed(seed)
