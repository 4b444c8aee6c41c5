"""What all pages share: the layout, files, errors, and that nothing is asked of anybody else."""

import re

import pytest
import requests

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def test_an_address_that_is_not_there_is_a_page_for_browsers_and_json_for_programs(site):
    page = requests.get(f"{site.url}/nothing", headers=BROWSER, timeout=10)
    assert page.status_code == 404 and page.headers["content-type"].startswith("text/html")
    assert "<h1>Not found</h1>" in page.text
    for headers in ({}, BROWSER | {"HX-Request": "true"}):
        answer = requests.get(f"{site.url}/nothing", headers=headers, timeout=10)
        assert answer.status_code == 404 and answer.json()["code"] == "not_found"
    assert requests.get(f"{site.url}/v1/nothing", headers=BROWSER, timeout=10).json()["code"] == "not_found"


def test_what_is_refused_before_it_comes_to_a_page_is_a_page_too(site):
    elsewhere = {"Host": "rebound.example"}  # without keys the service answers to this machine's names alone
    page = requests.get(f"{site.url}/people", headers=BROWSER | elsewhere, timeout=10)
    assert page.status_code == 403 and page.headers["content-type"].startswith("text/html")
    assert "<h1>Forbidden</h1>" in page.text and "set keys: required" in page.text
    assert "Barack" not in page.text and "frame-ancestors" in page.headers["content-security-policy"]
    for path, headers in (("people", elsewhere), ("v1/people", BROWSER | elsewhere)):
        assert requests.get(f"{site.url}/{path}", headers=headers, timeout=10).json()["code"] == "forbidden"


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_the_layout_stands_without_a_fault_in_each_window(site, browser, width, dark):
    with browser.open(f"{site.url}/nothing", width=width, dark=dark) as opened:
        opened.photograph(f"house-{width}-{'dark' if dark else 'light'}")
        assert opened.overflow == 0 and opened.broken_pictures == []
        assert [each for each in opened.problems if "404" not in each] == []
        assert opened.page.evaluate("typeof htmx") == "object"
        menu = opened.page.get_by_role("button", name="Menu")
        assert menu.is_visible() == (width == 390)
        if width == 390:
            assert not opened.page.get_by_role("link", name="People", exact=True).is_visible()
            menu.click()
        assert opened.page.get_by_role("link", name="People", exact=True).is_visible()


def test_the_keyboard_comes_to_the_content_first(site, browser):
    with browser.open(f"{site.url}/nothing") as opened:
        opened.page.keyboard.press("Tab")
        assert opened.page.evaluate("document.activeElement.textContent") == "Skip to the content"
        opened.page.keyboard.press("Enter")
        assert opened.page.evaluate("document.activeElement.id") == "main"


def test_files_have_addresses_that_change_with_their_content_and_are_kept(site):
    page = requests.get(f"{site.url}/nothing", headers=BROWSER, timeout=10).text
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) >= 4
    for address in addresses:
        answer = requests.get(site.url + address, timeout=10)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        other = requests.get(site.url + re.sub(r"/static/\w+/", "/static/0/", address), timeout=10)
        assert other.content == answer.content and other.headers["cache-control"] == "no-cache"
    assert requests.get(f"{site.url}/static/0/nothing.js", timeout=10).status_code == 404
    assert requests.get(f"{site.url}/static/0/..%2Ftemplates%2Fbase.html", timeout=10).status_code == 404


def test_templates_and_scripts_hold_nothing_that_the_policy_would_stop():
    from recognizer.service.pages.assets import FOLDER
    from recognizer.service.pages.templating import environment

    for name in environment().list_templates():
        text = environment().loader.get_source(environment(), name)[0]
        assert not re.search(r"\son\w+=|\sstyle=|hx-on|javascript:|<script>|https?://(?!www\.w3\.org)", text), name
    for file in FOLDER.iterdir():
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|https?://(?!www\.w3\.org)", file.read_text()
        ), file
