"""Several processes of the service on one database: what one has done is so for the next request to any other.

Which process answers is not left to chance. A connection is opened until it is held by the process that is meant, which
Linux tells: /proc/net/tcp has the number of the server's end of the connection, /proc/PID/fd who holds it.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import db
from tests.recognizer.service.serving import form

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks up in /proc who holds a connection")

ROOT = Path(__file__).parents[3]
ARENA = 64 * 2**20
LISTENING = "0A"
STARTED, ENDED = 60.0, 120.0  # seconds, of a machine that has much else to do
IDLE = 2.0  # seconds after which a connection may be about to be closed
ROUNDS = 50
SLOW = 4  # photos of a request that is to take a while
HELD_SECONDS = 5.0  # for which a process takes a key for what it was


class Process:
    """A process that answers, reached by a connection of its own.

    Attributes:
        pid: of the process.
    """

    def __init__(self, pid: int, port: int, secret: str):
        self.pid, self._port, self._secret = pid, port, secret
        self._client, self._used = None, 0.0

    def ask(self, method: str, path: str, secret: str | None = None, **request: Any) -> httpx.Response:
        """The answer of this process and no other."""
        if time.monotonic() - self._used > IDLE:
            self.connect()
        key = {"Authorization": f"Bearer {secret or self._secret}"}
        given = {"headers": key | request.pop("headers", {}), "extensions": {"trace": only_known}}
        answer = self._client.request(method, f"/v1/{path}", **given, **request)
        self._used = time.monotonic()
        return answer

    def enrol(self, name: str, photo: bytes, **request: Any) -> httpx.Response:
        """A photo into somebody."""
        return self.ask("POST", f"people/{name}/photos", files=form(photo), **request)

    def search(self, photo: bytes) -> str | None:
        """Who is in a photo of one face."""
        answer = self.ask("POST", "search", files=form(photo))
        assert answer.status_code == 200, answer.text
        [face] = answer.json()["photos"][0]["faces"]
        return face["name"]

    def another(self) -> "Process":
        """The same process by another connection."""
        return Process(self.pid, self._port, self._secret)

    def connect(self) -> None:
        """Open connections until one is held by this process."""
        self.close()
        until = time.monotonic() + STARTED
        while time.monotonic() < until:
            client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=60)
            ports = (self._port, own_port(client.get("/v1/health")))
            if any(holds(self.pid, each.number) for each in connections() if each.ports == ports):
                self._client, self._used = client, time.monotonic()
                return
            client.close()
        raise AssertionError(f"no connection gets to process {self.pid}")

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


class Connection:
    """One end of a connection, as Linux lists it: its port and that of the other end, its state and its number."""

    def __init__(self, line: str):
        fields = line.split()
        self.ports = tuple(int(address.partition(":")[2], 16) for address in fields[1:3])
        self.state, self.number = fields[3], fields[9]


def connections() -> list[Connection]:
    return [Connection(line) for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]


def own_port(answer: httpx.Response) -> int:
    """The client's port of the connection that an answer came by."""
    return answer.extensions["network_stream"].get_extra_info("client_addr")[1]


def only_known(event: str, _: dict[str, Any]) -> None:
    """Keep a client from opening another connection, which might be held by another process."""
    assert not event.startswith("connection.connect"), "the connection was lost"


def holds(pid: int, number: str) -> bool:
    """Whether a process has the end of a connection with that number."""
    with suppress(OSError):  # it has ended, or closed a file meanwhile
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(file.readlink()) == f"socket:[{number}]":
                    return True
    return False


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


