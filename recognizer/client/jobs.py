"""Jobs: asking for those that are about files, waiting, results, and the files that they made."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Literal

import requests

from common.errors import BadArgument
from recognizer.client.addresses import path as address
from recognizer.client.answers import content
from recognizer.client.asking import Asking
from recognizer.client.connection import Request
from recognizer.client.errors import JobEnded, StillRunning
from recognizer.client.forms import PIECE, File, Form
from recognizer.client.reading import read
from recognizer.client.results import Job, Result

State = Literal["queued", "running", "done", "failed", "cancelled"]
Kind = Literal["enroll", "import", "export", "reembed", "calibrate", "video"]
FIRST_LOOK, LONGEST_LOOK = 0.1, 2.0  # seconds between two questions how far a job is


class Jobs(Asking):
    """See :class:`recognizer.client.Client`. A job is its number, or a ``Job``."""

    def recognize_video(
        self,
        video: File,
        *,
        annotate: bool = True,
        every: int = 3,
        start: float = 0.0,
        end: float | None = None,
        max_side: int | None = None,
        gallery: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """A job: say who is in a video, and when.

        Args:
            annotate: also make a copy with boxes and names, "annotated.mp4".
            every: faces are looked for in every so many frames.
            start, end: seconds.
            max_side: frames are shrunk to so many pixels to look for faces.
        """
        query = self._of(gallery, annotate=annotate, every=every, start=start, end=end, max_side=max_side)
        form = Form({}, [("video", video)])
        return self._ask_for_job(address("jobs", "video"), query, idempotency_key, form=form)

    def enroll_archive(self, archive: File, *, gallery: str | None = None, idempotency_key: str | None = None) -> Job:
        """A job: enrol everyone of a ZIP of NAME/photo.jpg; photos that a person has already are passed over."""
        form = Form({}, [("archive", archive)])
        return self._ask_for_job(address("jobs", "enroll"), self._of(gallery), idempotency_key, form=form)

    def jobs(self, state: State | None = None, kind: Kind | None = None, *, page_size: int = 100) -> Iterator[Job]:
        """Jobs, the latest first, of a state and a kind: an admin's are all, others' those that they asked for."""
        return self._pages(Job, address("jobs"), "jobs", {"state": state, "kind": kind, "limit": page_size})

    def job(self, job: Job | int) -> Job:
        """A job, and how far it is now. Raises ServiceRefused: unknown_job."""
        return self._get(Job, address("jobs", _number(job)))

    def cancel_job(self, job: Job | int, *, idempotency_key: str | None = None) -> Job:
        """Ask for a job to be stopped; of one that has ended, remove its files."""
        return read(Job, content(self._write("DELETE", address("jobs", _number(job)), None, idempotency_key)))

    def result(self, job: Job | int) -> Result:
        """What came of a job, and the names of its files. Raises ServiceRefused: conflict, before it is done."""
        return self._get(Result, address("jobs", _number(job), "result"))

    def wait(
        self, job: Job | int, progress: Callable[[Job], object] | None = None, timeout: float | None = None
    ) -> Job:
        """A job when it is done; ``progress`` is called with the job each time that it is asked for.

        Args:
            timeout: seconds; None: however long it takes.

        Raises:
            JobEnded: it failed, or was cancelled. StillRunning: it was not done in time; it goes on.
        """
        until, pause = None if timeout is None else time.monotonic() + timeout, FIRST_LOOK
        while True:
            now = self.job(job)
            if progress is not None:
                progress(now)
            if now.state == "done":
                return now
            if now.state in ("failed", "cancelled"):
                raise JobEnded(f"Job {now.id} is {now.state}: {now.error or 'nothing came of it'}", now)
            if until is not None and time.monotonic() + pause > until:
                raise StillRunning(f"Job {now.id} is {now.state} after {timeout:g} seconds: it goes on.")
            time.sleep(pause)
            pause = min(LONGEST_LOOK, 1.5 * pause)

    def download(self, job: Job | int, file: str, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """A file of a job's result, written to ``path`` (a file, or a folder that is there), and where it is.

        It is there whole or not at all: until the last byte has come it has another name beside it.

        Raises:
            BadArgument: there is a file already, without ``overwrite``; or it cannot be written.
            ServiceRefused: not_found.
        """
        target = _target(file, Path(path))
        if target.exists() and not overwrite:
            raise BadArgument(f"{target} is there already: give another path, or overwrite=True.")
        request = Request("GET", address("jobs", _number(job), "result"), {"file": file})
        part = _part_of(target)
        try:
            self._connection.follow(request, lambda answer: _store(answer, part))
            part.replace(target)
        except OSError as error:
            raise BadArgument(f"{target} cannot be written: {error.strerror}.") from None
        finally:
            part.unlink(missing_ok=True)
        return target


def _number(job: Job | int) -> int:
    return job.id if isinstance(job, Job) else int(job)


def _target(file: str, path: Path) -> Path:
    """A file's name is the service's, which does not say where on this machine it goes."""
    name = file.replace("\\", "/").rpartition("/")[2]
    if name in ("", ".", ".."):
        raise BadArgument("Give the name of a file of the job's result, such as annotated.mp4.")
    return path / name if path.is_dir() else path


def _part_of(target: Path) -> Path:
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise BadArgument(f"{target} cannot be written: {error.strerror}.") from None
    os.close(number)
    return Path(name)


def _store(answer: requests.Response, part: Path) -> None:
    with part.open("wb") as file:
        for piece in answer.iter_content(PIECE):
            file.write(piece)
