"""The video page: a video is handed in, and who is in it, and when, is shown."""

import re

import pytest
import requests
from playwright.sync_api import expect

from recognizer.service.pages.video import clock, lanes, ticks
from tests.recognizer.video.clips import RATE, scene, write

SECONDS = 3


@pytest.fixture(scope="module")
def clip(portraits, tmp_path_factory):
    """Obama all the time, Biden in the last second."""
    pictures = []
    for i in range(SECONDS * RATE):
        faces = [(portraits.obama3, (140 + i, 170), 220)]
        if i >= (SECONDS - 1) * RATE:
            faces.append((portraits.biden, (460, 170), 220))
        pictures.append(scene((640, 360), *faces))
    return write(tmp_path_factory.mktemp("clip") / "party.mp4", pictures)


@pytest.fixture(scope="module")
def job(site, clip):
    """The number of a video job that is done."""
    with clip.open("rb") as file:
        asked = site.ask("POST", "jobs/video", files={"video": ("party.mp4", file)}, params={"every": 5}).json()
    until_done(site, asked["id"])
    return asked["id"]


def until_done(site, job_id):
    import time

    for _ in range(600):
        state = site.ask("GET", f"jobs/{job_id}").json()["state"]
        if state in ("done", "failed", "cancelled"):
            assert state == "done"
            return
        time.sleep(0.1)
    raise AssertionError("the job does not end")


def test_a_video_is_handed_in_its_progress_shown_and_its_people_named(site, browser, clip):
    with browser.open(f"{site.url}/video") as opened:
        page = opened.page
        page.get_by_label(re.compile("Video, up to")).set_input_files(clip)
        page.get_by_text("More").click()
        page.get_by_label("Look for faces in every").fill("5")
        page.get_by_role("button", name="Recognise").click()
        page.wait_for_url(re.compile(r"/video/\d+"))
        expect(page.get_by_role("link", name="Barack Obama")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("link", name="Joe Biden")).to_be_visible()
        expect(page.locator("#progress")).to_contain_text("done")
        assert opened.problems == []


def test_times_of_the_timeline_are_those_of_the_result_and_show_the_video_there(site, browser, job):
    tracks = site.ask("GET", f"jobs/{job}/result").json()["result"]["tracks"]
    late = next(track for track in tracks if track["name"] == "Joe Biden")
    assert late["first"] == pytest.approx(SECONDS - 1, abs=0.25)
    with browser.open(f"{site.url}/video/{job}") as opened:
        page = opened.page
        row = page.locator(".lanes li", has_text="Joe Biden")
        row.get_by_role("button").first.click()
        expect(page.locator("#copy")).to_have_js_property("paused", False)
        for _ in range(50):
            if page.evaluate("document.getElementById('copy').currentTime") >= late["first"] - 0.01:
                break
            page.wait_for_timeout(100)
        else:
            raise AssertionError("the video does not go there")
        with page.expect_download() as found:
            page.get_by_role("link", name="Download the video with names").click()
        assert found.value.path().stat().st_size > 10_000
        assert opened.problems == []


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False), (1440, True)])
def test_the_pages_fit_each_window(site, browser, job, width, dark):
    for name, path in (("video", "/video"), ("video-job", f"/video/{job}"), ("jobs", "/jobs")):
        with browser.open(site.url + path, width=width, dark=dark) as opened:
            opened.photograph(f"{name}-{width}-{'dark' if dark else 'light'}")
            assert opened.problems == [] and opened.overflow == 0


def test_what_is_no_video_is_told_on_its_page(site, browser, tmp_path):
    file = tmp_path / "noise.mp4"
    file.write_bytes(b"this is no video" * 100)
    with browser.open(f"{site.url}/video") as opened:
        page = opened.page
        page.get_by_label(re.compile("Video, up to")).set_input_files(file)
        page.get_by_role("button", name="Recognise").click()
        page.wait_for_url(re.compile(r"/video/\d+"))
        expect(page.get_by_role("alert")).to_be_visible(timeout=20_000)
        expect(page.locator("#progress")).to_contain_text("failed")


def test_the_files_of_a_job_are_removed_on_request_and_a_waiting_one_is_cancelled(site, browser, clip):
    with clip.open("rb") as file:
        asked = site.ask(
            "POST", "jobs/video", files={"video": ("party.mp4", file)}, params={"annotate": "false"}
        ).json()
    until_done(site, asked["id"])
    with browser.open(f"{site.url}/jobs") as opened:
        page = opened.page
        page.get_by_role("link", name=str(asked["id"]), exact=True).click()
        page.wait_for_url(f"**/video/{asked['id']}")
        page.get_by_role("button", name="Remove its files").click()
        expect(page.get_by_role("button", name="Remove its files")).to_have_count(0)
        assert opened.problems == []
    assert site.ask("GET", f"jobs/{asked['id']}/result").json()["files"] == []
    waiting = site.services.database.jobs.create("video.elsewhere", {"gallery": "default"}, "local")
    answer = requests.post(f"{site.url}/jobs/{waiting.id}/cancel", timeout=10, allow_redirects=False)
    assert answer.status_code == 303 and site.services.database.jobs.get(waiting.id).state == "cancelled"


def test_nobody_sees_the_jobs_of_others(site):
    assert requests.get(f"{site.url}/video/999999", headers={"Accept": "text/html"}, timeout=10).status_code == 404
    assert requests.get(f"{site.url}/jobs/999999/progress", timeout=10).status_code == 404


def track(name, first, last):
    return {"name": name, "first": first, "last": last, "similarity": 0.6}


def test_a_lane_has_all_of_a_persons_times_and_strangers_stay_apart():
    result = {
        "tracks": [track("Ann", 0, 2), track(None, 1, 3), track("Bo", 0, 9), track("Ann", 5, 10), track(None, 8, 9)],
        "totals": {"seconds": 10.0},
    }
    found = lanes(result)
    assert [lane.words for lane in found] == ["Bo", "Ann", "stranger 1", "stranger 2"]
    assert [(span.left, span.width) for span in found[1].spans] == [(0, 200), (500, 500)]
    assert found[1].seconds == 7
    assert all(span.left + span.width <= 1000.1 for lane in found for span in lane.spans)


@pytest.mark.parametrize("seconds", [0.0, 0.4, 3.0, 59.0, 61.0, 3599.0, 7300.0, 90_000.0])
def test_marks_are_few_and_round(seconds):
    found = ticks({"tracks": [], "totals": {"seconds": seconds}})
    assert found[0].left == 0 and len(found) <= 7 and all(0 <= tick.left <= 1000 for tick in found)


@pytest.mark.parametrize("seconds", [0, 59, 61, 3599, 3600, 7325, 80_000])
def test_times_are_told_as_clocks_do(seconds):
    parts = [int(part) for part in clock(seconds).split(":")]
    assert sum(part * 60**i for i, part in enumerate(reversed(parts))) == seconds
    assert len(parts) == (3 if seconds >= 3600 else 2) and clock(seconds)[-3] == ":"


def test_times_of_short_videos_have_tenths():
    assert clock(2.04, 3.0) == "0:02.0" and clock(12.36, 59.0) == "0:12.4"
