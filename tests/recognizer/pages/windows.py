"""One window of the browser for the tests of a module that need no other: to open one for each takes seconds."""

from contextlib import contextmanager

import pytest


class Window:
    """A window whose problems are told of each visit alone.

    Requests go straight to the network, which takes a third of the time; those to other places are still problems.
    """

    def __init__(self, opened, url):
        self._opened = opened
        opened.page.unroute_all()
        opened.page.on("request", lambda request: self._note(request.url, url))

    def _note(self, asked, own):
        if not asked.startswith((f"{own}/", "data:", "blob:", "about:")):
            self._opened.problems.append(f"asks for {asked[:200]}")

    @contextmanager
    def open(self, url, *, width=1440, dark=False):
        """Show a page of the site; see ``tests.browser.Opened``."""
        self._opened.page.goto("about:blank")
        self._opened.problems.clear()
        self._opened.show(width=width, dark=dark)
        self._opened.page.goto(url, wait_until="load")
        yield self._opened


@pytest.fixture(scope="module")
def window(site, browser):
    """The window; for modules with ``site`` and ``browser``."""
    with browser.open(f"{site.url}/people") as opened:
        yield Window(opened, site.url)
