"""Jobs: each is done by one worker, whatever happens to workers meanwhile."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from forks import and_killed, in_processes

from common.errors import BadArgument, JobLost, UnknownJob
from db.schema import jobs as table

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def jobs(database):
    return database.jobs


def test_a_job_goes_from_who_asks_to_who_does_it_and_back(jobs):
    asked = jobs.create("video", {"path": "ä.mp4", "every": [1, None]}, "key 1")
    assert (asked.state, asked.attempts, asked.worker, asked.started) == ("queued", 0, None, None)
    lease = jobs.claim("w1", ["reembed", "video"])
    assert (lease.job.id, lease.job.parameters) == (asked.id, {"path": "ä.mp4", "every": [1, None]})
    assert jobs.heartbeat(lease, 3, 10)
    seen = jobs.get(asked.id)
    assert (seen.state, seen.done, seen.total, seen.worker, seen.attempts) == ("running", 3, 10, "w1", 1)
    jobs.finish(lease, {"people": 2})
    ended = jobs.get(asked.id)
    assert (ended.state, ended.result, ended.error, ended.owner) == ("done", {"people": 2}, None, "key 1")
    assert ended.created <= ended.started <= ended.finished <= datetime.now(UTC) + timedelta(seconds=2)
    assert jobs.claim("w1", ["video"]) is None


def test_workers_get_jobs_of_their_kinds_oldest_first(jobs):
    ids = [jobs.create(kind).id for kind in ("a", "b", "a")]
    assert jobs.claim("w", ["b"]).job.id == ids[1]
    assert [jobs.claim("w", ["a", "b"]).job.id for _ in range(2)] == [ids[0], ids[2]]
    assert jobs.claim("w", ["a", "b"]) is None


def test_workers_in_two_processes_do_each_job_once(jobs):
    ids = [jobs.create("a", {"number": number}).id for number in range(24)]

    def work():
        done = []
        while lease := jobs.claim("w", ["a"]):
            jobs.finish(lease, {"twice": 2 * lease.job.parameters["number"]})
            done.append(lease.job.id)
            time.sleep(0.003)  # SQLite's lock is not fair: let the other one have it
        return done

    results = in_processes(work, work)
    assert sorted(sum(results, [])) == ids
    assert [jobs.get(each).result for each in ids] == [{"twice": 2 * number} for number in range(24)]


def test_a_killed_workers_job_is_taken_up_again_and_failed_after_the_last_attempt(jobs):
    job = jobs.create("a", attempts=2)
    other = jobs.create("a")

    def claim():
        return jobs.claim("victim", ["a"], lease_seconds=0.5).job.id

    assert and_killed(claim) == job.id
    assert jobs.get(job.id).state == "running"
    time.sleep(0.52)
    assert and_killed(claim) == job.id
    assert jobs.get(job.id).attempts == 2
    time.sleep(0.52)
    assert jobs.claim("w", ["a"]).job.id == other.id
    ended = jobs.get(job.id)
    assert ended.state == "failed" and "worker was lost" in ended.error and ended.finished is not None


def test_heartbeats_keep_a_job_beyond_its_first_lease(jobs):
    jobs.create("a")
    lease = jobs.claim("w1", ["a"], lease_seconds=0.6)
    for _ in range(3):
        time.sleep(0.25)
        assert jobs.heartbeat(lease)
    assert jobs.claim("w2", ["a"]) is None


def test_who_lost_a_job_can_neither_end_nor_keep_it(jobs):
    job = jobs.create("a")
    late = jobs.claim("w1", ["a"], lease_seconds=0.05)
    time.sleep(0.06)
    now = jobs.claim("w2", ["a"])
    assert now.job.id == job.id
    for call in (jobs.heartbeat, jobs.finish, jobs.cancelled, jobs.release, lambda lease: jobs.fail(lease, "x")):
        with pytest.raises(JobLost):
            call(late)
    assert jobs.heartbeat(now)
    jobs.finish(now)
    with pytest.raises(JobLost):
        jobs.fail(now, "after the end")
    assert jobs.get(job.id).state == "done"


def test_cancelling_stops_a_queued_job_at_once_and_a_running_one_by_its_worker(jobs):
    queued, running = jobs.create("a"), jobs.create("b")
    assert jobs.cancel(queued.id).state == "cancelled"
    assert jobs.claim("w", ["a"]) is None
    lease = jobs.claim("w", ["b"])
    assert jobs.heartbeat(lease)
    asked = jobs.cancel(running.id)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert not jobs.heartbeat(lease)
    jobs.cancelled(lease)
    assert jobs.get(running.id).state == jobs.cancel(running.id).state == "cancelled"


def test_a_job_that_is_to_stop_is_not_begun_again_when_its_worker_is_lost(jobs):
    first, second = jobs.create("a"), jobs.create("a")
    jobs.claim("w", ["a"], lease_seconds=0.7)
    jobs.claim("w", ["a"], lease_seconds=0.7)
    assert jobs.cancel(first.id).state == "running"
    time.sleep(0.72)
    assert jobs.cancel(second.id).state == "cancelled"
    assert jobs.claim("w", ["a"]) is None
    assert jobs.get(first.id).state == "cancelled"


def test_a_job_that_was_given_back_is_begun_anew_without_losing_an_attempt(jobs):
    jobs.create("a", attempts=1)
    lease = jobs.claim("w1", ["a"])
    jobs.heartbeat(lease, 5, 6)
    jobs.release(lease)
    again = jobs.claim("w2", ["a"])
    assert (again.job.attempts, again.job.done, again.job.worker) == (1, 0, "w2")


def test_lists_page_and_filter(jobs):
    ids = [jobs.create("ab"[i % 2], owner=f"o{i % 3}").id for i in range(9)]
    jobs.cancel(ids[3])
    assert [job.id for job in jobs.list()] == ids[::-1]
    assert [job.id for job in jobs.list(kind="b", owner="o0")] == [ids[3]]
    assert [job.id for job in jobs.list(state="cancelled")] == [ids[3]]
    first = jobs.list(limit=4)
    assert [job.id for job in [*first, *jobs.list(limit=9, before=first[-1].id)]] == ids[::-1]
    with pytest.raises(BadArgument, match="queued, running, done, failed, cancelled"):
        jobs.list(state="lost")


def test_what_is_out_of_range_is_refused_and_the_job_stays(jobs):
    for arguments in (("A b",), ("a", {"x": b""}), ("a", {"x": "y" * 70_000}), ("a", None, ""), ("a", None, None, 0)):
        with pytest.raises(BadArgument):
            jobs.create(*arguments)
    assert jobs.list() == []
    job = jobs.create("a")
    lease = jobs.claim("w", ["a"])
    for result in ({"x": "y" * 2**20}, {"x": object()}, [1]):
        with pytest.raises(BadArgument):
            jobs.finish(lease, result)
    for done in (-1, 1.5, True, 2**63):
        with pytest.raises(BadArgument):
            jobs.heartbeat(lease, done)
    jobs.fail(lease, "\ud800" + "x" * 9000)
    assert jobs.get(job.id).error == "?" + "x" * 4095
    with pytest.raises(UnknownJob):
        jobs.get(job.id + 1)
    with pytest.raises(UnknownJob):
        jobs.cancel(job.id + 1)


def test_only_jobs_that_ended_long_ago_are_removed(database, jobs):
    old, young, running, queued = (jobs.create(kind).id for kind in "abcd")
    for kind in "abc":
        lease = jobs.claim("w", [kind])
        if kind != "c":
            jobs.finish(lease)
    earlier = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=9)
    back = sa.update(table).where(table.c.id.in_([old, running, queued])).values(finished=earlier)
    database._connections.write(lambda connection: connection.execute(back) and None)
    assert jobs.expire(timedelta(days=7)) == 1
    assert [job.id for job in jobs.list()] == [queued, running, young]
