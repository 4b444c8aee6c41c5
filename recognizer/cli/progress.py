"""A progress bar on standard error, where that is a terminal."""

from collections.abc import Iterable

from common.cli.progress import counted


def bar(items: Iterable, total: int) -> Iterable:
    """``items`` again, counted by a bar that goes away at the end; what ``Recognizer.add_customs`` takes."""
    return counted(items, total, "photos")


def reading(items: Iterable, total: int) -> Iterable:
    """The same for portions of a gallery; what ``Recognizer`` takes."""
    return counted(items, total, "reading the gallery")
