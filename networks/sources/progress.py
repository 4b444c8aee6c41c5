"""What the user sees while a file is fetched, on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int | None], None]


@contextmanager
def shown(name: str, size: int | None, place: str, progress: bool) -> Iterator[Report]:
    """Say that ``name`` comes from ``place``; yields what takes its progress.

    ``size`` is in bytes, None where unknown.
    A bar on a terminal, one line elsewhere, nothing where ``progress`` is False.
    """
    title = f"fetching {name}" + (f" ({size / 1e6:.1f} MB)" if size else "") + f" from {place}"
    if progress and sys.stderr.isatty():
        with _bar(title, size) as report:
            yield report
        return
    if progress:
        print(title, file=sys.stderr, flush=True)
    yield lambda done, total: None


def skipped(reason: str) -> None:
    """Say why a source is passed over."""
    print(f"skipped {reason}", file=sys.stderr, flush=True)


@contextmanager
def _bar(title: str, size: int | None) -> Iterator[Report]:
    from rich.console import Console  # 0.1 s, and only needed on a terminal
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    title_column = TextColumn("{task.description}", markup=False)
    columns = (title_column, BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=size)
        yield lambda done, total: bar.update(task, completed=done, total=total or size)
