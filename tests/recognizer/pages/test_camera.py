"""The live camera of the page "Recognise", and the one that enrols, in a browser whose camera shows a film."""

import re
import time
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from tests.recognizer.pages.films import Line, film, scene
from tests.recognizer.pages.sites import photo_files, served

SECONDS = 20_000  # milliseconds, on a busy machine
REFUSED = {"code": "nothing_enrolled", "message": "-", "details": {"refused": [{"reason": "no face found"}]}}
IN_THE_PICTURE = "#camera [data-part=inSight]"
WORDS = "#camera [data-part=words]"


@pytest.fixture(scope="module")
def cinema(browser, tmp_path_factory):
    """A browser with cameras: ``show(*pictures)`` says what they see from their next start, ``open`` is as ever."""
    path = tmp_path_factory.mktemp("film") / "film.mjpeg"
    film(path, scene())
    with browser.with_camera(path) as other:
        yield SimpleNamespace(
            show=lambda *pictures: film(path, *pictures),
            open=lambda url, **options: other.open(url, **{"permissions": ["camera"], **options}),
        )


@pytest.fixture(scope="module")
def guarded(mobilefacenet_files, mtcnn_files, htmx_file, tmp_path_factory):
    """A service that asks for keys; ``key(role)`` makes one."""
    with served(tmp_path_factory.mktemp("guarded"), keys="required") as found:
        found.key = lambda role: found.services.database.keys.create(role, role)
        yield found


def start(page, words="Start the camera"):
    page.get_by_role("button", name=words).click()


def tracks(page):
    """The states of the camera's tracks, which are asked for before it is stopped."""
    page.evaluate("window.tracks = document.querySelector('video').srcObject.getTracks()")
    return lambda: page.evaluate("window.tracks.map((track) => track.readyState)")


def faultless(opened):
    assert opened.problems == [] and opened.overflow == 0 and opened.broken_pictures == []


def test_who_is_before_the_camera_is_named_drawn_and_told_once(site, cinema, portraits):
    cinema.show(scene(portraits.obama3))
    with cinema.open(f"{site.url}/recognize#camera") as opened:
        page = opened.page
        page.evaluate(
            """() => {
                window.heard = [];
                const region = document.querySelector("[data-part=heard]");
                new MutationObserver(() => {
                    window.since ??= performance.now();
                    window.heard.push(region.textContent);
                }).observe(region, { childList: true });
            }"""
        )
        start(page)
        expect(page.locator(IN_THE_PICTURE)).to_contain_text("Barack Obama", timeout=SECONDS)
        rate = page.locator("#camera [data-part=rate]")
        expect(rate).to_have_text(re.compile(r"^(0\.[1-9]|[1-9]).* frames a second\. The last at "), timeout=SECONDS)
        assert rate.evaluate("each => each.closest('[aria-live], [role=status]')") is None
        blue = page.evaluate(
            """() => {
                const [over, video] = [document.querySelector("#camera canvas"), document.querySelector("video")];
                const pixels = over.getContext("2d").getImageData(0, 0, over.width, over.height).data;
                const [a, b] = [over, video].map((each) => each.getBoundingClientRect());
                const found = [];
                for (let at = 0; at < pixels.length; at += 4) {
                    if (pixels[at + 3] && pixels[at + 2] > 200 && pixels[at] < 90) found.push((at / 4) % over.width);
                }
                return [Math.min(...found) / over.width, a.left - b.left, a.width - b.width];
            }"""
        )
        face = site.ask("POST", "search", files=photo_files(scene(portraits.obama3))).json()["photos"][0]["faces"][0]
        assert blue[0] == pytest.approx(face["box"][0] / 640, abs=0.02) and blue[1:] == [0, 0]
        for width in (390, 1440):
            for dark in (False, True):
                opened.show(width=width, dark=dark)
                opened.photograph(f"camera-{width}-{'dark' if dark else 'light'}")
                faultless(opened)
        page.wait_for_timeout(max(0, 3300 - page.evaluate("performance.now() - window.since")))
        assert page.evaluate("window.heard") == ["Barack Obama"]
        states = tracks(page)
        assert states() == ["live"]
        page.get_by_role("button", name="Stop the camera").click()
        assert states() == ["ended"]
        expect(page.get_by_role("button", name="Start the camera")).to_be_focused()
        faultless(opened)


