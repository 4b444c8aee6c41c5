"""Fixtures of the tests that look at pages in a browser: see ``sites.py`` and ``tests/browser``."""

from tests.browser.fixtures import browser
from tests.recognizer.pages.sites import htmx_file, site
from tests.recognizer.pages.windows import window

__all__ = ["browser", "htmx_file", "site", "window"]
