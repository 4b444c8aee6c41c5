"""The browser of the tests itself: it starts, and what goes wrong in a page does not stay unseen."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import cv2
import numpy as np
import pytest

from tests import browser as browsers
from tests.browser.fixtures import browser  # noqa: F401 - a fixture
from tests.browser.programs import find

# Width, height and the middle pixel of what the camera shows, or the name of the error.
SEEN = """async () => {
    const video = document.querySelector("video");
    try {
        video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
    } catch (error) {
        return error.name;
    }
    await video.play();
    const { videoWidth: width, videoHeight: height } = video;
    const pen = new OffscreenCanvas(width, height).getContext("2d");
    pen.drawImage(video, 0, 0);
    return [width, height, pen.getImageData(width / 2, height / 2, 1, 1).data[0]];
}"""


@contextmanager
def served(page):
    """A server that answers every path with ``page``; yields its address and the list of paths asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_what_goes_wrong_in_a_page_is_kept(browser, tmp_path):  # noqa: F811
    with served("other") as (other, asked):
        page = tmp_path / "page.html"
        page.write_text(
            "<!DOCTYPE html><div style='width: 3000px'>wide</div><img src='data:image/png;base64,AAAA'>"
            f"<script src='{other}/x.js'></script><script src='neighbour.js'></script>"
            "<script>console.error('said'); null.nothing</script>"
        )
        (tmp_path / "neighbour.js").write_text("document.title = 'read'")
        with browser.open(page, width=390) as opened:
            problems = "\n".join(opened.problems)
            assert opened.overflow == 3000 + 8 - 390
            assert opened.broken_pictures == ["data:image/png;base64,AAAA"]
            assert opened.page.title() == ""
    assert "said" in problems and "Cannot read properties of null" in problems
    assert f"asks for {other}/x.js" in problems and "neighbour.js" in problems
    assert asked == []


def test_a_served_page_may_ask_its_own_origin_only(browser):  # noqa: F811
    with served("other") as (other, not_asked):
        page = f"<title>served</title><link rel=stylesheet href='/own.css'><img src='{other}/x.png'>"
        with served(page) as (address, asked), browser.open(address) as opened:
            assert opened.page.title() == "served"
            assert [each for each in opened.problems if each.startswith("asks")] == [f"asks for {other}/x.png"]
    assert {"/", "/own.css"} <= set(asked) and not_asked == []


def test_a_page_without_fault_has_no_problems_and_is_photographed_where_asked(browser, tmp_path, monkeypatch):  # noqa: F811
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><html lang=en><link rel=icon href='data:,'><title>fine</title>fine")
    monkeypatch.setenv("RECOGNIZER_TEST_SCREENSHOTS", str(tmp_path / "shots"))
    for dark in (False, True):
        with browser.open(page, dark=dark) as opened:
            assert (opened.problems, opened.broken_pictures, opened.overflow) == ([], [], 0)
            assert opened.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark
            opened.photograph(f"a/b {dark}")
    assert sorted(each.name for each in (tmp_path / "shots").iterdir()) == ["a_b_False.png", "a_b_True.png"]


def test_a_place_without_a_browser_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "text").write_text("")
    with pytest.raises(browsers.NoBrowser, match="RECOGNIZER_TEST_BROWSER names .*text, which is no program"):
        find(str(tmp_path / "text"))
    monkeypatch.setattr("tests.browser.programs.shutil.which", lambda name: None)
    monkeypatch.setattr("tests.debian.install", lambda *packages: False)
    with pytest.raises(browsers.NoBrowser, match="apt-get install chromium"):
        find()


def test_a_camera_shows_the_film_that_is_there_when_it_is_started_where_it_is_allowed(browser, tmp_path):  # noqa: F811
    film, page = tmp_path / "film.mjpeg", "<!DOCTYPE html><link rel=icon href='data:,'><video></video>"
    with served(page) as (address, _), browser.with_camera(film) as other:
        for grey in (40, 200):
            film.write_bytes(cv2.imencode(".jpg", np.full((120, 160, 3), grey, np.uint8))[1].tobytes())
            with other.open(address, permissions=["camera"]) as opened:
                assert opened.page.evaluate(SEEN) == pytest.approx([160, 120, grey], abs=20)  # video has fewer greys
        with other.open(address) as opened:
            assert opened.page.evaluate(SEEN) == "NotAllowedError"
