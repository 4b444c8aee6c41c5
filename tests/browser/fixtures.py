"""The browser as a fixture: a test module imports it, ``from tests.browser.fixtures import browser``."""

from contextlib import ExitStack

import pytest


@pytest.fixture(scope="module")  # as long as it runs, asyncio is taken: see tests.browser.started
def browser():
    """A running headless Chromium; tests that need one skip where there is none (tests/browser)."""
    from tests.browser import NoBrowser, started

    with ExitStack() as stack:
        try:
            running = stack.enter_context(started())
        except NoBrowser as error:
            pytest.skip(str(error))
        yield running
