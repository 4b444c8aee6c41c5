"""Opens pages in Chromium as a reader does, and keeps what goes wrong in them."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
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
CAMERAS = "--use-fake-device-for-media-stream=device-count={count}"
FILM = "--use-file-for-fake-video-capture={film}"
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
        """The beginnings of the addresses of pictures that cannot be shown, once those of the page have come."""
        self.page.wait_for_load_state("load")
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
            path = Path(folder) / f"{re.sub('[^A-Za-z0-9.-]+', '_', name)}.png"
            # Otherwise fields keep a style attribute, which htmx copies, and the page's policy then refuses.
            self.page.screenshot(path=path, full_page=True, caret="initial")


class Browser:
    """A running browser; every page has a profile of its own, which is forgotten when it is closed."""

    def __init__(self, launch: Callable[..., "playwright.Browser"]):
        self._launch, self._browser = launch, launch()

    @contextmanager
    def open(
        self,
        address: str | Path,
        *,
        width: int = 1440,
        dark: bool = False,
        permissions: Sequence[str] = (),
    ) -> Iterator[Opened]:
        """Show a page: the path of a file, which is shown without a network, or a URL, which may ask its own origin.

        Args:
            width: of the window, in pixels; dark: whether the reader prefers a dark page.
            permissions: what the reader lets the page do, such as "camera"; anything else is refused.
        """
        url = address.resolve().as_uri() if isinstance(address, Path) else address
        context = self._browser.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme="dark" if dark else "light",
            permissions=list(permissions),
        )  # fmt: skip
        try:
            context.set_offline(isinstance(address, Path))
            opened = Opened(context.new_page())
            _watch(opened, url)
            opened.page.goto(url, wait_until="load")
            yield opened
        finally:
            context.close()

    @contextmanager
    def with_camera(self, film: Path | None = None) -> Iterator["Browser"]:
        """Another browser, with a camera that shows a film again and again; without one two, with a moving pattern.

        Args:
            film: Y4M, or JPEGs one after the other (.mjpeg). It is opened when a page starts the camera: it may be
                replaced by another one of the same size.
        """
        flags = [CAMERAS.format(count=1), FILM.format(film=film)] if film else [CAMERAS.format(count=2)]
        other = Browser(partial(self._launch, *flags))
        try:
            yield other
        finally:
            other.close()

    def close(self) -> None:
        """End it."""
        self._browser.close()


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
            browser = Browser(partial(_launched, driver, program))
        except Error as error:
            raise NoBrowser(f"{program} does not start: {str(error).splitlines()[0]}") from None
        try:
            yield browser
        finally:
            browser.close()


def _launched(driver: "playwright.Playwright", program: str, *flags: str) -> "playwright.Browser":
    return driver.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *flags])


def _watch(opened: Opened, url: str) -> None:
    page, problems = opened.page, opened.problems
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))

    def refuse(route: "playwright.Route") -> None:
        problems.append(f"asks for {route.request.url[:200]}")
        route.abort()

    page.route(_others(url), refuse)


def _others(url: str) -> re.Pattern[str]:
    """Addresses that a page may not ask for: other origins; a file's is that file alone.

    A pattern, as Playwright's own process then lets the rest pass: a page of 16 files opened in 0.26 s, not in 0.35.
    """
    own = urlsplit(url)
    may = f"{re.escape(own.path)}([?#]|$)" if own.scheme == "file" else "(/|$)"
    return re.compile(f"^(?!{re.escape(f'{own.scheme}://{own.netloc}')}{may}|data:|blob:)")
