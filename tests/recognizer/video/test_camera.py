"""Cameras: the newest picture, a lost camera back again, and no secret of an address told."""

import threading
import time
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import chain, repeat
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import BadArgument, BadVideo, UnknownChoice
from recognizer.video import Camera
from recognizer.video.mjpeg import SILENCE, VIEWERS, LiveServer
from recognizer.video.sources import holds_password, source
from tests.recognizer.video import clips
from tests.recognizer.video.rtsp import rtsp_camera

SECRETS = ("amy", "hunter2", "channel", "token")
ADDRESS = "{scheme}://amy:hunter2@127.0.0.1:{port}/channel?token=1"


@pytest.fixture
def server():
    with closing(LiveServer(0)) as live:
        yield live


@pytest.fixture
def get(server):
    """A function that asks the server for a path; connections are closed afterwards."""
    opened = []

    def ask(path, **headers):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=5)
        opened.append(connection)
        connection.request("GET", path, headers=headers)
        return connection.getresponse()

    yield ask
    for connection in opened:
        connection.close()


def numbered(number):
    """A picture that tells its number after compression."""
    return np.full((48, 64, 3), 8 * number, np.uint8)


def number_of(picture):
    return round(float(picture.mean()) / 8)


def showing(server, stop, shade=120):
    """Shows a picture again and again until told to stop."""

    def show():
        while not stop.is_set():
            server.show(np.full((48, 64, 3), shade, np.uint8))
            time.sleep(0.01)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def short(tmp_path):
    """0.8 s in 20 numbered pictures."""
    return clips.write(tmp_path / "short.mp4", [numbered(i) for i in range(20)])


def test_a_file_is_played_once_at_its_own_speed(short):
    began = time.monotonic()
    with Camera(short) as camera:
        shots = list(camera)
    assert 0.7 < time.monotonic() - began < 5
    numbers = [number_of(shot.picture) for shot in shots]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 19
    assert len(numbers) >= 5  # of 20: this machine may be busy
    for shot, number in zip(shots, numbers):
        assert shot.time >= number / clips.RATE - 0.01


def test_who_is_slow_gets_the_newest_picture_and_misses_some(short):
    with Camera(short) as camera:
        first = camera.shot()
        time.sleep(0.4)
        second = camera.shot(first.time)
    assert number_of(second.picture) >= 8


def test_waiting_for_a_picture_ends_in_time(server):
    with Camera(f"{server.url}/stream.mjpg") as camera:  # which shows nothing
        began = time.monotonic()
        assert camera.shot(timeout=0.2) is None
        assert time.monotonic() - began < 8


def test_a_stream_is_read_back_as_it_was_shown(server):
    stop = threading.Event()
    showing(server, stop, shade=77)
    with Camera(f"{server.url}/stream.mjpg") as camera:
        picture = camera.shot(timeout=10).picture
    stop.set()
    assert picture.shape == (48, 64, 3)
    assert abs(float(picture.mean()) - 77) < 3


def test_a_camera_that_vanishes_is_opened_again_and_that_is_told():
    told, stop = [], threading.Event()
    first = LiveServer(0)
    port = first.port
    showing(first, stop, shade=60)
    with Camera(f"http://amy:hunter2@127.0.0.1:{port}/stream.mjpg", told.append, pauses=(0.05, 0.1)) as camera:
        shot = camera.shot(timeout=10)
        stop.set()
        first.close()
        while not told:
            assert camera.shot(shot.time, timeout=0.1) is None or not told
        stop = threading.Event()
        with closing(LiveServer(port)) as second:
            showing(second, stop, shade=200)
            deadline = time.monotonic() + 20
            while shot is None or shot.picture.mean() < 180:
                assert time.monotonic() < deadline
                shot = camera.shot(shot.time if shot else -1, timeout=1.0)
            stop.set()
    assert f"http://127.0.0.1:{port}" in told[0] and "trying again in 0.05 s" in told[0]
    assert any(sentence.endswith("is back.") for sentence in told)
    assert not [word for word in SECRETS for sentence in told if word in sentence]


def test_a_network_camera_is_shown_to_who_knows_its_password_and_again_when_its_connection_was_cut():
    told = []
    with rtsp_camera(np.full((96, 128, 3), 77, np.uint8), "amy", "hunter2") as there:
        address = f"rtsp://amy:{{}}@127.0.0.1:{there.port}/channel"
        with Camera(address.format("hunter2"), told.append, pauses=(0.05,)) as camera:
            first = camera.shot(timeout=20)
            there.cut()
            while not any(sentence.endswith("is back.") for sentence in told):
                first = camera.shot(first.time, timeout=20)
            shot = camera.shot(first.time, timeout=20)
        assert there.asked.count("PLAY") == 2
        with Camera(address.format("guessed")) as camera, pytest.raises(BadVideo, match="401") as caught:
            camera.shot(timeout=20)
    assert shot.picture.shape == (96, 128, 3) and abs(float(shot.picture.mean()) - 77) < 5
    assert not [word for word in (*SECRETS, "guessed") for sentence in (*told, str(caught.value)) if word in sentence]


