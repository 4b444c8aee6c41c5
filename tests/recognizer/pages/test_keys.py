"""Keys, audit log and system in a browser."""

import re

import pytest
import requests
from playwright.sync_api import expect

from tests.recognizer.pages.sites import photo_files

SIZES = [(390, False), (390, True), (1440, False), (1440, True)]


def faultless(opened):
    assert opened.problems == [] and opened.overflow == 0 and opened.broken_pictures == []


def make(page, name, role="read", days=""):
    page.get_by_label("What it is for").fill(name)
    page.get_by_label("Role").select_option(role)
    page.get_by_label("Good for days").fill(days)
    page.get_by_role("button", name="Make").click()


def test_a_key_is_made_shown_once_works_and_is_revoked(site, browser):
    with browser.open(f"{site.url}/keys") as opened:
        page = opened.page
        make(page, "door camera", days="30")
        secret = page.locator("#secret").text_content()
        assert site.services.database.keys.check(secret).name == "door camera"
        expect(page.get_by_role("row", name="door camera")).to_contain_text("active")
        assert page.content().count(secret) == 1
        page.goto(f"{site.url}/keys")
        assert secret not in page.content()
        row = page.get_by_role("row", name="door camera")
        row.get_by_role("button", name="Revoke door camera").click()
        dialog = page.get_by_role("dialog")
        assert page.evaluate("document.activeElement.textContent") == "Keep it"
        dialog.get_by_role("button", name="Revoke", exact=True).click()
        expect(page.get_by_role("row", name="door camera")).to_contain_text("revoked")
        faultless(opened)
    actions = [(entry.action, entry.actor) for entry in site.services.database.audit.entries(limit=2)]
    assert actions == [("key.revoke", "local"), ("key.create", "local")]


def test_what_cannot_be_made_is_told_and_what_was_typed_stays(site, browser):
    before = len(site.services.database.keys.list())
    with browser.open(f"{site.url}/keys") as opened:
        opened.page.get_by_label("Good for days").evaluate("field => field.type = 'text'")
        make(opened.page, "robot", "enrol", "soon")
        expect(opened.page.get_by_role("alert")).to_contain_text("Days are a whole number")
        expect(opened.page.get_by_label("What it is for")).to_have_value("robot")
        expect(opened.page.get_by_label("Role")).to_have_value("enrol")
    for form in ({"name": " ", "role": "read"}, {"name": "x", "role": "read", "of_gallery": "nowhere"}):
        answer = requests.post(f"{site.url}/keys", form, headers={"Accept": "text/html"}, timeout=10)
        assert answer.status_code == 422 and 'role="alert"' in answer.text
    assert len(site.services.database.keys.list()) == before


def test_the_audit_log_is_filtered_and_read_to_its_end(site, browser):
    from db.audit import Entry

    site.services.database.audit.append(*(Entry(f"robot {i}", "robot.moved", person=f"Nobody {i}") for i in range(120)))
    with browser.open(f"{site.url}/audit?action=robot.moved") as opened:
        page = opened.page
        rows = page.locator("#entries tr:not(.more)")
        expect(rows).to_have_count(50)
        page.get_by_role("link", name="More").click()
        expect(rows).to_have_count(100)
        page.get_by_role("link", name="More").click()
        expect(rows).to_have_count(120)
        expect(page.get_by_role("link", name="More")).to_have_count(0)
        people = rows.locator("td:nth-child(4)").all_text_contents()
        assert people == [f"Nobody {i}" for i in reversed(range(120))]
        page.get_by_label("Person").fill("Nobody 7")
        page.get_by_role("button", name="Show").click()
        expect(rows).to_have_count(1)
        expect(page.get_by_label("What", exact=True)).to_have_value("robot.moved")
        page.get_by_label("From").fill("2001-01-01")
        page.get_by_label("Before").fill("2001-01-02")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_text("No entry matches.")).to_be_visible()
        faultless(opened)
    answer = requests.get(f"{site.url}/audit?since=yesterday", headers={"Accept": "text/html"}, timeout=10)
    assert answer.status_code == 422 and "Dates are written as" in answer.text


def test_the_system_page_tells_what_runs_and_draws_what_was_searched(site, browser, portraits):
    for picture in (portraits.obama3, portraits.biden, portraits.obama):
        assert site.ask("POST", "search", files=photo_files(picture)).status_code == 200
    with browser.open(f"{site.url}/system") as opened:
        page = opened.page
        expect(page.get_by_role("heading", name="Similarity of searched faces to the nearest person")).to_be_visible()
        names = page.get_by_role("img").evaluate_all("images => images.map(image => image.getAttribute('aria-label'))")
        assert any(re.match(r"Similarity .*: 3 values", name) for name in names)
        expect(page.get_by_role("row", name="default mobilefacenet exact")).to_contain_text("2")
        expect(page.get_by_text(site.services.database.revision)).to_be_visible()
        searched = page.locator("dt", has_text="Faces searched").locator("+ dd")
        expect(searched).to_have_text("3")
        assert site.ask("POST", "search", files=photo_files(portraits.obama)).status_code == 200
        expect(searched).to_have_text("4", timeout=8000)  # by itself
        faultless(opened)


@pytest.mark.parametrize("page", ["keys", "audit", "system"])
@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_the_pages_fit_each_window(site, browser, page, width, dark):
    with browser.open(f"{site.url}/{page}", width=width, dark=dark) as opened:
        opened.photograph(f"{page}-{width}-{'dark' if dark else 'light'}")
        faultless(opened)
