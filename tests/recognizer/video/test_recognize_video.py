"""Who is in a video: named right, for as long as they are in sight, and written whole or not at all."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from common.errors import BadArgument, Cancelled, MissingDependency
from recognizer import Recognizer
from recognizer.draw import KNOWN
from recognizer.video import recognize_video
from recognizer.video.tracker import iou
from tests.recognizer.video import clips
from tests.recognizer.video.conftest import ENTERS, FRAMES, LEAVES, SIZE

STEP = 3 / clips.RATE  # seconds between examined frames


def in_sight(result, time):
    return [face for track in result.tracks if (face := track.at(time)) is not None]


def overlap(box, other):
    return float(iou(np.array([box]), np.array([other]))[0, 0])


def green(pixels):
    """The share of pixels in the colour of known people, as far as video keeps colours."""
    return float((np.abs(pixels.astype(int) - np.array(KNOWN[::-1])).sum(axis=2) < 60).mean())


def test_known_people_are_named_right_in_nine_of_ten_frames_in_which_they_are_seen(clip, result):
    right, seen = 0, 0
    for time in clip.times():
        for name, box in clip.boxes(time).items():
            seen += 1
            right += any(face.name == name and overlap(face.box, box) > 0.5 for face in in_sight(result, time))
    assert seen == FRAMES + round((LEAVES - ENTERS) * clips.RATE)
    assert right >= 0.9 * seen


def test_nobody_is_named_who_is_not_in_sight(clip, result):
    for time in clip.times():
        margin = clip.boxes(time - STEP) | clip.boxes(time) | clip.boxes(time + STEP)
        assert {face.name for face in in_sight(result, time) if face.name} <= set(margin)


def test_each_person_is_one_track_from_when_they_come_to_when_they_go(result):
    tracks = {track.name: track for track in result.tracks}
    assert sorted(tracks) == ["Biden", "Obama"] and len(result.tracks) == 2
    assert tracks["Obama"].first == 0 and tracks["Obama"].last >= (FRAMES - 1) / clips.RATE - STEP
    assert ENTERS <= tracks["Biden"].first <= ENTERS + STEP and LEAVES - 2 * STEP <= tracks["Biden"].last < LEAVES
    assert result.people()["Biden"] == pytest.approx(tracks["Biden"].last - tracks["Biden"].first)


def test_a_track_is_named_by_the_weighted_mean_of_its_best_faces(named, clip, result):
    for track in result.tracks:
        assert track.recognition.similarity >= named.threshold
        assert track.recognition.runner_up.name != track.name
        assert track.best_time in track.times
        at_best = track.at(track.best_time)
        assert overlap(at_best.box, clip.boxes(track.best_time)[track.name]) > 0.5
        np.testing.assert_array_equal(at_best.box, track.recognition.box)


def test_faces_bear_their_names_in_the_copy_from_the_first_frame_on(clip, result):
    original, copy = clips.shown(clip.path), clips.shown(result.out)
    assert len(copy) == FRAMES
    for number in (0, 1, 2, 30, FRAMES - 1):
        left, top = clip.boxes(number / clips.RATE)["Obama"][:2].round().astype(int)
        label = np.s_[top - 13 : top - 3, left + 3 : left + 43]
        assert green(copy[number][1][label]) > 0.4 and green(original[number][1][label]) == 0, number


def test_the_copy_has_the_times_and_the_sound_of_the_original(clip, result):
    assert [time for time, _ in clips.shown(result.out)] == [time for time, _ in clips.shown(clip.path)]
    assert clips.packets_of_sound(result.out) == clips.packets_of_sound(clip.path) != []
    assert result.notes == result.damage == []


def test_no_box_is_drawn_while_a_face_is_out_of_sight(named, portraits, tmp_path):
    """Half a second: the track goes on afterwards, and a look missed once is bridged."""
    face, away = clips.scene(SIZE, (portraits.obama, (160, 120), 150)), clips.background(*SIZE)
    path = clips.write(tmp_path / "in.mp4", [face] * 10 + [away] * 12 + [face] * 6 + [away] * 1 + [face] * 6)
    result = recognize_video(named, path, every=2)
    [track] = result.tracks
    assert track.at(16 / 25) is None and track.at(8 / 25).name == track.at(22 / 25).name == "Obama"
    assert track.at(28 / 25) is not None


def test_every_says_how_many_frames_are_examined(named, clip):
    result = recognize_video(named, clip.path, every=20)
    assert result.examined == len({time for track in result.tracks for time in track.times}) == 3
    assert result.frames == FRAMES and result.size == SIZE


def test_a_part_is_told_in_the_times_of_the_whole_and_written_from_its_own_beginning(named, clip, tmp_path):
    result = recognize_video(named, clip.path, tmp_path / "part.mp4", start=1.0, end=1.4)
    assert result.frames == 10
    assert min(track.first for track in result.tracks) == 1.0
    assert [float(time) for time, _ in clips.shown(result.out)] == pytest.approx([i / 25 for i in range(10)])
    sound = clips.packets_of_sound(result.out)
    assert -0.1 <= sound[0][0] <= 0.1 and 0.3 <= sound[-1][0] < 0.4
    whole = {data: time for time, data in clips.packets_of_sound(clip.path)}
    assert all(whole[data] - time == pytest.approx(1.0, abs=1e-3) for time, data in sound)


def test_boxes_are_in_pixels_of_the_video_when_faces_are_looked_for_in_smaller_ones(named, clip):
    result = recognize_video(named, clip.path, every=15, max_side=240)
    assert result.size == SIZE
    for track in result.tracks:
        for time, box in zip(track.times, track.boxes):
            assert overlap(box, clip.boxes(time)[track.name]) > 0.5


def test_strangers_have_no_name_and_an_empty_gallery_names_nobody(mobilefacenet_files, mtcnn_files, clip):
    with Recognizer(database="sqlite://") as empty:
        result = recognize_video(empty, clip.path, every=20)
    assert {(track.name, track.recognition.similarity) for track in result.tracks} == {(None, -1.0)}
    assert set(result.people()) == {None}


def test_a_video_without_faces_has_no_tracks(named, tmp_path):
    path = clips.write(tmp_path / "empty.mp4", [clips.background(64, 48)] * 5)
    result = recognize_video(named, path, tmp_path / "out.mp4")
    assert (result.tracks, result.frames, len(clips.shown(result.out))) == ([], 5, 5)


def test_progress_of_both_stages_ends_at_all_of_it(named, clip, tmp_path):
    told = []
    recognize_video(named, clip.path, tmp_path / "out.mp4", every=30, progress=told.append)
    for stage in ("finding faces", "writing"):
        own = [each for each in told if each.stage == stage]
        assert [each.frames for each in own] == list(range(1, FRAMES + 1))
        assert [each.fraction for each in own] == sorted(each.fraction for each in own)
        assert own[-1].fraction > 0.95 and own[-1].left < 1 and own[-1].rate > 0


@pytest.mark.parametrize("stage", ["finding faces", "writing"])
def test_a_cancelled_video_leaves_nothing_behind(named, clip, tmp_path, stage):
    flag = threading.Event()
    with pytest.raises(Cancelled):
        recognize_video(
            named, clip.path, tmp_path / "out.mp4", every=30, cancel=flag.is_set,
            progress=lambda each: each.stage == stage and each.frames == 10 and flag.set(),
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_while_writing_leaves_the_file_that_was_there(named, clip, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"of an earlier run")

    def interrupt(progress):
        if progress.stage == "writing" and progress.frames == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recognize_video(named, clip.path, out, every=30, overwrite=True, progress=interrupt)
    assert out.read_bytes() == b"of an earlier run"
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_is_overwritten_only_where_that_is_asked_for(named, clip, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    with pytest.raises(BadArgument, match="there already"):
        recognize_video(named, clip.path, out, progress=lambda each: pytest.fail("has begun to work"))
    assert out.read_bytes() == b"precious"
    with out.open("rb") as reading:
        recognize_video(named, clip.path, out, every=30, end=0.2, overwrite=True)
        assert reading.read() == b"precious"  # whoever reads the old one has all of it
    assert len(clips.shown(out)) == 5


def test_the_video_itself_is_never_overwritten(named, clip, tmp_path):
    link = tmp_path / "link.mp4"
    link.symlink_to(clip.path)
    before = clip.path.read_bytes()
    with pytest.raises(BadArgument, match="the video itself"):
        recognize_video(named, clip.path, link, overwrite=True)
    assert clip.path.read_bytes() == before


@pytest.mark.parametrize("name", ["out.avi", "out", "missing/out.mp4", ""])
def test_where_nothing_can_be_written_is_said_before_the_work(named, clip, tmp_path, name):
    with pytest.raises(BadArgument):
        recognize_video(named, clip.path, tmp_path / name, progress=lambda each: pytest.fail("has begun to work"))


FULL_DISK = """
import resource, sys
from fractions import Fraction
import numpy as np
from common.errors import BadVideo
from recognizer.video.writer import VideoWriter