def test_the_pauses_grow_and_then_stay():
    told = []
    camera = Camera("7", told.append, pauses=(0.01, 0.02))

    def lost(self):
        yield None, numbered(1)
        raise BadVideo("camera 7 gives no more pictures.")

    def absent(self):
        raise BadVideo("camera 7 cannot be opened.")
        yield

    camera._source.pictures = chain([lost(None), absent(None), absent(None), lost(None)], repeat(lost(None))).__next__
    with camera:
        while len(told) < 5:
            time.sleep(0.005)
    assert [sentence.rpartition("in ")[2] for sentence in told[:3]] == ["0.01 s.", "0.02 s.", "0.02 s."]
    assert told[3] == "camera 7 is back."
    assert told[4].endswith("in 0.01 s.")


@pytest.mark.parametrize("named", ["0", "missing.mp4", "http://127.0.0.1:1/x", "rtsp://127.0.0.1:1/x"])
def test_a_camera_that_cannot_be_opened_at_first_is_an_error(named, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    if named == "0" and list(Path("/dev").glob("video*")):
        pytest.skip("this machine has a camera")
    with Camera(named) as camera, pytest.raises(BadVideo):
        camera.shot(timeout=30)
    assert capfd.readouterr().err == ""


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(401)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_no_user_password_path_or_query_of_an_address_is_told(scheme, capfd):
    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = ADDRESS.format(scheme=scheme, port=server.server_port)
        camera = Camera(address)
        with camera, pytest.raises(BadVideo) as caught:
            camera.shot(timeout=30)
        server.shutdown()
    told = f"{caught.value!r} {caught.value.__cause__} {camera!r} {camera.name} {''.join(capfd.readouterr())}"
    assert not [word for word in SECRETS if word in told]
    assert f"{scheme}://127.0.0.1" in told


@pytest.mark.parametrize("address", ["ftp://amy:hunter2@h/channel", "file:///channel", "rtsp://amy:hunter2@[/channel",
                                     "http:///channel"])  # fmt: skip
def test_an_address_of_another_kind_is_refused_and_not_told(address):
    with pytest.raises((UnknownChoice, BadArgument), match="rtsp") as caught:
        source(address)
    assert not [word for word in SECRETS if word in str(caught.value)]


def test_passwords_in_addresses_are_known():
    assert holds_password("rtsp://amy:hunter2@h/x") and not holds_password("rtsp://h/x")
    assert not holds_password("a:b@c.mp4") and not holds_password("0")


def test_a_network_camera_cannot_lead_to_a_file_of_this_machine(tmp_path):
    made = clips.write(tmp_path / "secret.mp4", [clips.colours()] * 3)

    class Leading(Refusing):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", f"file://{made}")
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Leading) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with Camera(f"http://127.0.0.1:{server.server_port}/x") as camera, pytest.raises(BadVideo):
            camera.shot(timeout=30)
        server.shutdown()


def test_the_page_shows_the_stream_and_nothing_else_is_there(server, get):
    page = get("/")
    assert page.status == 200 and b'src="/stream.mjpg"' in page.read()
    assert page.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    assert "default-src 'none'" in page.getheader("Content-Security-Policy")
    assert get("/../../etc/passwd").status == 404


@pytest.mark.parametrize("host, status", [("localhost:{port}", 200), ("evil.example:{port}", 403), ("", 403),
                                          ("127.0.0.1.evil.example", 403)])  # fmt: skip
def test_another_name_that_leads_to_this_machine_is_refused(server, get, host, status):
    assert get("/", Host=host.format(port=server.port)).status == status


def test_all_viewers_see_the_newest_picture_and_one_too_many_is_sent_away(server, get):
    server.show(np.full((48, 64, 3), 150, np.uint8))
    streams = [get("/stream.mjpg") for _ in range(VIEWERS)]
    for stream in streams:
        head = b"".join(iter(stream.readline, b"\r\n"))
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        picture = cv2.imdecode(np.frombuffer(stream.read(length), np.uint8), cv2.IMREAD_COLOR)
        assert abs(float(picture.mean()) - 150) < 3
    assert get("/stream.mjpg").status == 503


def test_only_this_machine_is_listened_to(server):
    assert server._server.server_address[0] == "127.0.0.1"
    assert server.url == f"http://127.0.0.1:{server.port}" and SILENCE > 0


def test_a_port_in_use_is_one_clear_error(server):
    with pytest.raises(BadArgument, match="--port"):
        LiveServer(server.port)