def test_a_stranger_is_named_in_a_stopped_picture_with_the_keyboard_alone(site, cinema, sample_photo, portraits):
    site.ask("DELETE", "people/Joe%20Biden", params={"undo_seconds": 0}).raise_for_status()
    cinema.show(scene(portraits.biden))
    with cinema.open(f"{site.url}/recognize#camera") as opened:
        page, press = opened.page, opened.page.keyboard.press
        page.get_by_role("tab", name="Camera").focus()
        press("Tab")
        press("Enter")
        expect(page.locator(IN_THE_PICTURE)).to_contain_text("a stranger", timeout=SECONDS)
        expect(page.get_by_role("button", name="Stop the camera")).to_be_focused()
        press("Shift+Tab")
        press("Enter")  # Stop the picture
        expect(page.get_by_role("button", name="Go on")).to_be_focused()
        expect(page.locator("video")).to_be_hidden()
        name = page.get_by_label("Name of stranger 1")
        expect(name).to_be_visible(timeout=SECONDS)
        opened.photograph("camera-stopped")
        for _ in range(10):
            press("Tab")
            if name.evaluate("field => field === document.activeElement"):
                break
        page.keyboard.type("Joe Biden")
        press("Enter")
        expect(page.get_by_role("link", name="Joe Biden")).to_be_focused(timeout=SECONDS)
        page.get_by_role("button", name="Go on").focus()
        press("Enter")
        expect(page.locator(IN_THE_PICTURE)).to_contain_text("Joe Biden", timeout=SECONDS)
        expect(page.locator("article.sheet")).to_have_count(0)
        faultless(opened)


def test_advice_comes_before_the_shot_which_is_enrolled_once_it_is_ready(site, cinema, portraits):
    with cinema.open(f"{site.url}/person?name=Barack+Obama", width=390) as opened:
        page = opened.page
        before = site.ask("GET", "people/Barack%20Obama").json()["photos"]
        shoot, advice = page.get_by_role("button", name="Take a photo"), page.locator(".advice")
        page.evaluate("document.addEventListener('enrolled', (event) => { window.answer = event.detail; })")
        for picture, words in (
            (scene(portraits.obama3, 0.3), "Turn to the light."),
            (scene(), "Look into the camera, and come closer."),
        ):
            cinema.show(picture)
            start(page, "Use the camera")
            expect(advice).to_have_text(words, timeout=SECONDS)
            expect(page.get_by_text("The button works as soon as")).to_be_visible()
            expect(shoot).to_have_attribute("aria-disabled", "true")
            shoot.click(force=True)
            opened.photograph(f"enrol-camera-{words[:4]}")
            page.get_by_role("button", name="Stop the camera").click()
        cinema.show(scene(portraits.obama3))
        start(page, "Use the camera")
        expect(advice).to_have_text("Ready. Hold still.", timeout=SECONDS)
        expect(shoot).to_have_attribute("aria-disabled", "false")
        for width in (390, 1440):
            for dark in (False, True):
                opened.show(width=width, dark=dark)
                opened.photograph(f"enrol-camera-{width}-{'dark' if dark else 'light'}")
                faultless(opened)
        assert page.locator(".shots li").count() == 0
        shoot.click()
        shot = page.locator(".shots li")
        expect(shot).to_contain_text(f"Enrolled: Barack Obama, who has {before + 1} photos now.", timeout=SECONDS)
        assert page.evaluate("window.answer.added") == {"Barack Obama": 1}
        expect(page.locator("#person .photos > li")).to_have_count(before + 1, timeout=SECONDS)
        opened.show(width=1440, dark=False)  # with the new pictures
        opened.photograph("enrol-camera-done")
        faultless(opened)


def test_shots_of_somebody_new_are_taken_by_themselves_and_enrolled_with_the_others(site, cinema, portraits):
    cinema.show(scene(portraits.obama3))
    with cinema.open(f"{site.url}/people", width=390) as opened:
        page = opened.page
        page.evaluate(
            """() => {
                window.times = [];
                document.addEventListener("photo", () => window.times.push(performance.now()));
            }"""
        )
        page.get_by_role("button", name="Add a person", exact=True).click()
        page.get_by_label("Name", exact=True).fill("New")
        start(page, "Use the camera")
        page.get_by_label("Take photos by itself").check()
        expect(page.locator(".shots li")).to_have_text(["Taken", "Taken"], timeout=SECONDS)
        page.get_by_role("button", name="Stop the camera").click()
        first, second = page.evaluate("window.times")
        assert second - first > 1900
        assert site.ask("GET", "people/New").status_code == 404
        page.get_by_role("button", name="Enrol", exact=True).click()
        expect(page.locator("#new-person .outcomes")).to_have_text(
            re.compile(r"(camera [\d:]{8}\.jpg: stored.*){2}"), timeout=SECONDS
        )
        assert site.ask("GET", "people/New").json()["photos"] == 2
        opened.show(width=390, dark=True)  # with the new pictures
        opened.photograph("enrol-camera-somebody-new")
        faultless(opened)
        page.get_by_role("button", name="Close", exact=True).click()
        expect(page.locator(".shots li")).to_have_count(0)
    site.services.database.find("default").delete(["New"])