rng = np.random.default_rng(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with VideoWriter(sys.argv[1], Fraction(1, 25)) as writer:
        for i in range(200):
            writer.frame(rng.integers(0, 255, (120, 160, 3), dtype=np.uint8), i)
except BadVideo as error:
    sys.exit(f"in words: {error}")
"""


def test_a_disk_that_is_full_is_one_clear_error_and_leaves_nothing(tmp_path):
    """In a process of its own, as the limit is one for a whole process."""
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "out.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[3])
    assert done.stderr.startswith("in words: ") and "cannot be written: File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("options", [{"every": 0}, {"every": 1.5}, {"every": True}, {"start": -1}, {"max_side": 3},
                                     {"start": 2, "end": 1}])  # fmt: skip
def test_values_out_of_range_are_errors(named, clip, options):
    with pytest.raises(BadArgument):
        recognize_video(named, clip.path, **options)


def test_without_pyav_it_is_said_what_to_install(named, clip, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependency, match=r"\[video\]"):
        recognize_video(named, clip.path)


def test_json_values_are_plain_and_have_boxes_where_asked_for(result):
    mapping = json.loads(json.dumps(result.to_mapping(boxes=True)))
    assert [track["name"] for track in mapping["tracks"]] == [track.name for track in result.tracks]
    for track, given in zip(mapping["tracks"], result.tracks):
        assert len(track["boxes"]) == track["examined"] == len(given.times)
        assert set(track["best"]) == {"time", "box", "landmarks", "score"}
    assert "boxes" not in result.to_mapping()["tracks"][0]
    assert mapping["totals"]["frames"] == FRAMES
