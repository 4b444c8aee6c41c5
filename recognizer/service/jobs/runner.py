"""Does jobs: one thread of each process, which takes the oldest that nobody has."""

import json
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from common.errors import BadArgument, Cancelled, FaceError, JobLost, UnknownChoice
from db.jobs import MAX_RESULT_BYTES
from recognizer.service.errors import answer_of
from recognizer.service.jobs.folders import JobFolder, folders_of
from recognizer.service.jobs.kinds import FILED, KINDS
from recognizer.service.jobs.task import Stopped, Task

if TYPE_CHECKING:
    from db.jobs import Lease
    from recognizer.service.context import Services

POLL_SECONDS = 1.0
TROUBLE_SECONDS = 5.0  # until a database that cannot be read is asked again
SWEEP_SECONDS = 600.0
SHORTER = (100, 10, 0)  # items that the lists of a result keep, until it is small enough
OURS = "Something went wrong in the service. Its log says what, under the number of this job."

log = logging.getLogger("recognizer.service")


class Runner:
    """Does jobs from :meth:`start` to :meth:`stop`. Processes that have one share the work.

    Args:
        services: what the work is done with.
    """

    def __init__(self, services: "Services"):
        self._services, self._jobs = services, services.database.jobs
        self._folders = folders_of(services.settings)
        self._name = f"{socket.gethostname()[:200]} process {os.getpid()}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """Take no more; the job under way stops at its next step and is given back, for another worker to begin anew.

        What does not stop within so many seconds goes on until the process ends, and is then begun anew by whoever
        finds its lease run out.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def run_one(self) -> bool:
        """Do the oldest job that nobody has, in this thread; whether there was one. Raises DatabaseError."""
        lease = self._jobs.claim(self._name, self._folders.queues())
        if lease is not None:
            self._do(lease)
        return lease is not None

    def _run(self) -> None:
        swept = float("-inf")
        while not self._stopping.is_set():
            pause = POLL_SECONDS * random.uniform(0.8, 1.2)  # so that processes do not ask at the same moment
            try:
                if time.monotonic() - swept > SWEEP_SECONDS:
                    self.sweep()
                    swept = time.monotonic()
                pause = 0.0 if self.run_one() else pause
            except FaceError as error:
                log.warning("Jobs cannot be asked for: %s", error)
                pause = TROUBLE_SECONDS
            except Exception:
                log.exception("Jobs cannot be asked for.")
                pause = TROUBLE_SECONDS
            self._stopping.wait(pause)

    def sweep(self) -> int:
        """Remove the files of jobs that are no longer in the database; how many jobs'."""
        known, before = set(), None
        while page := self._jobs.list(before=before, limit=1000):
            known |= {(job.parameters or {}).get("folder") for job in page}
            before = page[-1].id
        return self._folders.sweep(known)

    def _do(self, lease: "Lease") -> None:
        folder = self._folders.find((lease.job.parameters or {}).get("folder"))
        task, ended = Task(lease, self._services, folder, self._stopping), threading.Event()
        beating = threading.Thread(target=task.beat, args=(self._jobs, ended), name="heartbeat", daemon=True)
        beating.start()
        try:
            self._settle(lease, task)
        except JobLost as error:
            log.warning("%s", error)
        finally:
            ended.set()
            beating.join()

    def _settle(self, lease: "Lease", task: Task) -> None:
        """Do the work, store what came of it, and only then remove files: an end that cannot be stored is begun anew.

        Raises:
            JobLost, DatabaseError.
        """
        try:
            result = _work(lease.job.kind, task)(task)
        except Stopped:
            self._jobs.release(lease)
        except JobLost:
            raise
        except Cancelled:
            self._jobs.cancelled(lease)
            _remove(task.folder)
        except FaceError as error:
            log.warning("Job %d: %s: %s", lease.job.id, type(error).__name__, error)
            self._fail(lease, task.folder, _told(error, task.folder))
        except Exception:
            log.exception("Job %d", lease.job.id)
            self._fail(lease, task.folder, OURS)
        else:
            self._jobs.heartbeat(lease, *task.progress)
            self._finish(lease, task.folder, result)

    def _finish(self, lease: "Lease", folder: JobFolder | None, result: dict[str, Any] | None) -> None:
        try:
            self._jobs.finish(lease, _fitting(result))
        except BadArgument as error:  # too large a result
            self._fail(lease, folder, str(error))
            return
        if folder is not None:
            folder.forget_inputs()

    def _fail(self, lease: "Lease", folder: JobFolder | None, error: str) -> None:
        self._jobs.fail(lease, error)
        _remove(folder)


def kind_of(queue: str) -> str:
    """The kind of a job, from the name that it is queued under."""
    return queue.partition(".")[0]


def _work(queue: str, task: Task) -> Callable[[Task], dict[str, Any] | None]:
    """What does a job. Raises UnknownChoice, BadArgument."""
    kind = kind_of(queue)
    if kind not in KINDS:
        raise UnknownChoice(f"This release knows no job of the kind {kind!r:.40}.")
    if kind in FILED and task.folder is None:
        raise BadArgument("The files of this job are gone: ask for it again.")
    return KINDS[kind]


def _fitting(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """A result that is not too large to be kept, because its lists are cut short."""
    if result is None or _size(result) <= MAX_RESULT_BYTES:
        return result
    for most in SHORTER:
        result = {key: _first(value, most) for key, value in result.items()} | {"shortened": True}
        if _size(result) <= MAX_RESULT_BYTES:
            break
    return result


def _first(value: Any, most: int) -> Any:
    if isinstance(value, dict):
        return dict(list(value.items())[:most])
    return value[:most] if isinstance(value, list) else value


def _size(result: dict[str, Any]) -> int:
    return len(json.dumps(result, ensure_ascii=False).encode())


def _remove(folder: JobFolder | None) -> None:
    if folder is not None:
        folder.remove()


def _told(error: FaceError, folder: JobFolder | None) -> str:
    """An error for who asked for the job: without paths of this machine, nor the service's own trouble."""
    if answer_of(error).status >= 500:
        return OURS
    text = str(error)
    if folder is not None:
        for path in (folder.inputs, folder.outputs, folder.path):
            text = text.replace(f"{path}{os.sep}", "").replace(str(path), "the file")
    return text
