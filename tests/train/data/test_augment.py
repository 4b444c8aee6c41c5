import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from common.errors import BadConfig
from train.data.augment import AUGMENTATIONS, build, colours
from train.data.augment.blur import Blur
from train.data.augment.colour import Colour
from train.data.augment.crop import Crop
from train.data.augment.cutout import Cutout
from train.data.augment.flip import Flip
from train.data.augment.grey import Grey
from train.data.augment.operations import OPERATIONS
from train.data.augment.randaugment import RandAugment
from train.data.augment.resolution import Resolution

LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)


@pytest.fixture
def smooth():
    small = np.random.default_rng(1).integers(60, 200, (4, 5, 3), np.uint8)
    return cv2.resize(small, (40, 30), interpolation=cv2.INTER_CUBIC)


def rounded(values):
    return np.clip(np.rint(values), 0, 255)


def close(picture, values, tolerance=1):
    return np.abs(picture.astype(np.float64) - values).max() <= tolerance


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_keeps_shape_and_type_and_leaves_its_input_alone(name, noise):
    augmentation = build({name: {"probability": 1}})[name]
    before = noise.copy()
    for number in (0.0, 0.3, 0.5, 0.999999):
        numbers = [number] * (1 + augmentation.draws)
        changed = augmentation(noise, numbers)
        assert changed.shape == noise.shape and changed.dtype == np.uint8
        assert np.array_equal(changed, augmentation(noise, numbers))
        assert np.array_equal(noise, before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_first_number_decides_whether_anything_is_done(name, noise):
    augmentation = build({name: {"probability": 0.25}})[name]
    rest = [0.9] * augmentation.draws
    assert not np.array_equal(augmentation(noise, [0.24, *rest]), noise)
    assert augmentation(noise, [0.25, *rest]) is noise
    assert build({name: {"probability": 0}})[name](noise, [0.0, *rest]) is noise


def test_they_are_applied_in_the_registrys_order_whatever_the_options_order():
    chosen = build({"cutout": True, "blur": True, "grey": False, "flip": {}, "crop": True})
    assert list(chosen) == ["flip", "crop", "blur", "cutout"]
    assert build({}) == {}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"blurr": True}, "augment: unknown key 'blurr'. Expected: blur, colour,"),
        ({"blur": {"sigmas": 1}}, "augment.blur: unknown key 'sigmas'. Expected: probability, sigma"),
        ({"blur": 0.5}, "augment.blur must be true, false or a mapping"),
        ({"blur": {"sigma": 2}}, "augment.blur.sigma must be two numbers from 0.01 to 50"),
        ({"blur": {"sigma": [2, 1]}}, "augment.blur.sigma .* the smaller one first"),
        ({"flip": {"probability": 1.1}}, "augment.flip.probability must be a number from 0 to 1, not 1.1"),
        ({"flip": {"probability": True}}, "augment.flip.probability"),
        ({"flip": {"probability": math.nan}}, "augment.flip.probability"),
        ({"crop": {"area": [0, 1]}}, "augment.crop.area"),
        ({"crop": {"ratio": [0.5, "2"]}}, "augment.crop.ratio"),
        ({"crop": {"resize": 1}}, "augment.crop.resize must be true or false"),
        ({"colour": {"hue": 0.6}}, "augment.colour.hue must be a number from 0 to 0.5"),
        ({"grey": {"strength": -1}}, "augment.grey.strength"),
        ({"cutout": {"size": None}}, "augment.cutout.size"),
        ({"cutout": {"fill": 256}}, "augment.cutout.fill"),
        ({"resolution": {"scale": [0.1, 1.5]}}, "augment.resolution.scale"),
        ({"randaugment": {"layers": 0}}, "augment.randaugment.layers"),
        ({"randaugment": {"magnitude": 31}}, "augment.randaugment.magnitude must be a number from 0 to 30"),
        ({"randaugment": {"operations": ["rotate", "spin"]}}, "augment.randaugment.operations: unknown 'spin'"),
        ({"randaugment": {"operations": "rotate"}}, "augment.randaugment.operations must be a list"),
        ([], "augment must be a mapping"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(chosen, message):
    with pytest.raises(BadConfig, match=message):
        build(chosen)


def test_lists_from_yaml_are_taken_for_ranges():
    assert build({"blur": {"sigma": [1, 2]}})["blur"].sigma == [1, 2]


def test_flip_mirrors(noise):
    assert np.array_equal(Flip().apply(noise, ()), noise[:, ::-1])


def test_crop_takes_the_part_that_its_numbers_say(noise):
    crop = Crop(area=(0.25, 0.81), ratio=(0.5, 2.0))
    random = np.random.default_rng(0)
    for numbers in random.random((200, 4)):
        top, left, tall, wide = crop.box(30, 40, numbers)
        assert 0 <= top <= 30 - tall and 0 <= left <= 40 - wide
        area, ratio = 0.25 + 0.56 * numbers[0], 0.5 * 4 ** numbers[1]
        assert tall == min(round(30 * (area / ratio) ** 0.5), 30) and wide == min(round(40 * (area * ratio) ** 0.5), 40)
    corners = [crop.box(30, 40, (0.5, 0.5, y, x))[:2] for y in (0, 0.9999) for x in (0, 0.9999)]
    top, left, tall, wide = crop.box(30, 40, (0.5, 0.5, 0.9999, 0.9999))
    assert corners == [(0, 0), (0, 40 - wide), (30 - tall, 0), (30 - tall, 40 - wide)]


def test_crop_is_enlarged_to_the_whole_or_left_where_it_was(noise):
    numbers = (0.3, 0.4, 0.5, 0.6)
    top, left, tall, wide = Crop().box(30, 40, numbers)
    part = noise[top : top + tall, left : left + wide]
    on_black = Crop(resize=False).apply(noise, numbers)
    assert np.array_equal(on_black[top : top + tall, left : left + wide], part)
    assert on_black.sum() == part.sum()
    enlarged = Crop().apply(noise, numbers).astype(float)
    pillow = np.asarray(Image.fromarray(part).resize((40, 30), Image.Resampling.BILINEAR)).astype(float)
    assert np.abs(enlarged - pillow).max() <= 3


def test_the_whole_picture_may_be_the_crop(noise):
    whole = Crop(area=(1, 1), ratio=(1, 1))
    assert np.array_equal(whole.apply(noise, (0.5, 0.5, 0.5, 0.5)), noise)


def test_colour_is_brightness_then_contrast_then_saturation_then_hue(smooth):
    colour = Colour(brightness=0.2, contrast=0.4, saturation=0.5, hue=0.1)
    for numbers in np.random.default_rng(0).random((20, 4)):
        light, contrast, saturation, turn = (2 * numbers - 1) * [0.2, 0.4, 0.5, 0.1]
        x = smooth.astype(np.float64) * (1 + light)
        middle = (x @ LUMA).mean()
        x = (x - middle) * (1 + contrast) + middle
        grey = (x @ LUMA)[..., None]
        x = grey + (x - grey) * (1 + saturation)
        angle, axis = turn * 2 * np.pi, np.ones(3) / 3**0.5  # Rodrigues' rotation of each colour
        x = x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) + axis * (x @ axis)[..., None] * (1 - np.cos(angle))
        assert close(colour.apply(smooth, numbers), rounded(x))


