"""Jobs: long work that one process asks for and another one does, with progress, cancelling and a result.

    job = database.jobs.create("reembed", {"model": "buffalo_l"}, owner="key 3f9a2b1c4d5e")

    lease = database.jobs.claim("worker 1", ["reembed"])         # in any process of any machine
    while ...: database.jobs.heartbeat(lease, done, total)       # False: somebody wants it cancelled
    database.jobs.finish(lease, {"people": 17})

A worker has a job for as long as its lease, which each heartbeat renews. Where it runs out, because the worker was
killed, cut off or hung, the next claim takes the job up again from the beginning, so what a job does must bear being
begun twice. A job that has lost ``attempts`` workers is marked failed: it may be what kills them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import sqlalchemy as sa

from common.errors import BadArgument, JobLost, UnknownJob
from db import checks, clock
from db.connections import Connections
from db.schema import jobs

State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES = ("queued", "running", "done", "failed", "cancelled")
ENDED = ("done", "failed", "cancelled")
LEASE_SECONDS = 60.0
ATTEMPTS = 3
MAX_PARAMETERS_BYTES = 65_536
MAX_RESULT_BYTES = 2**20
MAX_ERROR_CHARACTERS = 4096
PORTION = 500  # jobs that one transaction removes


@dataclass(frozen=True)
class Job:
    """A job as it is in the database.

    Attributes:
        id: number within the database.
        kind, parameters: what is to be done.
        owner: who asked for it.
        state: one of :data:`STATES`.
        done, total: how far it is, in the worker's own unit; ``total`` is None where nobody knows.
        attempts: how many workers have taken it up so far.
        cancel_requested: whether somebody wants it to stop.
        worker: who has it, or had it last.
        result: of a job that is done.
        error: of one that failed, in a sentence.
        created, started, finished: in UTC.
    """

    id: int
    kind: str
    owner: str | None
    parameters: dict[str, Any] | None = field(repr=False)
    state: State
    done: int
    total: int | None
    attempts: int
    cancel_requested: bool
    worker: str | None
    result: dict[str, Any] | None = field(repr=False)
    error: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True)
class Lease:
    """A job in the hands of a worker.

    Attributes:
        job: as it was when it was claimed.
        seconds: for which it is the worker's from each heartbeat on.
    """

    job: Job
    seconds: float
    _token: str = field(repr=False)


class Jobs:
    """The jobs of a database. May be used from several threads; each method raises DatabaseError."""

    def __init__(self, connections: Connections):
        self._connections = connections

    def create(
        self, kind: str, parameters: dict[str, Any] | None = None, owner: str | None = None, attempts: int = ATTEMPTS
    ) -> Job:
        """Ask for work.

        Args:
            kind: 1 to 64 of a-z, 0-9, '.', '_', '-'; workers claim jobs by it.
            parameters: JSON values, at most 64 KiB.
            owner: whom the job is for, 1 to 255 printable characters.
            attempts: how many workers may begin it, at most.

        Raises:
            BadArgument: out of range.
        """
        values = {
            "kind": checks.word(kind, "The kind of a job"),
            "parameters": checks.document(parameters, "The parameters of a job", MAX_PARAMETERS_BYTES),
            "owner": None if owner is None else checks.text(owner, "The owner of a job"),
            "most_attempts": checks.positive(attempts, "The attempts of a job"),
        }
        start = {"state": "queued", "done": 0, "attempts": 0, "cancel_requested": False}

        def work(connection: sa.Connection) -> Job:
            row = values | start | {"created": clock.read(connection)}
            return _require(connection, connection.execute(sa.insert(jobs).values(row)).inserted_primary_key[0])

        return self._connections.write(work)

    def get(self, job_id: int) -> Job:
        """One job. Raises UnknownJob."""
        return self._connections.read(lambda connection: _require(connection, job_id))

    def claim(self, worker: str, kinds: Sequence[str], lease_seconds: float = LEASE_SECONDS) -> Lease | None:
        """The oldest job of some kinds that nobody has; None where there is none. No other worker gets it.

        Jobs whose worker's lease ran out come first: they are taken up again or, after their last attempt, failed.

        Raises:
            BadArgument: out of range.
        """
        worker, token = checks.text(worker, "The name of a worker"), uuid4().hex
        wanted = jobs.c.kind.in_([checks.word(kind, "The kind of a job") for kind in kinds])
        lease = checks.lifetime(lease_seconds, "A lease")
        if not self._connections.read(lambda connection: _is_one_free(connection, wanted)):
            return None  # workers ask all the time: without a transaction that writes

        def work(connection: sa.Connection) -> Lease | None:
            moment = clock.read(connection)
            job_id = _lapsed(connection, wanted, moment)
            if job_id is None:
                job_id = _first(connection, wanted & (jobs.c.state == "queued"))
            if job_id is None:
                return None
            values = {
                "state": "running",
                "worker": worker,
                "lease": token,
                "leased_until": moment + lease,
                "attempts": jobs.c.attempts + 1,
                "started": moment,
                "done": 0,
                "total": None,
            }
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(values))
            return Lease(_require(connection, job_id), lease.total_seconds(), token)

        return self._connections.write(work)

    def heartbeat(self, lease: Lease, done: int | None = None, total: int | None = None) -> bool:
        """Keep a job for another lease, and tell how far it is.

        Returns:
            Whether to go on; False where somebody wants it to stop: then call :meth:`cancelled`.

        Raises:
            JobLost: the lease ran out and another worker has the job: stop, and store nothing more.
            BadArgument: not counts.
        """
        values = {name: _count(value) for name, value in (("done", done), ("total", total)) if value is not None}

        def work(connection: sa.Connection) -> bool:
            kept = {"leased_until": clock.read(connection) + timedelta(seconds=lease.seconds)}
            _change(connection, lease, values | kept)
            return not connection.scalar(sa.select(jobs.c.cancel_requested).where(jobs.c.id == lease.job.id))

        return self._connections.write(work)

    def finish(self, lease: Lease, result: dict[str, Any] | None = None) -> None:
        """Mark a job as done. Raises JobLost; BadArgument where the result is above 1 MiB, or no JSON."""
        self._end(lease, "done", result=checks.document(result, "The result of a job", MAX_RESULT_BYTES))

    def fail(self, lease: Lease, error: str) -> None:
        """Mark a job as failed, with a sentence for who asked for it. Raises JobLost."""
        self._end(lease, "failed", error=str(error).encode("utf-8", "replace").decode()[:MAX_ERROR_CHARACTERS])

    def cancelled(self, lease: Lease) -> None:
        """Mark a job as cancelled, after what :meth:`heartbeat` answered. Raises JobLost."""
        self._end(lease, "cancelled")

    def release(self, lease: Lease) -> None:
        """Give a job back, for another worker to begin anew, as when this one is told to stop. Raises JobLost."""
        freed = {"state": "queued", "lease": None, "leased_until": None, "attempts": jobs.c.attempts - 1, "done": 0}
        self._connections.write(lambda connection: _change(connection, lease, freed))

    def cancel(self, job_id: int) -> Job:
        """Ask for a job to be stopped; one that nobody has is cancelled at once, one that has ended stays so.

        Raises:
            UnknownJob: there is none of that id.
        """

        def work(connection: sa.Connection) -> Job:
            _require(connection, job_id, lock=True)
            moment, this = clock.read(connection), jobs.c.id == job_id
            idle = (jobs.c.state == "queued") | ((jobs.c.state == "running") & (jobs.c.leased_until <= moment))
            ended = {"state": "cancelled", "finished": moment, "cancel_requested": True, "lease": None}
            if not connection.execute(sa.update(jobs).where(this, idle).values(ended)).rowcount:
                running = this & (jobs.c.state == "running")
                connection.execute(sa.update(jobs).where(running).values(cancel_requested=True))
            return _require(connection, job_id)

        return self._connections.write(work)

    def expire(self, older_than: timedelta) -> int:
        """Remove jobs that ended longer ago than that, portion by portion; how many. Raises BadArgument."""
        older_than, removed = checks.age(older_than, "The age of jobs"), 0

        def work(connection: sa.Connection) -> int:
            old = jobs.c.state.in_(ENDED) & (jobs.c.finished < clock.read(connection) - older_than)
            ids = connection.scalars(sa.select(jobs.c.id).where(old).order_by(jobs.c.id).limit(PORTION)).all()
            return connection.execute(sa.delete(jobs).where(jobs.c.id.in_(ids))).rowcount if ids else 0

        while portion := self._connections.write(work):
            removed += portion
        if removed:
            self._connections.erase_log()
        return removed

    def list(
        self,
        *,
        owner: str | None = None,
        kind: str | None = None,
        state: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Jobs that match all that is given, the latest first.

        Args:
            before: only jobs older than the one of this id: the last of the page before.
            limit: at most so many, up to 1000.

        Raises:
            BadArgument: out of range, or no such state.
        """
        if state is not None and state not in STATES:
            raise BadArgument(f"Unknown state {state!r:.40}. Expected one of: {', '.join(STATES)}.")
        equal = {"owner": owner, "kind": kind, "state": state}
        conditions = [jobs.c[name] == str(value) for name, value in equal.items() if value is not None]
        if before is not None:
            conditions.append(jobs.c.id < checks.positive(before, "The id of a job"))
        selected = sa.select(*_columns).where(*conditions).order_by(jobs.c.id.desc()).limit(checks.page(limit))
        return self._connections.read(lambda connection: [_job(row) for row in connection.execute(selected)])

    def _end(self, lease: Lease, state: State, **values: Any) -> None:
        def work(connection: sa.Connection) -> None:
            ended = {"state": state, "finished": clock.read(connection), "lease": None, "leased_until": None}
            _change(connection, lease, values | ended)

        self._connections.write(work)


