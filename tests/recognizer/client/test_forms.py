"""Forms are sent piece by piece, as often as it takes, and their files keep their names."""

import io
import tracemalloc

import pytest

from common.errors import BadArgument
from recognizer.client.forms import Form

MEGABYTE = 2**20


def test_a_form_is_as_long_as_it_says_and_the_same_each_time(tmp_path):
    path = tmp_path / "é.jpg"
    path.write_bytes(b"\xff\xd8" * 1000)
    opened = io.BytesIO(b"123456")
    opened.seek(2)
    form = Form({"name": "Ann Lée"}, [("photos", path), ("photos", b"abc"), ("photos", opened)])
    first, second = b"".join(form), b"".join(form)
    assert first == second and len(form) == len(first)
    assert (
        first.count(b"Content-Disposition") == 4 and b"3456\r\n" in first and b"12" not in first.split(b"3456")[0][-4:]
    )
    assert 'filename="é.jpg"'.encode() in first and "\r\n\r\nAnn Lée\r\n".encode() in first


@pytest.mark.parametrize("name", ['a"b.jpg', "a\nb.jpg", "a\r\n\r\nb.jpg", "写真.jpg", "a;b=c.jpg", "\udcff.jpg"])
def test_the_name_of_a_file_cannot_break_the_form(client, photos, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(photos.obama.read_bytes())
    [found] = client.detect(path).photos
    assert len(found.faces) == 1 and found.photo.isprintable()
    if name.isascii() and name.isprintable() and '"' not in name or name == "写真.jpg":
        assert found.photo == name


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path):
    path = tmp_path / "video"
    with path.open("wb") as file:
        file.truncate(64 * MEGABYTE)
    form = Form({}, [("video", path)])
    tracemalloc.start()
    try:
        assert sum(map(len, form)) == len(form) > 64 * MEGABYTE
        assert tracemalloc.get_traced_memory()[1] < 2 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_what_cannot_be_read_again_is_read_once_and_what_shrinks_is_told(tmp_path):
    class Pipe(io.RawIOBase):
        left = [b"abc", b"def", b""]

        def readable(self):
            return True

        def readinto(self, into):
            piece = self.left.pop(0)
            into[: len(piece)] = piece
            return len(piece)

    form = Form({}, [("video", Pipe())])
    assert b"abcdef" in b"".join(form) and b"".join(form) == b"".join(form)
    path = tmp_path / "video"
    path.write_bytes(b"x" * 100)
    form = Form({}, [("video", path)])
    path.write_bytes(b"x" * 50)
    with pytest.raises(BadArgument, match="shorter"):
        b"".join(form)
    path.unlink()
    with pytest.raises(BadArgument, match="no file"):
        b"".join(form)
