"""The page of everybody in a browser: enrolling, searching, paging, and taking a deletion back."""

import re
import time
import zipfile
from io import BytesIO

import cv2
import numpy as np
import pytest
import requests
from playwright.sync_api import expect

from db import Face
from recognizer.service.routers import people
from tests.recognizer.pages.sites import photo_files

SIZES = [(390, False), (390, True), (1440, False), (1440, True)]
BROWSER = {"Accept": "text/html"}
HOSTILE = "<script>alert(1)</script>"
CALLED = "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"


def faultless(opened):
    assert opened.problems == [] and opened.overflow == 0


def as_file(picture, name):
    return {"name": name, "mimeType": "image/png", "buffer": cv2.imencode(".png", picture)[1].tobytes()}


def names_at(site, **query):
    return [person["name"] for person in site.ask("GET", "people", params=query).json()["people"]]


def forget(site, *names):
    site.services.recognizers.of(site.services.recognizers.default).gallery.delete(names)


@pytest.fixture(scope="module")
def crowd(site):
    """The name of a gallery of 130 people "p000" to "p129" without crops, and somebody with a hostile name."""
    model = site.services.recognizers.of(site.services.recognizers.default).model
    gallery = site.services.database.gallery("crowd", model.name, model.digest, model.dim)
    vectors = np.random.default_rng(7).normal(size=(131, model.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [*(f"p{number:03}" for number in range(130)), HOSTILE]
    gallery.add_many({name: [Face(vector)] for name, vector in zip(names, vectors, strict=True)})
    return "crowd"


def test_somebody_is_enrolled_and_each_photo_has_its_outcome(site, window, portraits):
    with window.open(f"{site.url}/people") as opened:
        page = opened.page
        page.get_by_role("button", name="Add a person").click()
        dialog = page.get_by_role("dialog", name="Add a person")
        expect(dialog.get_by_label("Name")).to_be_focused()
        dialog.get_by_label("Name").fill("Barry")
        dialog.get_by_label("Choose photos").set_input_files(
            [as_file(portraits.wall, "wall.png"), as_file(portraits.obama3, "obama3.png")]
        )
        dialog.get_by_role("button", name="Enrol").click()
        expect(dialog.get_by_role("status")).to_have_text("1 stored, 1 not used.")
        outcomes = dialog.get_by_role("list", name="Photos given").get_by_role("listitem")
        expect(outcomes.nth(0)).to_have_text("wall.png: not used. No face found.")
        expect(outcomes.nth(1)).to_contain_text("obama3.png: stored, but look at it")
        near = outcomes.nth(1).get_by_role("link", name="Show Barack Obama")
        assert near.get_attribute("href") == "/person?gallery=default&name=Barack+Obama"
        expect(dialog.get_by_role("link", name="Show Barry")).to_be_focused()
        dialog.get_by_role("button", name="Close").click()
        expect(page.get_by_role("link", name="Barry").get_by_text("1 photo")).to_be_visible()
        assert [each for each in opened.problems if "422" not in each] == [] and opened.overflow == 0
        page.get_by_role("button", name="Add a person").click()
        dialog.get_by_label("Choose photos").set_input_files([as_file(portraits.biden, "joe.png")])
        opened.photograph("people-dialog-1440-light")
    told = site.ask("GET", "people/Barry/photos").json()["photos"]
    assert [(each["source"], each["has_crop"]) for each in told] == [("obama3.png", True)]
    forget(site, "Barry")


def test_what_is_wrong_with_a_name_is_told_beneath_it_and_the_photos_stay(site, window, portraits):
    with window.open(f"{site.url}/people") as opened:
        page = opened.page
        page.get_by_role("button", name="Add a person").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Choose photos").set_input_files([as_file(portraits.biden, "joe.png")])
        dialog.get_by_label("Name").fill("  ")
        dialog.get_by_role("button", name="Enrol").click()
        expect(dialog.get_by_role("alert")).to_contain_text("must not be empty or blank")
        expect(dialog.get_by_label("Name")).to_be_focused()
        dialog.get_by_label("Name").fill("Joe Biden")
        dialog.get_by_role("button", name="Enrol").click()
        expect(dialog.get_by_role("alert")).to_have_text("There is somebody of that name already.")
        assert len(site.ask("GET", "people/Joe Biden/photos").json()["photos"]) == 1
        dialog.get_by_role("button", name="Add the photos to that person").click()
        expect(dialog.get_by_role("status")).to_have_text("1 stored.")
        photos = site.ask("GET", "people/Joe Biden/photos").json()["photos"]
        assert [each["source"] for each in photos] == ["1.png", "joe.png"]
        site.ask("DELETE", f"people/Joe Biden/photos/{photos[1]['id']}")
        dialog.get_by_label("Name").fill("..")
        dialog.get_by_label("Choose photos").set_input_files([as_file(portraits.biden, "joe.png")] * 2)
        dialog.get_by_role("button", name="Enrol").click()
        expect(dialog.get_by_role("status")).to_have_text("2 stored.")
        dialog.get_by_role("link", name="Show ..").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("..")
    assert ".." in names_at(site)
    forget(site, "..")


def test_names_are_searched_as_one_types_and_the_address_says_so(site, window, crowd, portraits):
    with window.open(f"{site.url}/people?gallery={crowd}") as opened:
        page = opened.page
        expect(page.get_by_role("status").filter(has_text="131")).to_have_text("131 people")
        page.get_by_label("Names that begin with").press_sequentially("p12")
        cards = page.get_by_role("list").get_by_role("link")
        expect(cards).to_have_count(10)
        expect(page.locator("#found")).to_have_text("10 of 131 people")
        assert re.search(r"[?&]prefix=p12\b", page.url) and f"gallery={crowd}" in page.url
        page.get_by_label("Names that begin with").fill("P12")
        expect(page.get_by_text("No name begins with")).to_be_visible()
        page.go_back()
        expect(cards).to_have_count(10)
        expect(page.get_by_label("Names that begin with")).to_have_value("p12")
        page.get_by_role("button", name="Add a person").click()  # scripts work as before
        page.get_by_label("Choose photos").set_input_files([as_file(portraits.wall, "wall.png")])
        expect(page.get_by_text("One photo is ready to be sent.")).to_be_visible()
        faultless(opened)


def test_people_are_read_page_by_page_and_the_focus_goes_on(site, window, crowd):
    with window.open(f"{site.url}/people?gallery={crowd}") as opened:
        page = opened.page
        cards = page.locator(".faces .name")
        expect(cards).to_have_count(60)
        for count in (120, 131):
            page.get_by_role("link", name="More people").focus()
            page.keyboard.press("Enter")
            expect(cards).to_have_count(count)
            first_new = page.locator(".faces a").nth(count - 60 if count == 120 else 120)
            expect(first_new).to_be_focused()
        expect(page.get_by_role("link", name="More people")).to_have_count(0)
        assert cards.all_text_contents() == [HOSTILE, *(f"p{number:03}" for number in range(130))]
        faultless(opened)


def test_the_people_are_the_first_page(site, crowd):
    assert requests.get(site.url, headers=BROWSER, timeout=10).url == f"{site.url}/people"
    elsewhere = requests.get(site.url, {"gallery": crowd}, headers=BROWSER, timeout=10)
    assert elsewhere.url == f"{site.url}/people?gallery={crowd}"


def test_without_scripts_the_search_is_a_form_and_more_a_link(site, crowd):
    page = requests.get(f"{site.url}/people", {"gallery": crowd, "prefix": "p0"}, headers=BROWSER, timeout=10).text
    assert len(re.findall('class="name short"', page)) == 60 and "The first 60 whose names begin so" in page
    [more] = set(re.findall(r'href="(/people\?[^"]*cursor=[^"]*)"', page))
    following = requests.get(site.url + more.replace("&amp;", "&"), headers=BROWSER, timeout=10).text
    assert len(re.findall('class="name short"', following)) == 40 and ">p060<" in following


def test_the_newest_face_is_on_the_card_and_initials_where_none_was_kept(site, crowd):
    newest = site.ask("GET", "people/Barack Obama/photos").json()["photos"][-1]["id"]
    page = requests.get(f"{site.url}/people", headers=BROWSER, timeout=10).text
    [address] = re.findall(r'src="(/person/crop\?name=Barack\+Obama[^"]*)"', page)
    picture = requests.get(site.url + address.replace("&amp;", "&"), timeout=10)
    assert picture.content == site.ask("GET", f"people/Barack Obama/photos/{newest}/crop").content
    assert picture.headers["cache-control"] == "private, no-store" and picture.headers["content-type"] == "image/png"
    page = requests.get(f"{site.url}/people", {"gallery": crowd, "prefix": "p000"}, headers=BROWSER, timeout=10).text
    assert '<span class="initials" aria-hidden="true">P</span>' in page and "/person/crop" not in page


def test_an_empty_gallery_says_what_to_do(site, window):
    assert site.ask("POST", "galleries", json={"name": "empty"}).status_code == 201
    with window.open(f"{site.url}/people?gallery=empty", width=390) as opened:
        opened.page.get_by_role("button", name="Add the first person").click()
        expect(opened.page.get_by_role("dialog", name="Add a person")).to_be_visible()
        faultless(opened)


def test_an_archive_becomes_a_job(site, window, portraits):
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("Archived/one.png", as_file(portraits.obama2, "")["buffer"])
    with window.open(f"{site.url}/people") as opened:
        page = opened.page
        page.get_by_role("button", name="Add many").click()
        file = {"name": "people.zip", "mimeType": "application/zip", "buffer": archive.getvalue()}
        page.get_by_label("Archive").set_input_files(file)
        page.get_by_role("button", name="Enrol all").click()
        page.wait_for_url("**/jobs/*")
        number = re.search(r"/jobs/(\d+)", page.url)[1]
    assert site.ask("GET", f"jobs/{number}").json()["kind"] == "enroll"


def test_a_deletion_is_undone_from_the_notice_with_all_photos(site, window, portraits, monkeypatch):
    site.ask("POST", "people/Gone/photos", files=photo_files(portraits.biden, portraits.obama))
    with window.open(f"{site.url}/person?name=Gone") as opened:
        page = opened.page
        page.get_by_role("button", name="Delete the person").click()
        dialog = page.get_by_role("dialog", name="Delete Gone?")
        expect(dialog).to_contain_text("2 photos and the metadata are forgotten")
        expect(dialog.get_by_role("button", name="Keep the person")).to_be_focused()

        def answer_late(*given, **named):
            answer = delete_person(*given, **named)
            time.sleep(0.3)
            return answer

        # Pressed once more while the answer is on its way, which the second request must not hide. The service itself
        # is late: where Playwright held the answer back, it once waited forever for the page that follows.
        delete_person = people.delete_person
        monkeypatch.setattr(people, "delete_person", answer_late)
        again = (
            "form => form.addEventListener('submit', () => setTimeout(() => form.requestSubmit(), 100), {once: true})"
        )
        dialog.locator("form").evaluate(again)
        dialog.get_by_role("button", name="Delete", exact=True).click()
        notice = page.get_by_role("status").filter(has_text="Gone was deleted.")
        expect(notice).to_be_visible()
        assert "Gone" not in names_at(site)
        expect(page).to_have_url(f"{site.url}/people")  # coming back to it offers nothing
        notice.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Gone")
        expect(page.get_by_text("all is as before")).to_be_visible()
        faultless(opened)
        opened.photograph("person-restored-1440-light")
    photos = site.ask("GET", "people/Gone/photos").json()["photos"]
    assert [each["source"] for each in photos] == ["1.png", "2.png"] and all(each["has_crop"] for each in photos)
    forget(site, "Gone")


def test_the_undo_button_goes_when_its_time_is_over(site, browser):
    with browser.open(f"{site.url}/people") as opened:
        opened.page.clock.install()
        opened.page.goto(f"{site.url}/people?deleted=Ann&undo=0")
        notice = opened.page.get_by_role("status").filter(has_text="Ann was deleted.")
        opened.page.clock.fast_forward(59_000)
        expect(notice.get_by_role("button", name="Undo")).to_be_visible()
        opened.page.clock.fast_forward(2_000)
        expect(notice.get_by_role("button", name="Undo")).to_have_count(0)
        notice.get_by_role("button", name="Close").click()
        expect(notice).to_have_count(0)


def test_what_cannot_be_undone_is_told_and_tried_again(site, window, portraits):
    site.ask("POST", "people/Late/photos", files=photo_files(portraits.biden))
    token = site.ask("DELETE", "people/Late").json()["undo"]["token"]
    site.ask("POST", "people/Late/photos", files=photo_files(portraits.biden))
    with window.open(f"{site.url}/people?deleted=Late&undo={token}") as opened:
        page = opened.page
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("alert")).to_contain_text("There is somebody else of that name by now")
        expect(page).to_have_url(f"{site.url}/people")  # which can be loaded again
        forget(site, "Late")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Late")
    gone = requests.post(f"{site.url}/people/undo", {"token": token}, headers=BROWSER, timeout=10)
    assert gone.status_code == 404 and "cannot be undone" in gone.text
    forget(site, "Late")


def test_somebody_is_enrolled_and_deleted_by_the_keyboard_alone(site, window, portraits):
    with window.open(f"{site.url}/people") as opened:
        page = opened.page

        def tab_to(words):
            for _ in range(60):
                page.keyboard.press("Tab")
                if page.evaluate(CALLED) == words:
                    return
            raise AssertionError(f"Tab does not lead to {words!r}")

        # Early: Playwright takes a moment to put itself in the place of the browser's own dialog.
        page.once("filechooser", lambda chooser: chooser.set_files([as_file(portraits.biden, "x.png")]))
        tab_to("Add a person")
        page.keyboard.press("Enter")
        page.keyboard.type("Key Board")
        tab_to("Choose photos")
        page.keyboard.press("Enter")
        expect(page.get_by_text("One photo is ready to be sent.")).to_be_visible()
        tab_to("Enrol")
        page.keyboard.press("Space")
        expect(page.get_by_role("link", name="Show Key Board")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Key Board")
        tab_to("Delete the person")
        page.keyboard.press("Enter")
        tab_to("Delete")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="Key Board was deleted.")).to_be_visible()
        assert "Key Board" not in names_at(site)
        tab_to("Undo the deletion")
        page.keyboard.press("Space")
        expect(page.get_by_role("heading", level=1)).to_have_text("Key Board")
        faultless(opened)
    forget(site, "Key Board")


def test_the_page_fits_each_window_and_shows_all_its_pictures(site, window, crowd):
    with window.open(f"{site.url}/people") as opened:
        for width, dark in SIZES:
            opened.show(width=width, dark=dark)
            assert opened.overflow == 0 and opened.broken_pictures == []
            opened.photograph(f"people-{width}-{'dark' if dark else 'light'}")
        opened.page.goto(f"{site.url}/people?gallery={crowd}")
        opened.show(width=390, dark=False)
        faultless(opened)