class Server:
    """``recognizer serve`` as people start it, on any free port; each worker computes one request at a time.

    Args:
        url: of the database. folder: for everything else. workers: how many. secret: a key.
    """

    def __init__(self, url: str, folder: Path, workers: int, secret: str):
        folder.mkdir()
        self._workers, self._secret, self._log = workers, secret, (folder / "log").open("w+")
        own = {
            "RECOGNIZER_DATABASE": url, "RECOGNIZER_DATA": str(folder), "RECOGNIZER_SERVICE_KEYS": "required",
            "RECOGNIZER_SERVICE_PAGES": "false", "RECOGNIZER_SERVICE_INFERENCE_THREADS": "1",
            "RECOGNIZER_SERVICE_BATCH": "1", "RECOGNIZER_SERVICE_SHUTDOWN_SECONDS": str(ENDED), "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        command = [sys.executable, "-m", "recognizer.cli", "serve", "--port", "0", "--workers", str(workers)]
        self.process = subprocess.Popen(
            command, env=os.environ | own, cwd=folder, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def answering(self) -> list[Process]:
        """Its processes that answer, as soon as there are as many as there should be."""
        until = time.monotonic() + STARTED
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log()
            found = self.listening()
            if len(found) == self._workers:
                return found
            time.sleep(0.05)
        raise AssertionError(self.log())

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        """Kill what is left."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def listening(self) -> list[Process]:
        """Its processes that hold the port where it listens, without the one that only starts the others."""
        mine = [self.process.pid] if self._workers == 1 else children(self.process.pid)
        for each in connections():
            if each.state == LISTENING and (found := [pid for pid in mine if holds(pid, each.number)]):
                return [Process(pid, each.ports[0], self._secret) for pid in found]
        return []


@contextmanager
def serving(url: str, folder: Path, machines: int, workers: int) -> Iterator[SimpleNamespace]:
    """The service with two processes: ``first`` and ``second``."""
    with db.open(url) as database:
        secret = database.keys.create("tests", "admin").secret
    with ExitStack() as stack:
        servers = [Server(url, folder / str(number), workers, secret) for number in range(machines)]
        for server in servers:
            stack.callback(server.close)
        processes = [process for server in servers for process in server.answering()]
        for process in processes:
            stack.callback(process.close)
        first, second = processes
        assert first.pid != second.pid
        yield SimpleNamespace(servers=servers, first=first, second=second, both=(first, second))


@pytest.fixture(scope="module", params=["workers", "machines"])
def service(request, mobilefacenet_files, mtcnn_files, tmp_path_factory):
    """Two workers of one machine on SQLite, or two machines with a worker each on a server."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "workers":
        with serving(f"sqlite:///{folder}/people.db", folder, machines=1, workers=2) as running:
            yield running
        return
    server = request.getfixturevalue("database_server")
    database = server.new_database()
    try:
        with serving(server.url(database), folder, machines=2, workers=1) as running:
            yield running
    finally:
        server.drop(database)


@pytest.fixture
def group(sample_photo):
    """A large photo of six people, which takes long."""
    return sample_photo("t1").read_bytes()


@contextmanager
def sending(photo: bytes, *processes: Process) -> Iterator[list[Future]]:
    """Searches for all faces of a photo, several times over, on their way to each of the processes."""
    others = [process.another() for process in processes]
    for each in others:
        each.connect()
    with ThreadPoolExecutor(len(others)) as senders:
        yield [senders.submit(each.ask, "POST", "search", files=form(*[photo] * SLOW)) for each in others]
    for each in others:
        each.close()


def waiting(process: Process) -> int:
    """Requests that wait to be computed, as a process tells of itself and the other workers of its machine."""
    [line] = [each for each in process.ask("GET", "metrics").text.splitlines() if each.startswith("recognizer_queue ")]
    return round(float(line.split()[1]))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + STARTED
    while not condition():
        assert time.monotonic() < until


def megabytes(process: Process) -> float:
    """Memory that a process has at the moment."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def given_up(process: Process) -> dict[str, int]:
    """How often each thread of a process was at work and had to let another one go first."""
    threads = [(each.name, each / "status") for each in Path(f"/proc/{process.pid}/task").iterdir()]
    return {name: int(status.read_text().rpartition("nonvoluntary_ctxt_switches:")[2]) for name, status in threads}


def arenas(process: Process) -> int:
    """Pools of malloc besides the main one: each lies at a multiple of 64 MB, which it has to itself."""
    maps = [line.split() for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines()]
    begins = [int(each[0].partition("-")[0], 16) for each in maps if each[1] == "rw-p" and len(each) == 5]
    return sum(begin % ARENA == 0 for begin in begins)


def turns(service: SimpleNamespace) -> Iterator[tuple[Process, Process]]:
    """The two processes, this way round and the other, for ever."""
    return itertools.cycle([service.both, service.both[::-1]])


def test_who_says_to_be_ready_has_loaded_everything(service, pictures):
    for process in service.both:
        assert process.ask("GET", "ready").json() == {"status": "ready"}
        before = megabytes(process)
        assert process.search(pictures.biden) is None
        assert before > 0.9 * megabytes(process)


def test_the_threads_of_a_process_share_few_pools_of_memory(service, pictures):
    for process in service.both:
        with sending(pictures.biden, *[process] * 4):
            pass
        assert arenas(process) <= 2 * os.cpu_count(), "left alone there were 15 on 2 cores"


def test_threads_that_have_nothing_to_do_sleep(service, group):
    if len(service.servers) == 1:
        pytest.skip("a worker computes in one thread here, for which all others wait")
    before = given_up(service.first)
    with sending(group, *[service.first] * 4) as sent:
        pass
    assert [each.result().status_code for each in sent] == [200] * 4
    most = max(after - before.get(thread, 0) for thread, after in given_up(service.first).items())
    assert most < 4 * SLOW * 300, "a thread that asks over and over whether there is work did so 1230 times a photo"


def test_what_one_has_done_is_so_for_the_next_request_to_the_other(service, pictures):
    misses = []
    for number, (here, there) in zip(range(ROUNDS), turns(service)):
        name = f"Obama {number}"
        assert here.enrol(name, pictures.obama2).status_code == 201
        misses += [f"{name} is not known"] if there.search(pictures.obama) != name else []
        assert there.ask("DELETE", f"people/{name}", params={"undo_seconds": 0}).status_code == 200
        misses += [f"{name} is still known"] if here.search(pictures.obama) is not None else []
    assert misses == []


def test_a_name_a_deletion_and_its_undoing_are_true_for_the_other_at_once(service, pictures):
    for here, there in (service.both, service.both[::-1]):
        etag = here.enrol("Ann", pictures.obama2).headers["etag"]
        assert here.search(pictures.obama) == there.search(pictures.obama) == "Ann"
        assert there.ask("GET", "people/Ann").headers["etag"] == etag
        renamed = there.ask("PATCH", "people/Ann", json={"name": "Anna"}, headers={"If-Match": etag})
        assert renamed.status_code == 200 and here.search(pictures.obama) == "Anna"
        late = here.ask("PATCH", "people/Anna", json={"metadata": {}}, headers={"If-Match": etag})
        assert late.json()["code"] == "precondition_failed"
        token = here.ask("DELETE", "people/Anna").json()["undo"]["token"]
        assert there.search(pictures.obama) is None
        assert there.ask("POST", f"undo/{token}").status_code == 200 and here.search(pictures.obama) == "Anna"
        assert here.ask("POST", f"undo/{token}").json()["code"] == "nothing_to_undo"
        assert there.ask("DELETE", "people/Anna", params={"undo_seconds": 0}).status_code == 200


def test_a_threshold_and_a_new_name_of_a_gallery_count_for_the_other_at_once(service, pictures):
    for here, there in (service.both, service.both[::-1]):
        here.ask("POST", "galleries", json={"name": "staff"})
        staff = {"params": {"gallery": "staff"}}
        there.enrol("Ann", pictures.obama2, **staff)
        for threshold, name in ((0.99, None), (0.2, "Ann"), (None, "Ann")):
            changed = {"threshold": threshold and {"similarity": threshold}}
            assert here.ask("PATCH", "galleries/staff", json=changed).status_code == 200
            [face] = there.ask("POST", "search", files=form(pictures.obama), **staff).json()["photos"][0]["faces"]
            assert face["name"] == name
        there.ask("PATCH", "galleries/staff", json={"name": "guests"})
        assert here.ask("GET", "people", **staff).json()["code"] == "unknown_gallery"
        assert here.ask("GET", "people/Ann", params={"gallery": "guests"}).json()["photos"] == 1
        here.ask("DELETE", "galleries/guests")
        assert there.ask("GET", "people", params={"gallery": "guests"}).json()["code"] == "unknown_gallery"


def test_a_write_that_is_sent_again_to_the_other_is_answered_as_at_first_and_done_once(service, pictures):
    for here, there in (service.both, service.both[::-1]):
        once = {"headers": {"Idempotency-Key": f"enrol Ann by {here.pid}"}}
        first, again = (each.enrol("Ann", pictures.obama2, **once) for each in (here, there))
        assert again.content == first.content and again.headers["etag"] == first.headers["etag"]
        assert "idempotency-replayed" not in first.headers and again.headers["idempotency-replayed"] == "true"
        assert there.ask("GET", "people/Ann").json()["photos"] == 1
        assert there.enrol("Ann", pictures.obama3, **once).json()["code"] == "idempotency_conflict"
        here.ask("DELETE", "people/Ann", params={"undo_seconds": 0})


def test_the_same_write_sent_to_both_at_the_same_time_is_done_once(service, pictures):
    with ThreadPoolExecutor(2) as senders:
        for number in range(5):
            once = {"headers": {"Idempotency-Key": f"at once {number}"}}
            sent = [senders.submit(each.enrol, "Ann", pictures.obama2, **once) for each in service.both]
            answers = [each.result() for each in sent]
            assert {answer.status_code for answer in answers} <= {201, 409}
            assert service.first.ask("GET", "people/Ann").json()["photos"] == number + 1
    service.first.ask("DELETE", "people/Ann", params={"undo_seconds": 0})


def test_a_key_that_one_has_revoked_is_refused_by_the_other_within_five_seconds(service):
    here, there = service.both
    key = here.ask("POST", "keys", json={"name": "short", "role": "read"}).json()
    for each in service.both:
        assert each.ask("GET", "people", secret=key["secret"]).status_code == 200
    assert here.ask("DELETE", f"keys/{key['id']}").status_code == 200
    revoked, good = time.monotonic(), 0.0
    assert here.ask("GET", "people", secret=key["secret"]).status_code == 401
    while (asked := time.monotonic() - revoked) < STARTED:
        if there.ask("GET", "people", secret=key["secret"]).status_code == 401:
            break
        good = asked
        time.sleep(0.1)
    assert good < HELD_SECONDS


def test_a_worker_that_is_killed_is_replaced_and_meanwhile_the_other_one_answers(service, pictures, group):
    if len(service.servers) > 1:
        pytest.skip("a machine has one worker here, and whoever starts the service has to start it again")
    [server], survivor, victim = service.servers, *service.both
    survivor.enrol("Ann", pictures.obama2)
    with sending(group, victim, victim) as sent:
        wait_for(lambda: waiting(survivor) == 1)
        os.kill(victim.pid, signal.SIGKILL)
        for each in sent:
            with pytest.raises(httpx.TransportError):
                each.result()
    until, replaced = time.monotonic() + STARTED, []
    while time.monotonic() < until and not replaced:
        assert survivor.search(pictures.obama) == "Ann"
        replaced = [each for each in server.listening() if each.pid not in (survivor.pid, victim.pid)]
    [service.second] = replaced
    service.both = (survivor, service.second)
    assert service.second.search(pictures.obama) == "Ann"
    assert service.second.ask("DELETE", "people/Ann").status_code == 200 and survivor.search(pictures.obama) is None


def test_a_service_that_is_told_to_end_answers_what_it_has_accepted(service, group):
    with sending(group, *service.both * 3) as sent:
        told = service.both if len(service.servers) > 1 else service.both[:1]  # workers of a machine count together
        wait_for(lambda: sum(map(waiting, told)) == len(sent) - len(service.both))  # each computes one
        for server in service.servers:
            server.process.terminate()
        answers = [each.result() for each in sent]
    assert [answer.status_code for answer in answers] == [200] * len(sent)
    assert {len(photo["faces"]) for answer in answers for photo in answer.json()["photos"]} == {6}
    ended = 0 if len(service.servers) == 1 else -signal.SIGTERM  # uvicorn, alone, ends by the signal when it is done
    assert {server.process.wait(ENDED) for server in service.servers} == {ended}
    with pytest.raises(httpx.ConnectError):
        service.first.connect()
