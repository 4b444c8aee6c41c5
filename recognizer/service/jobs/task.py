"""A job in the hands of a worker: how far it is, and whether to go on."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from common.errors import Cancelled, DatabaseError, JobLost
from recognizer.service.jobs.folders import JobFolder

if TYPE_CHECKING:
    from db.jobs import Job, Jobs, Lease
    from recognizer.service.context import Services

BEAT_SECONDS = 2.0  # between two signs of life, which also tell how far it is; a lease is 60


class Stopped(Cancelled):
    """The service is ending; somebody else begins the job anew."""


class Task:
    """What a kind of job works with.

    Attributes:
        job: as it was when it was begun.
        services: of this process.
        folder: of its files; None where it has none.
    """

    def __init__(self, lease: "Lease", services: "Services", folder: JobFolder | None, stopping: threading.Event):
        self.job: Job = lease.job
        self.services, self.folder = services, folder
        self._lease, self._stopping = lease, stopping
        self._done, self._total = 0, None
        self._cancelled = self._lost = False

    @property
    def parameters(self) -> dict[str, Any]:
        """What is to be done."""
        return self.job.parameters or {}

    @property
    def progress(self) -> tuple[int, int | None]:
        """How far it is, of how much; None where nobody knows."""
        return self._done, self._total

    @property
    def is_over(self) -> bool:
        """Whether to stop: cancelled, lost to another worker, or the service is ending."""
        return self._cancelled or self._lost or self._stopping.is_set()

    def check(self) -> None:
        """Raise JobLost, Cancelled or Stopped where the work is to stop."""
        if self._lost:
            raise JobLost(f"Job {self.job.id} was lost: its lease ran out.")
        if self._cancelled:
            raise Cancelled(f"Job {self.job.id} was cancelled.")
        if self._stopping.is_set():
            raise Stopped(f"Job {self.job.id} is given back: the service is ending.")

    def tell(self, done: int, total: int | None = None) -> None:
        """Say how far it is. Raises as :meth:`check`."""
        self._done, self._total = done, total
        self.check()

    def over(self, items: Iterable, total: int) -> Iterator:
        """The same items, counted: a ``Progress`` for whatever takes one. Raises as :meth:`check`."""
        self.tell(0, total)
        for number, item in enumerate(items, 1):
            yield item
            self.tell(number, total)

    def beat(self, jobs: "Jobs", ended: threading.Event) -> None:
        """Give signs of life until the work has ended; to be run in a thread of its own."""
        alive = time.monotonic()
        while not ended.wait(BEAT_SECONDS) and not self._lost:
            try:
                self._cancelled |= not jobs.heartbeat(self._lease, *self.progress)
                alive = time.monotonic()
            except JobLost:
                self._lost = True
            except DatabaseError:
                self._lost = time.monotonic() - alive > self._lease.seconds
