"""Every kind of file and array that people hand over as a picture: read right, or one clear error."""

import io
import os
import struct
import threading
import time
import warnings
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from common.errors import BadArgument, BadPicture
from mtcnn.pictures import MAX_PIXELS, picture_files, read_picture

pytestmark = [  # Pillow's, on damaged metadata and on sizes that are refused a moment later
    pytest.mark.filterwarnings("ignore::UserWarning:PIL"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]

# A picture of which every orientation differs, in RGB: red, green / blue, white / black, yellow.
QUARTERS = np.array(
    [
        [[255, 0, 0], [0, 255, 0]],
        [[0, 0, 255], [255, 255, 255]],
        [[0, 0, 0], [255, 255, 0]],
    ],
    np.uint8,
)
RGB = QUARTERS.repeat(16, axis=0).repeat(16, axis=1)
BGR = RGB[:, :, ::-1]


def encoded(image, form, **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def photo(form="JPEG", **options):
    return encoded(Image.fromarray(RGB), form, **options)


def png(width, height, depth, colour, rows):
    """A PNG written by hand: Pillow and OpenCV cannot write every kind that they read."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def refusal(img):
    with pytest.raises(BadPicture) as caught:
        read_picture(img)
    return str(caught.value)


# What is refused


def test_missing_file(tmp_path):
    assert "No such picture" in refusal(tmp_path / "none.jpg")


def test_folder(tmp_path):
    assert "folder" in refusal(tmp_path)
    assert "folder" in refusal("")  # the working folder


def test_path_too_long_for_the_file_system(tmp_path):
    assert "cannot be read" in refusal(str(tmp_path / ("n" * 5000)))


def test_path_with_a_nul_byte():
    refusal("face\0.jpg")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_file_without_permission(tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(photo())
    path.chmod(0)
    assert "cannot be read" in refusal(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    waiting = threading.Thread(target=lambda: refusal(tmp_path / "pipe.jpg"), daemon=True)
    waiting.start()
    waiting.join(5)
    assert not waiting.is_alive()


@pytest.mark.parametrize(
    "content", [b"", b"Dear Sir or Madam,\n" * 100, b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_whatever_its_name(tmp_path, content):
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    assert str(path) in refusal(path)
    refusal(content)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_file(form, kept):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    content = encoded(Image.fromarray(noise), form)
    refusal(content[: int(len(content) * kept)])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_damaged_files_raise_nothing_but_bad_picture(form):
    exif = Image.Exif()
    exif[0x0112] = 6
    content = photo(form, **({} if form == "GIF" else {"exif": exif}))
    random = np.random.default_rng(3)
    for _ in range(150):
        damaged = bytearray(content)
        for place in random.integers(0, min(len(content), 2 ** random.integers(4, 12)), 3):
            damaged[place] = random.integers(256)
        try:
            picture = read_picture(bytes(damaged))
        except BadPicture:
            continue
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


def test_huge_picture_is_refused_from_its_header():
    side = 20_000
    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9)  # 50 MB of rows in 50 kB
    content = png(side, side, 1, 0, rows)
    resource = pytest.importorskip("resource", reason="this system does not tell how much memory was used")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()  # others may be at work
    message = refusal(content)
    assert time.process_time() - started < 0.3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000  # kB; decoded, it is 400,000
    assert str(MAX_PIXELS) in message and "RECOGNIZER_MAX_PIXELS" in message


@pytest.mark.parametrize("claimed", [(60_000, 60_000), (32_001, 10)])
def test_gif_frame_larger_than_its_screen_is_refused(claimed):
    content = bytearray(photo("GIF"))
    frame = content.index(b"\x2c", 13 + 3 * 2 ** ((content[10] & 7) + 1))
    content[frame + 5 : frame + 9] = struct.pack("<HH", *claimed)
    refusal(bytes(content))


def test_png_whose_text_is_a_bomb():
    bomb = zlib.compress(bytes(50_000_000), 9)
    content, text = photo("PNG"), b"zTXtname\0\0" + bomb
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    refusal(content[:33] + chunk + content[33:])


def test_limit_of_pixels_can_be_moved_both_ways(monkeypatch):
    content = photo("PNG")
    monkeypatch.setenv("RECOGNIZER_MAX_PIXELS", str(48 * 32 - 1))
    assert "48" in refusal(content)
    refusal(BGR)
    monkeypatch.setenv("RECOGNIZER_MAX_PIXELS", str(48 * 32))
    assert read_picture(content).shape == (48, 32, 3)
    monkeypatch.setenv("RECOGNIZER_MAX_PIXELS", "many")
    with pytest.raises(BadArgument, match="RECOGNIZER_MAX_PIXELS.*many"):
        read_picture(content)


def test_raised_limit_reaches_beyond_pillow_s_own(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # Pillow refuses from twice as many
    monkeypatch.setenv("RECOGNIZER_MAX_PIXELS", "2000")
    assert read_picture(photo("PNG")).shape == (48, 32, 3)


def test_reading_does_not_take_pillow_s_limit_from_other_code():
    read_picture(photo("PNG"))
    assert Image.MAX_IMAGE_PIXELS is not None and Image.MAX_IMAGE_PIXELS <= MAX_PIXELS


def test_reading_in_threads_leaves_the_warnings_of_the_process_alone():
    content, before = photo("PNG"), list(warnings.filters)
    threads = [threading.Thread(target=lambda: [read_picture(content) for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_renamed_postscript_is_never_handed_to_an_interpreter(tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {ran}\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    path = tmp_path / "face.jpg"
    path.write_bytes(eps)
    assert "not a picture" in refusal(path)
    assert not ran.exists()


@pytest.mark.parametrize(
    "thing", [None, 5, 1.5, [1, 2], [[0, 0], [0, 0]], {"a": 1}, object(), Image.fromarray(RGB)]
)
def test_other_objects_are_named_in_the_error(thing):
    assert type(thing).__name__ in refusal(thing)


# What is read


def test_lossless_files_give_bgr_of_the_same_values(tmp_path):
    for form in ("PNG", "BMP", "TIFF", "PPM"):
        path = tmp_path / f"face.{form.lower()}"
        path.write_bytes(photo(form))
        for given in (path, str(path), photo(form), bytearray(photo(form)), memoryview(photo(form))):
            picture = read_picture(given)
            assert picture.dtype == np.uint8 and picture.flags.c_contiguous
            np.testing.assert_array_equal(picture, BGR)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF"])
def test_lossy_files_give_bgr_of_about_the_same_values(form):
    found = read_picture(photo(form, quality=95)).astype(int)
    assert np.abs(found - BGR)[4:12, 4:12].max() < 12
    assert np.abs(found - BGR).mean() < 10


def test_gif_gives_its_first_frame():
    first, second = Image.fromarray(RGB).convert("P"), Image.new("P", (32, 48))
    content = encoded(first, "GIF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(read_picture(content), BGR)


def test_single_pixel():
    for form in ("PNG", "JPEG", "GIF", "WEBP"):
        assert read_picture(encoded(Image.new("RGB", (1, 1), "white"), form)).shape == (1, 1, 3)


def test_grey_is_expanded():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = grey[:, :, None].repeat(3, axis=2)
    np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(grey), "PNG")), expected)
    for array in (grey, grey[:, :, None]):
        np.testing.assert_array_equal(read_picture(array), expected)


def test_one_bit_picture_is_black_and_white():
    bits = np.indices((8, 16)).sum(0) % 2 == 0
    found = read_picture(encoded(Image.fromarray(bits), "PNG"))
    np.testing.assert_array_equal(found, (bits * 255)[:, :, None].repeat(3, axis=2))


def test_palette():
    np.testing.assert_array_equal(read_picture(photo("GIF")), BGR)
    np.testing.assert_array_equal(read_picture(encoded(Image.fromarray(RGB).convert("P"), "PNG")), BGR)


@pytest.mark.parametrize("transparency", [0, bytes([0])])
def test_palette_with_transparency_is_laid_on_white(transparency):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([200, 10, 20, 30, 40, 50])
    image.putpixel((1, 2), 1)
    found = read_picture(encoded(image, "PNG", transparency=transparency))
    assert found[2, 1].tolist() == [50, 40, 30]
    assert found[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_laid_on_white(mode):
    colours = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    if mode == "LA":
        colours = colours[:, :, :1].repeat(3, axis=2)
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    expected = np.rint(colours * (alpha / 255) + 255 * (1 - alpha / 255))[:, :, ::-1]
    image = Image.fromarray(np.concatenate([colours, alpha], axis=2)).convert(mode)
    found = read_picture(encoded(image, "PNG"))
    assert np.abs(found - expected).max() <= 1
    bgra = np.concatenate([colours[:, :, ::-1], alpha], axis=2)
    assert np.abs(read_picture(bgra) - expected).max() <= 1


def test_16_bit_grey_is_scaled():
    wide = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    expected = np.rint(wide / 257)[:, :, None].repeat(3, axis=2)
    content = [encoded(Image.fromarray(wide), form) for form in ("PNG", "TIFF")]
    content.append(b"P5 16 16 65535\n" + wide.astype(">u2").tobytes())
    for given in (*content, wide, wide[:, :, None]):
        assert np.abs(read_picture(given) - expected).max() <= 1


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bit_colour_and_alpha_are_scaled(colour, channels):
    wide = np.random.default_rng(2).integers(0, 65536, (8, 8, channels), np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    found = read_picture(png(8, 8, 16, colour, zlib.compress(rows)))
    values = wide / 257
    colours = values[:, :, :3] if channels > 2 else values[:, :, :1].repeat(3, axis=2)
    share = values[:, :, -1:] / 255 if channels in (2, 4) else 1
    assert np.abs(found - (colours * share + 255 * (1 - share))[:, :, ::-1]).max() <= 2


def test_uint16_array_is_scaled():
    wide = BGR.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_picture(wide), BGR)


@pytest.mark.parametrize("marked", [True, False])
def test_cmyk_jpeg_has_the_right_colours(marked):
    """Photoshop stores CMYK inverted and adds an Adobe marker; inverted it is, marker or not."""
    content = encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in content
    if not marked:
        start = content.index(b"\xff\xee")
        content = content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4]) :]
    found = read_picture(content).astype(int)
    assert np.abs(found - BGR)[8::16, 8::16].max() < 16


def turned(orientation):
    """What the sensor recorded when the picture to be shown is RGB, by the table of the EXIF standard."""
    return {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB, -1),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation, form):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(np.ascontiguousarray(turned(orientation))), form, exif=exif)
    found = read_picture(content).astype(int)
    assert found.shape == BGR.shape
    assert np.abs(found[8::16, 8::16] - BGR[8::16, 8::16]).max() < 12
    if form == "JPEG":
        in_opencv = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(found - in_opencv).max() < 12


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_unknown_orientation_is_passed_over(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(read_picture(photo("PNG", exif=exif)), BGR)


# Arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool, np.int64, np.int8, np.uint32, object, "U1"])
def test_arrays_of_other_types_are_refused(dtype):
    assert "uint8" in refusal(np.zeros((8, 8, 3), dtype))


@pytest.mark.parametrize(
    "shape", [(), (8,), (8, 8, 2), (8, 8, 5), (3, 8, 8), (1, 8, 8, 3), (0, 8, 3), (8, 0), (0, 0, 3)]
)
def test_arrays_of_other_shapes_are_refused(shape):
    assert str(list(shape)[-1:])[1:-1] in refusal(np.zeros(shape, np.uint8))


def test_non_contiguous_array_is_read_in_its_order():
    wide = np.random.default_rng(4).integers(0, 256, (20, 30, 3), np.uint8)
    for view in (wide[::2, ::-1], wide[:, :, ::-1], wide.transpose(1, 0, 2), np.asfortranarray(wide)):
        found = read_picture(view)
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, view)


def test_read_only_array_is_accepted():
    picture = BGR.copy()
    picture.flags.writeable = False
    np.testing.assert_array_equal(read_picture(picture), BGR)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # NumPy's, on its matrix
def test_matrices_and_masked_arrays_are_read_as_what_they_hold():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = grey[:, :, None].repeat(3, axis=2)
    for array in (np.asmatrix(grey), np.ma.array(grey, mask=grey > 7)):
        found = read_picture(array)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, expected)


def test_array_too_long_for_resampling_is_refused():
    assert "32001" in refusal(np.zeros((1, 32_001, 3), np.uint8))


# Folders


def test_picture_files_are_sorted_and_leave_out_what_is_no_picture(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg", "c.jpeg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in picture_files(tmp_path)] == ["a.png", "b.JPG", "c.jpeg"]
