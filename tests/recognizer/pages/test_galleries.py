"""The page of galleries: models, thresholds, the work on them."""

import re

import numpy as np
import pytest
import requests
from playwright.sync_api import expect

from db import Face

HTML = {"Accept": "text/html"}


def card(page, name):
    return page.locator("section.card", has=page.get_by_role("heading", name=name, exact=True))


def ended(page):
    expect(page.locator("#progress")).to_contain_text("done", timeout=20_000)


def test_a_gallery_is_made_renamed_given_a_threshold_switched_and_deleted(site, browser):
    database = site.services.database
    with browser.open(f"{site.url}/galleries") as opened:
        page = opened.page
        page.get_by_label("Name", exact=True).fill("guests")
        page.get_by_role("button", name="Make", exact=True).click()
        expect(page.get_by_role("status").filter(has_text="Gallery guests was made.")).to_be_visible()
        guests = card(page, "guests")
        guests.get_by_text("Another model, another name").click()
        guests.get_by_label("New name").fill("visitors")
        guests.get_by_role("button", name="Rename").click()
        visitors = card(page, "visitors")
        visitors.get_by_text("Threshold", exact=True).last.click()
        visitors.get_by_label("Or choose one").fill("0,55")
        visitors.get_by_role("button", name="Set").click()
        expect(card(page, "visitors")).to_contain_text("0.550, nobody measured its FAR")
        assert database.find("visitors").threshold.similarity == 0.55
        card(page, "visitors").get_by_text("Threshold", exact=True).last.click()
        card(page, "visitors").get_by_role("button", name="Set").click()
        expect(card(page, "visitors")).to_contain_text("of the model's card")
        assert database.find("visitors").threshold is None

        uids = database.find("default").uid, database.find("visitors").uid
        visitors = card(page, "visitors")
        visitors.get_by_text("Another model, another name").click()
        visitors.get_by_label("Exchange names with").select_option("default")
        for _ in range(2):
            card(page, "visitors").get_by_role("button", name="Switch").click()
            expect(page.get_by_role("status").filter(has_text="have exchanged their names")).to_be_visible()
            uids = uids[::-1]
            assert (database.find("default").uid, database.find("visitors").uid) == uids
            card(page, "visitors").get_by_text("Another model, another name").click()
            card(page, "visitors").get_by_label("Exchange names with").select_option("default")

        page.wait_for_load_state()  # dialogs are opened by a script, which a page runs after it is shown
        card(page, "visitors").get_by_role("button", name="Delete visitors").click()
        page.get_by_role("dialog").get_by_label("Type its name").fill("visitor")
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")
        page.wait_for_load_state()  # dialogs are opened by a script, which a page runs after it is shown
        card(page, "visitors").get_by_role("button", name="Delete visitors").click()
        page.get_by_role("dialog").get_by_label("Type its name").fill("visitors")
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("status").filter(has_text="was deleted with 0 people")).to_be_visible()
        assert database.gallery_names() == ["default"]
        assert [each for each in opened.problems if "422" not in each] == []


def test_a_gallery_is_exported_and_imported_under_another_name(site, browser, tmp_path):
    with browser.open(f"{site.url}/galleries") as opened:
        page = opened.page
        card(page, "default").get_by_text("Export, import").click()
        card(page, "default").get_by_role("button", name="Write it to a file").click()
        page.wait_for_url(re.compile(r"/jobs/\d+"))
        ended(page)
        with page.expect_download() as found:
            page.get_by_role("link", name="people.gallery").click()
        file = tmp_path / "people.gallery"
        found.value.save_as(file)
        page.goto(f"{site.url}/galleries")
        page.get_by_label("Or from a file, under the name").fill("a copy / 2")
        page.get_by_label("File that was exported", exact=True).set_input_files(file)
        page.get_by_role("button", name="Import").last.click()
        page.wait_for_url(re.compile(r"/jobs/\d+"))
        ended(page)
        assert opened.problems == []
    copy, original = site.services.database.find("a copy / 2"), site.services.database.find("default")
    assert copy.count() == original.count() and copy.count()[0] == 2
    copy_page = requests.get(f"{site.url}/galleries?gallery=a copy / 2", headers=HTML, timeout=10)
    assert copy_page.status_code == 200
    site.services.database.delete_gallery("a copy / 2")


def test_a_threshold_is_measured_and_kept_with_its_far(site, browser):
    random = np.random.default_rng(3)
    means = random.normal(size=(30, 1, 192))
    rows = means + 0.5 * random.normal(size=(30, 2, 192))
    gallery = site.services.database.find("default")
    gallery.add_many(
        {
            f"made {i}": [Face((row / np.linalg.norm(row)).astype(np.float32)) for row in mine]
            for i, mine in enumerate(rows)
        }
    )
    with browser.open(f"{site.url}/galleries") as opened:
        page = opened.page
        card(page, "default").get_by_text("Threshold", exact=True).last.click()
        card(page, "default").get_by_label("Measure it at a FAR of").fill("10")
        card(page, "default").get_by_role("button", name="Measure").click()
        page.wait_for_url(re.compile(r"/jobs/\d+"))
        ended(page)
        stored = site.services.database.find("default").threshold
        expect(page.locator("dd", has_text=f"{stored.similarity:.4g}").first).to_be_visible()
        page.goto(f"{site.url}/galleries")
        expect(card(page, "default")).to_contain_text(f"{stored.similarity:.3f}, FAR")
        assert opened.problems == []
    gallery.clear_threshold()
    gallery.delete([f"made {i}" for i in range(30)])


@pytest.mark.parametrize(
    ("path", "form", "words"),
    [
        ("calibrate", {"name": "default", "far": "much"}, "is no number"),
        ("calibrate", {"name": "default", "far": "50"}, "far"),
        ("threshold", {"name": "default", "similarity": "3"}, "similarity"),
        ("reembed", {"name": "default", "model": "/etc/passwd"}, "Unknown model"),
        ("rename", {"name": "default", "new_name": " "}, "empty"),
        ("switch", {"name": "default", "other": "nowhere"}, "nowhere"),
        ("delete", {"name": "nowhere", "typed": "nowhere"}, "nowhere"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(site, path, form, words):
    before = site.services.database.summaries()
    answer = requests.post(f"{site.url}/galleries/{path}", form, headers=HTML, timeout=10)
    assert answer.status_code in (404, 422) and words in answer.text and 'role="alert"' in answer.text
    assert site.services.database.summaries() == before


@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False), (1440, True)])
def test_the_page_fits_each_window(site, browser, width, dark):
    with browser.open(f"{site.url}/galleries", width=width, dark=dark) as opened:
        for summary in opened.page.locator("details > summary").all():
            summary.click()
        opened.photograph(f"galleries-{width}-{'dark' if dark else 'light'}")
        assert opened.problems == [] and opened.overflow == 0