_columns = (
    jobs.c.id, jobs.c.kind, jobs.c.owner, jobs.c.parameters, jobs.c.state, jobs.c.done, jobs.c.total, jobs.c.attempts,
    jobs.c.cancel_requested, jobs.c.worker, jobs.c.result, jobs.c.error, jobs.c.created, jobs.c.started,
    jobs.c.finished,
)  # fmt: skip


def _job(row: sa.Row) -> Job:
    return Job(*row[:12], *map(clock.told, row[12:]))


def _require(connection: sa.Connection, job_id: int, lock: bool = False) -> Job:
    """A job; ``lock`` keeps others from changing it until the transaction ends."""
    chosen = sa.select(*_columns).where(jobs.c.id == checks.positive(job_id, "The id of a job"))
    row = connection.execute(chosen.with_for_update() if lock else chosen).one_or_none()
    if row is None:
        raise UnknownJob(f"There is no job {job_id}: it has ended and was removed since, or there never was one.")
    return _job(row)


def _is_one_free(connection: sa.Connection, wanted: sa.ColumnElement[bool]) -> bool:
    lapsed = (jobs.c.state == "running") & (jobs.c.leased_until <= clock.read(connection))
    for free in (jobs.c.state == "queued", lapsed):
        if connection.scalar(sa.select(jobs.c.id).where(wanted, free).limit(1)) is not None:
            return True
    return False


