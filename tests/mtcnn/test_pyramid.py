"""The pyramid on one canvas: every cell of P-Net's map must stand for one window of one level."""

import cv2
import numpy as np
import pytest

from mtcnn import pyramid

SIZES = [
    (480, 640),
    (640, 480),
    (1080, 1920),
    (40, 40),
    (41, 333),
    (3000, 45),
    (45, 3000),
    (97, 101),
    (2001, 1999),
]
OPTIONS = [(40, 0.709), (20, 0.709), (12, 0.5), (64.5, 0.9), (40, 0.1)]


def plans():
    for height, width in SIZES:
        for smallest, factor in OPTIONS:
            plan = pyramid.layout(height, width, smallest, factor)
            if plan is not None:
                yield height, width, smallest, factor, plan


def test_levels_are_those_of_the_plain_pyramid():
    for height, width, smallest, factor, plan in plans():
        expected, scale = [], 12 / smallest
        while min(height, width) * scale >= 12:
            expected.append(scale)
            scale *= factor
        np.testing.assert_allclose([level.scale for level in plan.levels], expected)
        for level in plan.levels:
            assert (
                abs(level.width - width * level.scale) <= 0.5
                and abs(level.height - height * level.scale) <= 0.5
            )
            assert min(level.width, level.height) >= 12


def test_levels_lie_within_the_canvas_and_do_not_overlap():
    for *_, plan in plans():
        taken = np.zeros(plan.shape, np.uint8)
        for level in plan.levels:
            assert level.row + level.width <= plan.shape[0] and level.column + level.height <= plan.shape[1]
            taken[level.row : level.row + level.width, level.column : level.column + level.height] += 1
        assert taken.max() == 1


def test_every_window_of_every_level_has_one_cell_and_no_cell_looks_across_an_edge():
    for *_, plan in plans():
        owner = np.full(plan.shape, -1)
        for index, level in enumerate(plan.levels):
            owner[level.row : level.row + level.width, level.column : level.column + level.height] = index
        rows, columns = ((side - 12) // 2 + 1 for side in plan.shape)
        assert plan.cell_level.shape == (rows, columns)
        found = np.zeros(len(plan.levels), int)
        for row, column in np.argwhere(plan.cell_level >= 0)[:: max(1, plan.cell_level.size // 3000)]:
            window = owner[2 * row : 2 * row + 12, 2 * column : 2 * column + 12]
            assert (window == plan.cell_level[row, column]).all()
        for index, level in enumerate(plan.levels):
            found[index] = (plan.cell_level == index).sum()
            assert found[index] == ((level.width - 12) // 2 + 1) * ((level.height - 12) // 2 + 1)


@pytest.mark.parametrize(("height", "width"), [(300, 420), (420, 300), (60, 700)])
def test_a_bright_patch_is_found_where_it_was_planted(height, width):
    """In every level the brightest window, mapped back as a candidate is, covers the patch."""
    plan = pyramid.layout(height, width, 40, 0.709)
    random = np.random.default_rng(height)
    for index, level in enumerate(plan.levels):
        side = 12 / level.scale
        x, y = random.uniform(0, width - side), random.uniform(0, height - side)
        picture = np.zeros((height, width, 3), np.uint8)
        picture[round(y) : round(y + side), round(x) : round(x + side)] = 255
        canvas = pyramid.draw(pyramid.halvings(picture), plan)[0, :, :, 0]
        sums = cv2.boxFilter(canvas.astype(np.float32), -1, (12, 12), anchor=(0, 0), normalize=False)
        windows = np.where(plan.cell_level == index, sums[: 2 * len(plan.cell_level) : 2, ::2][
            : plan.cell_level.shape[0], : plan.cell_level.shape[1]], -1)  # fmt: skip
        row, column = np.unravel_index(windows.argmax(), windows.shape)
        left = (2 * row - level.row) / level.scale
        top = (2 * column - level.column) / level.scale
        assert abs(left - x) <= 1.5 / level.scale and abs(top - y) <= 1.5 / level.scale


def test_canvas_holds_each_level_transposed_and_nothing_else():
    picture = np.random.default_rng(0).integers(1, 256, (90, 130, 3), np.uint8)
    plan = pyramid.layout(90, 130, 12, 0.709)
    canvas = pyramid.draw(pyramid.halvings(picture), plan)
    assert canvas.shape == (1, *plan.shape, 3) and canvas.dtype == np.uint8
    rest = canvas[0].copy()
    for level in plan.levels:
        place = slice(level.row, level.row + level.width), slice(level.column, level.column + level.height)
        if level.scale == 1:
            np.testing.assert_array_equal(canvas[0][place], picture.transpose(1, 0, 2))
        rest[place] = 0
    assert not rest.any()


def test_levels_resemble_an_area_mean_of_the_picture():
    picture = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (720, 960, 3), np.uint8), (0, 0), 6)
    picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
    plan = pyramid.layout(720, 960, 40, 0.709)
    canvas = pyramid.draw(pyramid.halvings(picture), plan)[0]
    for level in plan.levels[:5]:
        drawn = canvas[level.row : level.row + level.width, level.column : level.column + level.height]
        mean = cv2.resize(picture, (level.width, level.height), interpolation=cv2.INTER_AREA)
        assert np.abs(drawn.astype(int) - mean.transpose(1, 0, 2)).mean() < 4


@pytest.mark.parametrize(("height", "width"), [(39, 500), (500, 39), (1, 1), (12, 12)])
def test_a_picture_smaller_than_a_face_has_no_pyramid(height, width):
    assert pyramid.layout(height, width, 40, 0.709) is None


def test_a_picture_as_small_as_a_face_has_one_level():
    plan = pyramid.layout(40, 40, 40, 0.709)
    assert [(level.width, level.height) for level in plan.levels] == [(12, 12)]


def test_halvings_are_means_of_two_by_two_pixels():
    picture = np.random.default_rng(2).integers(0, 256, (201, 122, 3), np.uint8)
    halves = pyramid.halvings(picture)
    assert [half.shape[:2] for half in halves] == [(201, 122), (100, 61), (50, 30)]
    for larger, smaller in zip(halves, halves[1:]):
        height, width = smaller.shape[:2]
        mean = larger[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean((1, 3))
        assert np.abs(mean - smaller).max() <= 1


def test_a_level_is_drawn_from_the_smallest_half_that_is_not_smaller():
    for scale, expected in [(1, 0), (0.51, 0), (0.5, 1), (0.3, 1), (0.25, 2), (0.1, 3), (0.001, 3)]:
        assert pyramid.halving_for(scale, 4) == expected
