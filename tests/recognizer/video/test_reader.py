"""Video files as they really come: odd, damaged, hostile."""

import shutil
from fractions import Fraction
from itertools import islice

import cv2
import numpy as np
import pytest

from common.errors import BadArgument, BadVideo
from recognizer.video.reader import VideoReader
from recognizer.video.writer import VideoWriter
from tests.recognizer.video import clips

UNEVEN = [0, 1, 2, 12, 13, 40, 41, 41 + 1000, 1042, 1100]  # ticks


def read(path, **options):
    """The frames of a video as (time, ticks, picture), and what was wrong with it."""
    with VideoReader(path, **options) as reader:
        return [(frame.time, frame.ticks, frame.picture()) for frame in reader.frames()], reader.damage


def copied(path, out):
    """A video written again as it is, the way annotated ones are."""
    with VideoReader(path) as reader, VideoWriter(out, reader.tick, reader.rate, reader.audio) as writer:
        for item in reader.frames_and_sound():
            if hasattr(item, "picture"):
                writer.frame(item.picture(), item.ticks)
            else:
                writer.sound(item)
    return writer.notes


def corners(picture):
    """What stands in each corner, clockwise from the top left, by the names of ``clips.colours``."""
    height, width = picture.shape[:2]
    spots = [(height // 4, width // 4), (height // 4, 3 * width // 4), (3 * height // 4, 3 * width // 4),
             (3 * height // 4, width // 4)]  # fmt: skip
    names = {"blue": (220, 20, 20), "green": (20, 220, 20), "red": (20, 20, 220), "white": (230, 230, 230)}
    found = []
    for row, column in spots:
        here = picture[row, column].astype(int)
        found.append(min(names, key=lambda name: np.abs(here - np.array(names[name])).sum()))
    return found


@pytest.mark.parametrize("suffix, tick", [(".mp4", Fraction(1, 30)), (".mp4", Fraction(1, 90000)),
                                          (".mp4", Fraction(1001, 30000)), (".mkv", Fraction(1, 30))])  # fmt: skip
def test_the_times_of_a_variable_frame_rate_are_kept(tmp_path, suffix, tick):
    path = clips.write(tmp_path / f"in{suffix}", [clips.colours()] * len(UNEVEN), UNEVEN, tick)
    frames, damage = read(path)
    millisecond = 0.0005 if suffix == ".mkv" else 1e-9  # Matroska counts in those
    assert [time for time, _, _ in frames] == pytest.approx([float(each * tick) for each in UNEVEN], abs=millisecond)
    assert damage == []
    copied(path, tmp_path / "out.mp4")
    assert [time for time, _ in clips.shown(tmp_path / "out.mp4")] == [time for time, _ in clips.shown(path)]


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_a_rotated_file_is_upright_as_opencv_shows_it_too(tmp_path, rotation):
    path = clips.write(tmp_path / "in.mp4", [clips.colours()] * 3, rotation=rotation)
    [first, *_], _ = read(path)
    capture = cv2.VideoCapture(str(path))  # turns by itself
    expected = capture.read()[1]
    capture.release()
    assert first[2].shape == expected.shape
    assert corners(first[2]) == corners(expected)
    copied(path, tmp_path / "out.mp4")
    assert corners(clips.shown(tmp_path / "out.mp4")[0][1]) == corners(expected)


def test_wide_pixels_become_square_ones(tmp_path):
    path = clips.write(tmp_path / "in.mp4", [clips.colours((96, 64))] * 3, shape=Fraction(4, 3))
    frames, _ = read(path)
    assert frames[0][2].shape == (64, 128, 3)


def test_odd_sides_are_read_and_written(tmp_path):
    with VideoWriter(tmp_path / "odd.mp4", Fraction(1, 25)) as writer:
        for i in range(5):
            writer.frame(clips.colours((97, 65)), i)
    pictures = [picture for _, picture in clips.shown(tmp_path / "odd.mp4")]
    assert [picture.shape for picture in pictures] == [(66, 98, 3)] * 5
    assert corners(pictures[0]) == ["blue", "green", "white", "red"]


def test_colours_are_kept(tmp_path):
    path = clips.write(tmp_path / "in.mp4", [clips.colours()] * 3)
    copied(path, tmp_path / "out.mp4")
    before, after = clips.shown(path)[0][1].astype(int), clips.shown(tmp_path / "out.mp4")[0][1].astype(int)
    for row, column in ((10, 10), (10, 80), (50, 10), (50, 80)):
        assert np.abs(before[row, column] - after[row, column]).max() <= 6


def test_sound_is_copied_in_time(tmp_path):
    path = clips.write(tmp_path / "in.mp4", [clips.colours()] * 50, sound=1.9)
    assert copied(path, tmp_path / "out.mp4") == []
    before, after = clips.packets_of_sound(path), clips.packets_of_sound(tmp_path / "out.mp4")
    assert len(before) > 20 and [data for _, data in before] == [data for _, data in after]
    late = [float(now - then) for (then, _), (now, _) in zip(before, after)]
    shift = float(clips.shown(tmp_path / "out.mp4")[0][0] - clips.shown(path)[0][0])
    assert late == pytest.approx([shift] * len(late), abs=1e-3)


def test_sound_that_the_container_cannot_hold_is_left_out_and_named(tmp_path):
    with clips.av.open(str(tmp_path / "in.mov"), "w") as file:
        video, audio = file.add_stream("libx264", rate=25), file.add_stream("pcm_alaw", rate=16000, layout="mono")
        video.height, video.width, video.pix_fmt = 64, 96, "yuv420p"
        silence = clips.av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        silence.sample_rate, silence.pts, silence.time_base = 16000, 0, Fraction(1, 16000)
        file.mux(audio.encode(silence))
        for i in range(5):
            image = clips.av.VideoFrame.from_ndarray(clips.colours(), format="bgr24")
            image.pts = i
            file.mux(video.encode(image))
        file.mux(video.encode(None))
    [note] = copied(tmp_path / "in.mov", tmp_path / "out.mp4")
    assert "pcm_alaw" in note and ".mov" in note
    assert len(clips.shown(tmp_path / "out.mp4")) == 5
    assert copied(tmp_path / "in.mov", tmp_path / "out.mov") == []
    assert clips.packets_of_sound(tmp_path / "out.mov")


def noise(count):
    """Pictures that do not compress, so that a part of the file is a part of the video."""
    rng = np.random.default_rng(1)
    return [rng.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("suffix, options", [(".mp4", {"movflags": "faststart"}), (".mkv", {}), (".ts", {})])
def test_a_file_that_is_cut_short_gives_what_is_there_and_says_so(tmp_path, suffix, options):
    whole = clips.write(tmp_path / f"in{suffix}", noise(100), options=options)
    pictures = [picture for _, picture in clips.shown(whole)]
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    frames, damage = read(cut)
    assert 40 <= len(frames) <= 60
    for (_, _, picture), expected in zip(frames[:-1], pictures):
        np.testing.assert_array_equal(picture, expected)
    if suffix != ".ts":  # which has no length that could be missed
        assert any("up to" in each for each in damage)
    copied(cut, tmp_path / "out.mp4")
    assert len(clips.shown(tmp_path / "out.mp4")) == len(frames)


@pytest.mark.parametrize("suffix, options", [(".mp4", {"movflags": "faststart"}), (".mkv", {}), (".ts", {}),
                                             (".avi", {})])  # fmt: skip
def test_damage_in_the_middle_costs_only_what_is_damaged_and_is_told(tmp_path, suffix, options):
    path = clips.write(tmp_path / f"in{suffix}", noise(100), options=options)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    frames, damage = read(path)
    assert 80 <= len(frames) <= 100 and frames[-1][0] == pytest.approx(99 / 25, abs=0.05)
    assert any("could not be decoded" in each or "spoilt in part" in each for each in damage)


class FailingDisk:
    """A file that cannot be read any further after so many packets."""

    def __init__(self, file, packets):
        self._file, self._packets = file, packets

    def __getattr__(self, name):
        return getattr(self._file, name)

    def demux(self, *streams):
        yield from islice(self._file.demux(*streams), self._packets)
        raise clips.av.FFmpegError(5, "Input/output error")


def test_a_disk_that_fails_gives_what_was_read_before_and_says_so(tmp_path):
    path = clips.write(tmp_path / "in.mp4", [clips.colours()] * 30)
    with VideoReader(path) as reader:
        reader._file = FailingDisk(reader._file, 20)
        assert len(list(reader.frames())) == 20
        assert reader.damage == ["it could be read up to 0.76 s only"]


def test_times_that_start_anew_in_spliced_recordings_go_on(tmp_path):
    one = clips.write(tmp_path / "one.ts", [clips.colours()] * 20)
    two = clips.write(tmp_path / "two.ts", [clips.colours((64, 48))] * 20)
    (tmp_path / "both.ts").write_bytes(one.read_bytes() + two.read_bytes())
    frames, _ = read(tmp_path / "both.ts")
    times = [time for time, _, _ in frames]
    assert len(times) >= 38 and all(after > before for before, after in zip(times, times[1:]))
    assert times[-1] == pytest.approx(39 / 25, abs=0.1)
    assert {picture.shape for _, _, picture in frames} == {(64, 96, 3)}  # of one size, as a file must be
    copied(tmp_path / "both.ts", tmp_path / "out.mp4")
    assert len(clips.shown(tmp_path / "out.mp4")) == len(frames)


def test_a_part_has_exactly_the_frames_shown_in_it(tmp_path):
    path = clips.write(tmp_path / "in.mp4", [clips.colours()] * 50)  # a key frame every ten
    for start, end in ((0.0, 0.2), (0.5, 0.9), (1.9, None)):
        frames, _ = read(path, start=start, end=end)
        expected = [i / 25 for i in range(50) if start <= i / 25 < (end or 9)]
        assert [time for time, _, _ in frames] == pytest.approx(expected)
        assert [ticks / 12800 for _, ticks, _ in frames] == pytest.approx([each - start for each in expected])
    with pytest.raises(BadVideo, match="nothing from 5 s on"):
        read(path, start=5)
    with pytest.raises(BadArgument):
        read(path, start=2, end=1)


@pytest.mark.parametrize("content", [b"", b"no video at all\n" * 100, b"\0" * 5000, b"GIF89a"], ids=len)
def test_a_file_that_is_no_video_is_one_clear_error(tmp_path, content):
    (tmp_path / "in.mp4").write_bytes(content)
    with pytest.raises(BadVideo, match="in.mp4"):
        read(tmp_path / "in.mp4")


def test_a_file_of_sound_alone_is_no_video(tmp_path):
    with clips.av.open(str(tmp_path / "in.m4a"), "w", format="mp4") as file:
        for packet in clips.tone(file.add_stream("aac", rate=16000, layout="mono"), 0.5):
            file.mux(packet)
    with pytest.raises(BadVideo, match="no video stream"):
        read(tmp_path / "in.m4a")


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "missing.mp4", tmp_path / "folder", "/dev/zero", "http://127.0.0.1/x.mp4"):
        with pytest.raises(BadVideo, match="regular file|No such video"):
            read(path)


@pytest.mark.parametrize("name, script", [
    ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{path}\n#EXT-X-ENDLIST\n"),
    ("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{path}\n#EXT-X-ENDLIST\n"),
    ("list.txt", "ffconcat version 1.0\nfile {path}\n"),
    ("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"),
])  # fmt: skip
def test_playlists_and_scripts_cannot_reach_other_files(tmp_path, monkeypatch, name, script):
    monkeypatch.chdir(tmp_path)
    clips.write(tmp_path / "secret.mp4", [clips.colours()] * 3)
    (tmp_path / name).write_text(script.format(path="secret.mp4"))
    with pytest.raises(BadVideo):
        read(tmp_path / name)


def test_a_name_that_looks_like_an_address_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = clips.write(tmp_path / "x.mp4", [clips.colours()] * 3)
    shutil.move(made, "concat:x.mp4")
    assert len(read("concat:x.mp4")[0]) == 3


def test_frames_larger_than_a_picture_may_be_are_not_decoded(tmp_path, monkeypatch):
    path = clips.write(tmp_path / "in.mp4", [clips.colours((96, 64))] * 3)
    monkeypatch.setenv("RECOGNIZER_MAX_PIXELS", str(96 * 64 - 1))
    with pytest.raises(BadVideo, match="96x64.*RECOGNIZER_MAX_PIXELS"):
        read(path)


def test_frames_that_grow_beyond_the_limit_later_on_are_left_out(tmp_path, monkeypatch):
    small = clips.write(tmp_path / "one.ts", [clips.colours((96, 64))] * 20)
    large = clips.write(tmp_path / "two.ts", [clips.colours((640, 480))] * 20)
    (tmp_path / "both.ts").write_bytes(small.read_bytes() + large.read_bytes())
    monkeypatch.setenv("RECOGNIZER_MAX_PIXELS", str(320 * 240))
    with VideoReader(tmp_path / "both.ts") as reader:
        sizes = {(frame._decode.args[0].width, frame._decode.args[0].height) for frame in reader.frames()}
    assert sizes == {(96, 64)}
    assert any("could not be decoded" in each for each in reader.damage)
