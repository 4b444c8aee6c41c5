"""The audit log: what is found in it, what it refuses to hold, and how long."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from forks import in_processes

from common.errors import BadArgument, BadName
from db import audit
from db.audit import Entry
from db.schema import audit_entries

FAMILY = "👨\u200d👩\u200d👧"


@pytest.fixture
def log(database):
    return database.audit


def age(database, entry_id, days):
    """Make an entry older."""
    earlier = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    chosen = sa.update(audit_entries).where(audit_entries.c.id == entry_id).values(moment=earlier)
    database._connections.write(lambda connection: connection.execute(chosen) and None)


def test_an_entry_comes_back_as_it_was_with_its_moment_in_utc(log):
    before = datetime.now(UTC) - timedelta(seconds=2)
    given = Entry("key 1", "person.add", "refused", "staff", FAMILY, "r-1", {"photos": 2, "why": "blur", "x": None})
    log.append(given)
    [entry] = log.entries()
    assert before < entry.moment < datetime.now(UTC) + timedelta(seconds=2)
    assert Entry(*(getattr(entry, name) for name in list(vars(given))[:7])) == given


def test_moments_on_a_server_are_by_its_clock_whatever_the_clients_say(database, log, monkeypatch):
    monkeypatch.setattr("db.clock.now", lambda: datetime(2020, 1, 1))
    log.append(Entry("a", "x"))
    wrong = abs(log.entries()[0].moment - datetime.now(UTC)) > timedelta(minutes=1)
    assert wrong == database._connections.is_sqlite  # which is on the client's machine


def test_filters_and_pages_find_each_entry_once_latest_first(log):
    log.append(
        *(Entry(f"a{i % 2}", f"x.{i % 3}", person=f"p{i % 5}", gallery="g", request_id=f"r{i}") for i in range(30))
    )
    everything = log.entries()
    assert [int(entry.request_id[1:]) for entry in everything] == list(range(29, -1, -1))
    found, before = [], None
    while page := log.entries(actor="a1", person="p3", before=before, limit=2):
        found += [int(entry.request_id[1:]) for entry in page]
        before = page[-1].id
    assert found == [i for i in range(29, -1, -1) if i % 2 == 1 and i % 5 == 3]
    assert {entry.action for entry in log.entries(action="x.2")} == {"x.2"}
    assert len(log.entries(request_id="r7")) == 1 and log.entries(gallery="other") == []


def test_a_span_of_time_has_its_beginning_and_not_its_end(database, log):
    log.append(Entry("a", "x"), Entry("a", "x"), Entry("a", "x"))
    ids = [entry.id for entry in log.entries()]
    for number, each in enumerate(ids):
        age(database, each, number)
    moments = [entry.moment for entry in log.entries()]
    assert [entry.id for entry in log.entries(since=moments[1], until=moments[0])] == [ids[1]]
    with pytest.raises(BadArgument, match="time zone"):
        log.entries(since=datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"details": {"embedding": [0.1] * 8}}, {"details": {"photo": b"\xff\xd8"}}, {"details": {"photo": "A" * 256}},
        {"details": {"nested": {"a": 1}}}, {"details": {"x": float("nan")}}, {"details": {1: "x"}},
        {"details": {f"x{i}": i for i in range(17)}}, {"details": "text"}, {"actor": ""}, {"actor": "a\nb"},
        {"action": "Add a person"}, {"action": "x" * 65}, {"outcome": None}, {"request_id": "r" * 65},
        {"actor": "rk_0123456789ab_" + "0" * 64}, {"details": {"header": "Bearer rk_0123456789ab_" + "f" * 64}},
        {"person": "x" * 256}, {"gallery": "a\tb"},
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_belong_into_a_log_is_refused_with_all_of_its_call(wrong):
    with pytest.raises((BadArgument, BadName)) as refused:
        audit.Audit(None).append(Entry("a", "x"), Entry(**({"actor": "a", "action": "x"} | wrong)))
    assert "0000" not in str(refused.value) and "ffff" not in str(refused.value)


def test_only_entries_above_an_age_are_removed(database, log, monkeypatch):
    monkeypatch.setattr(audit, "PORTION", 2)
    log.append(*(Entry("a", "x", request_id=str(i)) for i in range(8)))
    for entry in log.entries():
        age(database, entry.id, int(entry.request_id))
    assert log.expire(timedelta(days=2.5)) == 5
    assert [entry.request_id for entry in log.entries()] == ["2", "1", "0"]
    for wrong in (timedelta(), timedelta(days=-1), 7, timedelta.max):
        with pytest.raises(BadArgument):
            log.expire(wrong)
    assert len(log.entries()) == 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_entries_of_two_processes_are_all_there(log):
    def write(actor):
        for number in range(20):
            log.append(Entry(actor, "x", request_id=str(number)))

    in_processes(lambda: write("a"), lambda: write("b"))
    for actor in "ab":
        assert [int(entry.request_id) for entry in log.entries(actor=actor)] == list(range(19, -1, -1))


def test_a_page_is_bounded(log):
    for limit in (0, -1, 1001, "5", None):
        with pytest.raises(BadArgument):
            log.entries(limit=limit)