def test_a_shot_that_could_not_be_sent_is_sent_again(site, cinema, portraits):
    cinema.show(scene(portraits.biden))
    line = Line(site.url)
    with cinema.open(f"{line.url}/person?name=Barack+Obama") as opened:
        page, name = opened.page, "New ?/%"
        page.evaluate(
            """() => {
                const place = document.querySelector("[data-enrol-camera]");
                place.removeAttribute("data-name");
                place.dataset.nameInput = "#new-name";
            }"""
        )
        page.get_by_label("New name").fill(name)
        page.route("**/people/**", lambda route: route.abort(), times=1)
        start(page, "Use the camera")
        expect(page.locator(".advice")).to_have_text("Ready. Hold still.", timeout=SECONDS)
        page.get_by_role("button", name="Take a photo").click()
        expect(page.locator(".shots li")).to_contain_text(
            "Not enrolled. The service cannot be reached.", timeout=SECONDS
        )
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".shots li")).to_contain_text(f"Enrolled: {name}, a new person", timeout=SECONDS)
        assert page.locator(".shots li").count() == 1
        page.route("**/people/**", lambda route: route.fulfill(status=422, json=REFUSED), times=1)
        page.get_by_role("button", name="Take a photo").click()
        expect(page.locator(".shots li").first).to_have_text("Not enrolled. No face found.", timeout=SECONDS)
        line.cut()
        expect(page.get_by_role("button", name="Take a photo")).to_have_attribute("aria-disabled", "true")
        expect(page.locator(".advice")).to_have_text("")
    site.services.database.find("default").delete([name])


def test_a_camera_in_a_dialog_or_in_a_part_of_the_page_that_goes_ends_with_it(site, cinema):
    cinema.show(scene())
    with cinema.open(f"{site.url}/person?name=Barack+Obama") as opened:
        page = opened.page
        page.evaluate(
            """() => {
                const dialog = document.createElement("dialog");
                const place = document.querySelector("[data-enrol-camera]");
                document.body.append(dialog);
                dialog.showModal();
                place.remove();
                place.removeAttribute("data-works");
                htmx.swap(dialog, place.outerHTML, { swapStyle: "innerHTML" });
            }"""
        )
        for end in ("close", "remove"):
            start(page, "Use the camera")
            expect(page.locator(".advice")).not_to_have_text("", timeout=SECONDS)
            states = tracks(page)
            page.evaluate(f"document.querySelector('dialog:modal').{end}()")
            for _ in range(200):
                if states() == ["ended"]:
                    break
                page.wait_for_timeout(50)
            assert states() == ["ended"]
            page.evaluate("document.querySelector('dialog:has([data-enrol-camera])')?.showModal()")
        faultless(opened)


def test_where_there_is_no_camera_or_it_is_refused_the_page_says_what_to_do(site, browser, cinema):
    for opens, options, words in (
        (browser.open, {"permissions": ["camera"]}, "There is no camera. Connect one, then start the camera again."),
        (cinema.open, {"permissions": []}, "The browser may not use the camera. Allow it for this address"),
    ):
        with opens(f"{site.url}/recognize#camera", **options) as opened:
            start(opened.page)
            expect(opened.page.locator(WORDS)).to_contain_text(words, timeout=SECONDS)
            expect(opened.page.get_by_role("button", name="Start the camera")).to_be_focused()
            expect(opened.page.locator("video")).to_be_hidden()
            faultless(opened)


def test_a_lost_connection_is_told_and_comes_back(site, cinema, portraits):
    cinema.show(scene(portraits.obama3))
    line = Line(site.url)
    try:
        with cinema.open(f"{line.url}/recognize#camera") as opened:
            page = opened.page
            start(page)
            expect(page.locator(IN_THE_PICTURE)).to_contain_text("Barack Obama", timeout=SECONDS)
            line.cut()
            expect(page.locator(WORDS)).to_contain_text("The connection is lost. Trying again in 1 s.", timeout=SECONDS)
            line.mend()
            expect(page.locator(WORDS)).to_have_text("", timeout=SECONDS)
            told = page.locator("#camera [data-part=rate]").inner_text()
            expect(page.locator("#camera [data-part=rate]")).not_to_have_text(told, timeout=SECONDS)
            assert all("ERR_CONNECTION" in each or "WebSocket" in each for each in opened.problems)
    finally:
        line.cut()


