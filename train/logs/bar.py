"""How far a run is: a bar on a terminal, now and then a line elsewhere."""

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from train.logs.record import Record

QUIET = 30.0  # seconds between two lines where nobody watches


class Bar:
    """Shows records on standard error; ``shown`` is False for all workers but one. Use as a context manager."""

    def __init__(self, total: int, done: int, shown: bool = True):
        self._total, self._spoken = total, -QUIET
        self._live = shown and sys.stderr.isatty()
        columns = [BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()]
        self._console = Console(stderr=True, highlight=False, quiet=not shown)
        self._progress = Progress(*columns, console=self._console, disable=not self._live)
        self._task = self._progress.add_task("starting", total=total, completed=done)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, record: Record) -> None:
        """A record of the steps that were just done."""
        text = describe(record)
        self._progress.update(self._task, completed=record.step, description=text)
        if not self._live and (time.monotonic() - self._spoken >= QUIET or record.step == self._total):
            self._spoken = time.monotonic()
            self.say(f"step {record.step} of {self._total}: {text}")

    def advance(self, step: int) -> None:
        """So many steps are done."""
        self._progress.update(self._task, completed=step)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, markup=False, soft_wrap=True)


def describe(record: Record) -> str:
    """A record in one line."""
    return (
        f"{record.images_per_second:.1f} images/s, loss {record.loss:.4f}, accuracy {record.accuracy:.1%}, "
        f"learning rate {record.learning_rate:.3g}, epoch {record.epoch:.2f}"
    )
