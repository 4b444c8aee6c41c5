"""Tests that come after those in a browser."""

import asyncio

import pytest

from tests.browser import NoBrowser, started


def test_asyncio_can_be_used_once_the_browser_has_ended():
    async def answer():
        return 42

    try:
        with started():
            pass
    except NoBrowser as error:
        pytest.skip(str(error))
    assert asyncio.run(answer()) == 42
