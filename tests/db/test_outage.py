"""The server stops, is killed, hangs and comes back while clients work: errors in time, nothing lost, nothing twice."""

import json
import time
from collections import Counter

import pytest
from gallery_process import check_exact, embedding, faces, gallery_of

import db
from common.errors import DatabaseError

SHORT = 3.0  # seconds a call may try
SLACK = 4.0  # what the driver, which waits for whole seconds, and a busy machine may add


class Load:
    """A client in a process of its own, whose threads write and read all the time."""

    def __init__(self, start, url, path, timeout):
        self._path = path
        self._process = start("load", url, path, timeout)
        assert self._process.stdout.readline() == "ready\n"
        self.wait_for_success_after(0)

    def calls(self):
        """Those that have ended: (when they began, ended, what, seed, error)."""
        lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_for_success_after(self, moment, count=40):
        """Until ``count`` calls that began after ``moment`` have succeeded in each way."""
        deadline = time.monotonic() + 30
        while True:
            done = Counter(what for began, _, what, _, error in self.calls() if began > moment and error is None)
            if min(done["add"], done["read"]) >= count:
                return
            assert self._process.poll() is None and time.monotonic() < deadline, done
            time.sleep(0.05)

    def end(self):
        self._process.stdin.close()
        assert self._process.wait(timeout=30) == 0
        return self.calls()


@pytest.fixture
def load(start, tmp_path):
    return lambda url, timeout: Load(start, url, tmp_path / "calls", timeout)


def check_nothing_lost_and_nothing_twice(url, calls):
    with db.open(url) as database:
        gallery = gallery_of(database)
        stored = Counter(int(face.source) for person in gallery.people() for face in gallery.faces(person.name))
        assert set(stored.values()) == {1}
        assert stored.total() == gallery.revision()
        added = {seed: error for _, _, what, seed, error in calls if what == "add"}
        assert stored.keys() >= {seed for seed, error in added.items() if error is None}
        assert stored.keys() <= added.keys()
        check_exact(gallery)


def test_a_server_killed_under_load_and_started_again_at_once_costs_no_call(private_server, server_url, load):
    client = load(server_url, timeout=20)
    for _ in range(5):
        private_server.kill()
        private_server.start()
        client.wait_for_success_after(time.monotonic(), count=10)
    calls = client.end()
    assert [error for *_, error in calls if error] == []
    check_nothing_lost_and_nothing_twice(server_url, calls)


@pytest.mark.parametrize("outage", ["stop", "pause"])
def test_calls_during_an_outage_are_clear_errors_in_time_and_work_again_after_it(
    private_server, server_url, load, outage
):
    client = load(server_url, SHORT)
    began = time.monotonic()
    getattr(private_server, outage)()
    time.sleep(3 * SHORT)
    assert any(error for *_, error in client.calls())
    private_server.restore()
    back = time.monotonic()
    client.wait_for_success_after(back)
    calls = client.end()
    for call in calls:
        assert call[1] - call[0] < SHORT + SLACK, call
        if call[4]:
            assert began - SLACK < call[1] < back + SHORT + SLACK, call
            check_message(call[4], private_server)
    check_nothing_lost_and_nothing_twice(server_url, calls)


def check_message(error, server):
    assert error.startswith(f"mysql://{server.address.host}:{server.port}/recognizer_test_")
    assert len(error.splitlines()) == 1
    assert any(advice in error for advice in ("try again", "Try again", "try later", "start it")), error


@pytest.mark.parametrize("outage", ["stop", "pause"])
def test_opening_during_an_outage_is_one_clear_error_in_time(private_server, server_url, outage):
    db.open(server_url).close()
    getattr(private_server, outage)()
    began = time.monotonic()
    with pytest.raises(DatabaseError) as caught:
        db.open(server_url, timeout=SHORT)
    assert time.monotonic() - began < SHORT + SLACK
    check_message(str(caught.value), private_server)


def test_a_client_that_was_idle_during_a_restart_notices_nothing(private_server, server_url):
    with db.open(server_url) as database:
        gallery = gallery_of(database)
        gallery.add("Ann", faces(1))
        for restart in (private_server.stop, private_server.kill):
            restart()
            private_server.start()
            assert gallery.revision() == gallery.person("Ann").count
            gallery.add("Ann", faces(2))
        assert gallery.person("Ann").count == gallery.revision() == 3


def test_what_was_reported_as_stored_survives_a_kill_of_the_server(private_server, server_url):
    with db.open(server_url) as database:
        gallery = gallery_of(database)
        for seed in range(20):
            gallery.add("Ann", faces(seed))
            if seed % 5 == 0:
                private_server.kill()
                private_server.start()
        assert [face.embedding.tolist() for face in gallery.faces("Ann")] == [embedding(i).tolist() for i in range(20)]
