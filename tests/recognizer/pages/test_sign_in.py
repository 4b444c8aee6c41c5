"""Signing in and out in a browser, which says whose page it is, and keeps the cookie to itself."""

import pytest

from recognizer.service.middleware import asgi, origin
from tests.recognizer.pages.sites import served


@pytest.fixture(scope="module")
def guarded(mobilefacenet_files, mtcnn_files, htmx_file, tmp_path_factory):
    """A service that asks for keys, and a key."""
    with served(tmp_path_factory.mktemp("guarded"), keys="required") as found:
        found.secret = found.services.database.keys.create("door", "read").secret
        yield found


def sign_in(page, secret):
    """Write a key into the form, and send it with the keyboard."""
    page.keyboard.type(secret)  # the field has the focus
    with page.expect_navigation():
        page.keyboard.press("Enter")


# Browsers tell no site where there is neither TLS nor an address of this machine: 0.0.0.0 leads there all the same.
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_who_signs_in_comes_to_the_page_he_wanted_and_signs_out_again(guarded, browser, monkeypatch, host):
    site, told, is_own = guarded.url.replace("127.0.0.1", host), [], origin.is_own

    def noting(scope):
        told.append(tuple(asgi.values(scope, name) for name in (b"sec-fetch-site", b"origin")))
        return is_own(scope)

    monkeypatch.setattr(origin, "is_own", noting)
    with browser.open(f"{site}/nothing?a=b") as opened:
        page = opened.page
        assert page.url == f"{site}/sign-in?next=%2Fnothing%3Fa%3Db"
        sign_in(page, guarded.secret)
        assert page.url == f"{site}/nothing?a=b"
        assert told == [([b"same-origin"] if host == "127.0.0.1" else [], [site.encode()])]
        (cookie,) = page.context.cookies()
        assert (cookie["name"], cookie["path"], cookie["domain"]) == ("recognizer_session", "/", host)
        assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and not cookie["secure"]
        assert page.evaluate("document.cookie") == ""
        answered = page.evaluate("fetch('/v1/people').then(answer => answer.status)")
        assert answered == 200
        with page.expect_navigation():
            page.get_by_role("button", name="Sign out").click()
        assert page.url == f"{site}/sign-in" and page.context.cookies() == []
        assert page.evaluate("fetch('/v1/people').then(answer => answer.status)") == 401


def test_a_wrong_key_is_told_with_the_field_ready_for_another(guarded, browser):
    with browser.open(f"{guarded.url}/sign-in?next=/nothing") as opened:
        sign_in(opened.page, "rk_wrong")
        assert "not valid" in opened.page.get_by_role("alert").text_content()
        field = opened.page.get_by_label("API key")
        assert field.evaluate("field => field === document.activeElement && field.value === ''")
        assert "not valid" in field.evaluate("field => document.getElementById('wrong').textContent")
        assert field.get_attribute("aria-describedby") == "wrong hint"
        sign_in(opened.page, guarded.secret)
        assert opened.page.url == f"{guarded.url}/nothing"


def test_the_form_stands_without_a_fault_in_each_window(guarded, browser):
    with browser.open(f"{guarded.url}/sign-in") as opened:
        assert opened.problems == []
        for state in ("", "-wrong"):
            for width, dark in ((390, False), (1440, False), (390, True), (1440, True)):
                opened.show(width=width, dark=dark)
                assert opened.overflow == 0
                opened.photograph(f"sign-in{state}-{width}-{'dark' if dark else 'light'}")
            sign_in(opened.page, "rk_wrong")