def test_a_third_of_a_turn_of_hue_makes_red_green():
    red = np.full((1, 1, 3), (200, 0, 0), np.uint8)
    assert np.array_equal(colours.apply(red, colours.hue(1 / 3))[0, 0], (0, 200, 0))


def test_grey_takes_the_colour_away(smooth):
    grey = (smooth @ LUMA)[..., None]
    assert close(Grey().apply(smooth, ()), rounded(grey + 0 * smooth))
    assert close(Grey(strength=0.5).apply(smooth, ()), rounded((grey + smooth) / 2))


def test_blur_is_gaussian_of_the_drawn_width_for_the_pictures_height():
    point = np.zeros((112, 112, 3), np.uint8)
    point[56, 56] = 255
    near = np.exp(-((np.arange(112) - 56.0) ** 2) / (2 * 1.5**2))
    expected = 255 * np.outer(near, near) / near.sum() ** 2
    assert close(Blur(sigma=(1, 2)).apply(point, (0.5,))[..., 0], expected, 1.5)
    larger = cv2.resize(point, (224, 224))
    assert np.array_equal(Blur(sigma=(1, 1)).apply(larger, (0,)), cv2.GaussianBlur(larger, (0, 0), 2))


def test_resolution_is_lost_by_the_drawn_factor(noise):
    lost = Resolution(scale=(0.1, 0.5)).apply(noise[:30, :30], (1 - 1e-9, 0.0))  # half, enlarged by repeating
    means = noise[:30, :30].reshape(15, 2, 15, 2, 3).mean(axis=(1, 3))
    assert close(lost, np.repeat(np.repeat(means, 2, 0), 2, 1))
    assert np.array_equal(Resolution(scale=(1, 1)).apply(noise, (0.5, 0.5)), noise)
    assert Resolution(scale=(0.01, 0.01)).apply(noise, (0.0, 0.9)).std(axis=(0, 1)).max() < 1  # one pixel is left