def _first(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> int | None:
    """The oldest job that meets a condition, passing over those that another worker is just taking."""
    chosen = sa.select(jobs.c.id).where(condition).order_by(jobs.c.id).limit(1)
    return connection.scalar(chosen.with_for_update(skip_locked=True))


def _lapsed(connection: sa.Connection, wanted: sa.ColumnElement[bool], moment: datetime) -> int | None:
    """The oldest job whose lease ran out and that is to be begun again; those that are not are ended."""
    lapsed = wanted & (jobs.c.state == "running") & (jobs.c.leased_until <= moment)
    ended = {"finished": moment, "lease": None, "leased_until": None}
    lost = {"state": "failed", "error": "Its worker was lost each time that it was begun; see the workers' logs."}
    while (job_id := _first(connection, lapsed)) is not None:
        this = jobs.c.id == job_id
        row = connection.execute(sa.select(jobs.c.cancel_requested, jobs.c.attempts, jobs.c.most_attempts).where(this))
        cancel_requested, attempts, most = row.one()
        if not cancel_requested and attempts < most:
            return job_id
        values = ended | ({"state": "cancelled"} if cancel_requested else lost)
        connection.execute(sa.update(jobs).where(this).values(values))
    return None


def _change(connection: sa.Connection, lease: Lease, values: dict[str, Any]) -> None:
    mine = (jobs.c.id == lease.job.id) & (jobs.c.lease == lease._token) & (jobs.c.state == "running")
    if not connection.execute(sa.update(jobs).where(mine).values(values)).rowcount:
        raise JobLost(
            f"Job {lease.job.id} is no longer this worker's: its lease ran out. Stop the work, and store nothing more."
        )


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise BadArgument(f"The progress of a job is a whole number from 0, not {value!r:.40}.")
    return value
