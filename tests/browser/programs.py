"""Where Chromium is, or how it comes onto this machine."""

import os
import shutil
from pathlib import Path

from tests import debian

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGE = "chromium"


class NoBrowser(Exception):
    """No browser to test in; the message says how to get one."""


def find(place: str | None = None) -> str:
    """The program at ``place``, else on this machine, else newly installed.

    Raises:
        NoBrowser: there is none.
    """
    if place:
        if not Path(place).is_file() or not os.access(place, os.X_OK):
            raise _missing(f"RECOGNIZER_TEST_BROWSER names {place}, which is no program.")
        return place
    if found := _on_this_machine():
        return found
    if debian.install(PACKAGE) and (found := _on_this_machine()):
        return found
    raise _missing(f"No Chromium is installed, and 'apt-get install {PACKAGE}' did not bring one.")


def _on_this_machine() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _missing(what: str) -> NoBrowser:
    return NoBrowser(f"{what} Install one (apt-get install {PACKAGE}), or name its program in RECOGNIZER_TEST_BROWSER.")
