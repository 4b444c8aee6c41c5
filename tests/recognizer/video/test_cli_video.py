"""``recognizer video``, ``camera`` and ``take-pic``."""

import json
import socket
import subprocess
import sys
import threading
import time
from urllib.request import urlopen

import pytest

from tests.recognizer.video import clips


@pytest.fixture
def enrolled(command_line, mobilefacenet_files, mtcnn_files, sample_photo):
    """Obama is in the gallery of this test."""
    assert command_line("enroll", "Obama", sample_photo("obama2")).exit_code == 0


def test_json_tells_who_is_seen_when(command_line, enrolled, clip, tmp_path):
    out = tmp_path / "out.mp4"
    run = command_line("video", clip.path, "--out", out, "--json", "--boxes", "--every", 5)
    assert run.exit_code == 0, run.stderr
    found = json.loads(run.stdout)
    obama = next(track for track in found["tracks"] if track["name"] == "Obama")
    assert obama["first"] == 0 and len(obama["boxes"]) == obama["examined"]
    assert {person["name"] for person in found["totals"]["people"]} == {"Obama", None}
    assert found["annotated"] == str(out) and len(clips.shown(out)) == found["totals"]["frames"] == 60


def test_the_table_has_a_line_for_each_track(command_line, enrolled, clip):
    run = command_line("video", clip.path, "--every", 10, "--start", 0.4, "--end", 1.6)
    assert run.exit_code == 0
    lines = run.stdout.splitlines()
    assert lines[0].split() == ["Who", "Similarity", "Runner-up", "Margin", "From", "To", "Best", "Examined"]
    assert {line.split()[0] for line in lines[1:]} == {"Obama", "unknown"}
    assert "0:00.40" in run.stdout
    assert "30 frames" in run.stderr


def test_a_video_that_is_cut_short_is_recognised_as_far_as_it_goes_and_exits_with_2(
    command_line, enrolled, clip, tmp_path
):
    whole = clips.write(
        tmp_path / "whole.mp4", [picture for _, picture in clips.shown(clip.path)], options={"movflags": "faststart"}
    )
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    run = command_line("video", cut, "--out", tmp_path / "out.mp4", "--json", "--every", 5)
    assert run.exit_code == 2
    found = json.loads(run.stdout)
    assert "Obama" in [track["name"] for track in found["tracks"]]
    assert found["damage"] and f"warning: {cut} is damaged: " in run.stderr
    assert len(clips.shown(tmp_path / "out.mp4")) == found["totals"]["frames"] < 60


def test_a_file_is_overwritten_with_force_only(command_line, enrolled, clip, tmp_path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    run = command_line("video", clip.path, "--out", out)
    assert run.exit_code == 2 and "--force" in run.stderr and out.read_bytes() == b"precious"
    assert command_line("video", clip.path, "--out", out, "--force", "--every", 30).exit_code == 0
    assert len(clips.shown(out)) == 60


def test_what_is_no_video_is_one_line(command_line, enrolled, sample_photo, tmp_path):
    (tmp_path / "in.mp4").write_text("nothing")
    run = command_line("video", tmp_path / "in.mp4")
    assert run.exit_code == 2 and run.stdout == ""
    assert run.stderr.startswith("error: ") and len(run.stderr.splitlines()) == 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_camera_is_shown_on_a_local_port_and_tells_who_comes(command_line, enrolled, clip):
    pages, port = [], free_port()

    def look():
        for _ in range(400):
            try:
                with urlopen(f"http://127.0.0.1:{port}/", timeout=1) as page:
                    pages.append(page.read())
                with urlopen(f"http://127.0.0.1:{port}/stream.mjpg", timeout=1) as stream:
                    pages.append(stream.read(2000))
                return
            except OSError:
                time.sleep(0.02)

    viewer = threading.Thread(target=look)
    viewer.start()
    run = command_line("camera", "--source", clip.path, "--port", port)
    viewer.join()
    assert run.exit_code == 0, run.stderr
    assert b"stream.mjpg" in pages[0] and b"image/jpeg" in pages[1]
    assert [line.split()[1] for line in run.stdout.splitlines()] == ["Obama"]
    assert f"http://127.0.0.1:{port}" in run.stderr and "a second" in run.stderr


def test_take_pic_enrols_and_says_what_it_took(command_line, mobilefacenet_files, mtcnn_files, clip):
    run = command_line("take-pic", "Obama", "--source", clip.path, "--pictures", 3, "--json")
    assert run.exit_code == 0, run.stderr
    assert json.loads(run.stdout)["added"] == {"Obama": 1}
    assert "best of 3 pictures" in run.stderr
    assert [person["name"] for person in json.loads(command_line("people", "--json").stdout)] == ["Obama"]
    [entry] = json.loads(command_line("audit", "--json").stdout)
    assert (entry["action"], entry["person"], entry["details"]) == ("person.add", "Obama", {"photos": 1, "refused": 0})


def test_the_camera_of_the_environment_is_used_and_no_password_is_told(command_line, enrolled, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_CAMERA", "http://amy:hunter2@127.0.0.1:1/channel")
    for arguments in (["camera"], ["take-pic", "Ann"], ["camera", "--source", "rtsp://amy:hunter2@127.0.0.1:1/x"]):
        run = command_line(*arguments)
        assert run.exit_code == 2
        assert "://127.0.0.1:1 cannot be read" in run.stderr
        assert "hunter2" not in run.stdout + run.stderr and "amy" not in run.stdout + run.stderr
    assert "lists processes" in run.stderr


def test_a_window_where_there_can_be_none_is_one_clear_error(command_line, enrolled, clip, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    run = command_line("camera", "--source", clip.path, "--window")
    assert run.exit_code == 2
    assert "browser" in run.stderr and "unexpected" not in run.stderr


def test_recognising_photos_and_help_import_no_video_and_video_no_pyav_before_a_file_is_opened():
    loaded = (
        "import sys, recognizer, recognizer.cli.app; print(*sys.modules); "
        "import recognizer.video; assert 'av' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "av" not in modules and not {name for name in modules if name.startswith("recognizer.video")}
