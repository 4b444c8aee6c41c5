"""A progress bar on standard error, where that is a terminal."""

import sys
from collections.abc import Iterable


def bar(items: Iterable, total: int) -> Iterable:
    """``items`` again, counted by a bar that goes away at the end; what ``Recognizer.add_customs`` takes."""
    return counted(items, total, "photos")


def reading(items: Iterable, total: int) -> Iterable:
    """The same for portions of a gallery; what ``Recognizer`` takes."""
    return counted(items, total, "reading the gallery")


def counted(items: Iterable, total: int, what: str) -> Iterable:
    """``items`` again, counted by a bar under the heading ``what``."""
    if total < 2 or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, what, total=total, console=Console(stderr=True), transient=True)
