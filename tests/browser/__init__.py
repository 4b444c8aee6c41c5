"""A headless Chromium for tests of pages, driven by Playwright's Python package.

    RECOGNIZER_TEST_BROWSER      the program to start; not given: the Chromium or Chrome on this machine, else apt-get
                                 installs Debian's
    RECOGNIZER_TEST_SCREENSHOTS  a folder for pictures of the pages that tests open, to be looked at

A test module asks for ``browser`` of ``tests.browser.fixtures``.
"""

from tests.browser.driver import Browser, Opened, started
from tests.browser.programs import NoBrowser

__all__ = ["Browser", "NoBrowser", "Opened", "started"]