def test_the_camera_ends_with_its_page_and_says_why(site, cinema):
    cinema.show(scene())
    with cinema.open(f"{site.url}/recognize#camera") as opened:
        page = opened.page
        for end, words in (
            ("window.tracks[0].dispatchEvent(new Event('ended'))", "The camera was taken away."),
            (
                """Object.defineProperty(document, "hidden", { value: true, configurable: true });
                document.dispatchEvent(new Event("visibilitychange")); delete document.hidden""",
                "The camera was stopped while this page was not in view.",
            ),
            ("document.getElementById('photos-tab').click()", "The camera is off."),
        ):
            start(page)
            expect(page.locator(IN_THE_PICTURE)).to_have_text("Nobody is in the picture.", timeout=SECONDS)
            states = tracks(page)
            page.evaluate(end)
            expect(page.locator(WORDS)).to_contain_text(words)
            assert states() == ["ended"]
        faultless(opened)


def test_one_of_several_cameras_can_be_chosen(site, browser):
    url = f"{site.url}/recognize#camera"
    with browser.with_camera() as other, other.open(url, permissions=["camera"]) as opened:
        start(opened.page)
        choice = opened.page.get_by_label("Camera", exact=True).and_(opened.page.locator("select"))
        expect(choice.locator("option")).to_have_count(2, timeout=SECONDS)
        states, chosen = tracks(opened.page), choice.locator("option").nth(1).get_attribute("value")
        choice.select_option(chosen)
        opened.page.wait_for_timeout(300)
        assert states() == ["ended"]
        used = "document.querySelector('video').srcObject.getVideoTracks()[0].getSettings().deviceId"
        assert opened.page.evaluate(used) == chosen
        expect(choice).to_have_value(chosen)


def test_a_key_that_only_reads_names_nobody_and_its_end_is_told(guarded, cinema, portraits):
    cinema.show(scene(portraits.obama3))
    key = guarded.key("read")
    with cinema.open(f"{guarded.url}/recognize#camera") as opened:
        page = opened.page
        page.get_by_label("API key").fill(key.secret)
        with page.expect_navigation():
            page.get_by_role("button", name="Sign in").click()
        page.get_by_role("tab", name="Camera").click()
        start(page)
        expect(page.locator(IN_THE_PICTURE)).to_contain_text("a stranger", timeout=SECONDS)
        page.get_by_role("button", name="Stop the picture").click()
        expect(page.locator("tbody")).to_contain_text("stranger 1", timeout=SECONDS)
        assert page.get_by_role("button", name="Enrol").count() == 0 and page.locator("form[data-part]").count() == 0
        page.get_by_role("button", name="Go on").click()
        expect(page.locator(IN_THE_PICTURE)).to_be_visible(timeout=SECONDS)
        guarded.services.database.keys.revoke(key.key.id)
        expect(page.locator(WORDS)).to_contain_text("You are not signed in any more.", timeout=SECONDS)
        expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
        faultless(opened)


def test_what_the_service_says_of_the_connection_is_told_in_words(site, cinema, portraits):
    cinema.show(scene(portraits.obama3))
    busy = '{"code": "overloaded", "message": "More requests wait.", "details": {"retry_after": 0.7}}'
    sent = []

    def answer(socket):
        """Busy at first; then it restarts; then it refuses the picture."""

        def take(_):
            sent.append((len(connections), time.monotonic()))
            if len(connections) == 2:
                socket.close(code=1008, reason="too_large")
            elif len(sent) == 1:
                socket.send(busy)
            else:
                socket.close(code=1012)

        connections.append(socket)
        socket.on_message(take)

    connections = []
    with cinema.open(f"{site.url}/recognize#camera") as opened:
        page = opened.page
        page.route_web_socket(re.compile("/v1/live"), answer)
        page.evaluate(
            """() => {
                window.told = [];
                const words = document.querySelector("#camera [data-part=words]");
                new MutationObserver(() => window.told.push(words.textContent)).observe(words, { childList: true });
            }"""
        )
        start(page)
        expect(page.locator(WORDS)).to_have_text("The service did not take the picture. (too_large)", timeout=SECONDS)
        assert page.evaluate("window.told").index("More requests wait.") < page.evaluate("window.told").index(
            "The service is being started anew. Trying again in 0.5 s."
        )
        assert [connection for connection, _ in sent] == [1, 1, 2] and sent[1][1] - sent[0][1] > 0.65
        expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
        page.wait_for_timeout(600)
        assert len(connections) == 2  # it is not tried again
        faultless(opened)
