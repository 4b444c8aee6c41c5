"""Opens pages in Chromium as a reader does, and keeps what goes wrong in them."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.browser.programs import NoBrowser, find

if TYPE_CHECKING:
    import playwright.sync_api as playwright

FLAGS = (
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HEIGHT = 900
# Playwright's own wait_for_function needs eval in the page, which a strict policy refuses.
LOADED = "Promise.all([...document.images].filter(each => !each.complete).map(each => each.decode().catch(() => 0)))"


@dataclass
class Opened:
    """A page that is shown.

    Attributes:
        page: Playwright's.
        problems: errors on the console (what its policy refuses among them), exceptions of scripts, and every address
            of another origin that was asked for; none of these is fetched.
    """

    page: "playwright.Page"
    problems: list[str] = field(default_factory=list)

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    @property
    def broken_pictures(self) -> list[str]:
        """The beginnings of the addresses of pictures that cannot be shown."""
        return self.page.evaluate(
            "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.currentSrc.slice(0, 80))"
        )

    def show(self, *, width: int, dark: bool) -> None:
        """Change the window's width, in pixels, and which page the reader prefers; waits for the pictures."""
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.evaluate(LOADED)

    def photograph(self, name: str) -> None:
        """Write the whole page to the folder for screenshots, if one is named."""
        if folder := os.environ.get("RECOGNIZER_TEST_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{re.sub('[^A-Za-z0-9.-]+', '_', name)}.png", full_page=True)


class Browser:
    """A running browser; every page has a profile of its own, which is forgotten when it is closed."""

    def __init__(self, browser: "playwright.Browser"):
        self._browser = browser

    @contextmanager
    def open(self, address: str | Path, *, width: int = 1440, dark: bool = False) -> Iterator[Opened]:
        """Show a page: the path of a file, which is shown without a network, or a URL, which may ask its own origin.

        Args:
            width: of the window, in pixels; dark: whether the reader prefers a dark page.
        """
        url = address.resolve().as_uri() if isinstance(address, Path) else address
        context = self._browser.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme="dark" if dark else "light"
        )
        try:
            context.set_offline(isinstance(address, Path))
            opened = Opened(context.new_page())
            _watch(opened, url)
            opened.page.goto(url, wait_until="load")
            yield opened
        finally:
            context.close()


@contextmanager
def started() -> Iterator[Browser]:
    """A browser, ended at the end; by then nothing else may use asyncio in this thread, as Playwright does.

    Raises:
        NoBrowser: there is none, with what to do.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise NoBrowser("Playwright is not installed: pip install '.[test]'") from None
    program = find(os.environ.get("RECOGNIZER_TEST_BROWSER"))
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        except Error as error:
            raise NoBrowser(f"{program} does not start: {str(error).splitlines()[0]}") from None
        try:
            yield Browser(browser)
        finally:
            browser.close()


def _watch(opened: Opened, url: str) -> None:
    page, problems = opened.page, opened.problems
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))

    def pass_on(route: "playwright.Route") -> None:
        if _may_ask(route.request.url, url):
            route.continue_()
        else:
            problems.append(f"asks for {route.request.url[:200]}")
            route.abort()

    page.route("**/*", pass_on)


def _may_ask(asked: str, url: str) -> bool:
    """Whether it is of the page's own origin; a file's is that file alone."""
    wanted, own = urlsplit(asked), urlsplit(url)
    if wanted.scheme == "file":
        return own.scheme == "file" and wanted.path == own.path
    return wanted.scheme in ("data", "blob") or (wanted.scheme, wanted.netloc) == (own.scheme, own.netloc)