@pytest.mark.parametrize(("numbers", "rows", "columns"), [
    ((0.5, 0.5), (10, 20), (15, 25)), ((0, 0), (0, 5), (0, 5)), ((0.9999, 0.9999), (24, 30), (34, 40)),
])  # fmt: skip
def test_cutout_covers_a_square_around_the_drawn_centre(noise, numbers, rows, columns):
    covered = Cutout(size=1 / 3, fill=7).apply(noise, numbers)
    expected = noise.copy()
    expected[slice(*rows), slice(*columns)] = 7
    assert np.array_equal(covered, expected)


def test_randaugment_draws_operation_and_side_for_each_layer(noise):
    chosen = RandAugment(layers=2, magnitude=15, operations=["brightness", "rotate"])
    expected = OPERATIONS["rotate"](OPERATIONS["brightness"](noise, -0.5), 0.5)
    assert chosen.draws == 4
    assert np.array_equal(chosen.apply(noise, (0.49, 0.7, 0.51, 0.3)), expected)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("autocontrast", "equalize")])
def test_an_operation_of_strength_0_changes_nothing(name, noise):
    assert np.array_equal(OPERATIONS[name](noise, 0.0), noise)


def test_operations_are_those_of_pillow_that_the_paper_used(smooth):
    image = Image.fromarray(smooth)
    for level in (-1.0, -0.4, 0.6, 1.0):
        factor = 1 + 0.9 * level
        for name, kind in (("brightness", "Brightness"), ("contrast", "Contrast"), ("colour", "Color")):
            expected = np.asarray(getattr(ImageEnhance, kind)(image).enhance(factor)).astype(float)
            assert close(OPERATIONS[name](smooth, level), expected, 2.5), (name, level)
        inside = (slice(1, -1), slice(1, -1))  # Pillow leaves the border as it is
        expected = np.asarray(ImageEnhance.Sharpness(image).enhance(factor)).astype(float)
        assert close(OPERATIONS["sharpness"](smooth, level)[inside], expected[inside], 2.5)
    assert close(OPERATIONS["autocontrast"](smooth, 1.0), np.asarray(ImageOps.autocontrast(image)).astype(float), 1)
    assert np.array_equal(OPERATIONS["posterize"](smooth, -1.0), np.asarray(ImageOps.posterize(image, 4)))
    assert np.array_equal(OPERATIONS["solarize"](smooth, 0.5), np.asarray(ImageOps.solarize(image, 128)))
    equalized = OPERATIONS["equalize"](smooth, 1.0)
    assert np.bincount(equalized[..., 0].ravel() // 64, minlength=4).min() > 0.15 * equalized[..., 0].size


def test_operations_move_the_picture_as_far_as_they_say():
    dot = np.full((51, 51, 3), 128, np.uint8)
    dot[25, 35] = 255  # ten to the right of the centre

    def where(name, level):
        y, x = np.argwhere(OPERATIONS[name](dot, level)[..., 0] > 150).mean(axis=0)
        return y - 25, x - 25

    assert where("translate_x", -1.0) == pytest.approx((0, 10 - 51 * 100 / 331), abs=0.6)
    assert where("translate_y", 1.0) == pytest.approx((51 * 100 / 331, 10), abs=0.6)
    assert where("shear_y", 1.0) == pytest.approx((3, 10), abs=0.6)
    assert where("shear_x", 1.0) == pytest.approx((0, 10), abs=0.6)
    turned = where("rotate", 1.0)
    assert turned == pytest.approx((-10 * math.sin(math.pi / 6), 10 * math.cos(math.pi / 6)), abs=0.7)
