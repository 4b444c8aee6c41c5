"""A progress bar on standard error, where that is a terminal."""

import sys
from collections.abc import Iterable


def bar(items: Iterable, total: int) -> Iterable:
    """``items`` again, counted by a bar that goes away at the end; what ``Recognizer.add_customs`` takes."""
    if total < 2 or not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, "photos", total=total, console=Console(stderr=True), transient=True)
