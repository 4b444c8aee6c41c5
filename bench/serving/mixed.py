"""What a team does all day, in ten minutes: eight clients do everything in turn; memory is watched, errors counted."""

import io
import json
import random
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import quote

from bench.report import Table, progress
from bench.serving.calls import Calls
from bench.serving.outcome import Outcome, Place
from bench.serving.photos import portrait
from bench.serving.running import Sampler, Service
from bench.serving.workers import percentile

CLIENTS = 8
PHOTOS = ("obama", "obama2", "obama3", "biden")
SIDES = (480, 560)  # width and height of what is enrolled and asked about
OWN = 6  # people that a client has enrolled, about
JOBS_EVERY = 30.0  # seconds
JOB_SECONDS = 60.0  # until a job is done, at most
LAST_JOB = 30.0  # seconds before the end
# Of a hundred requests of a client; jobs come besides.
OFTEN = {
    "search": 45, "verify": 10, "list": 10, "enrol": 8, "add a photo": 4, "update": 7, "crop": 6, "delete": 6,
    "delete and undo": 4,
}  # fmt: skip
EARLY, LATE = (0.1, 0.3), (0.9, 1.0)  # shares of the time: minute 2 and 3, and the last one, of ten


@dataclass
class Client:
    """One of those who use the service.

    Attributes:
        people: names that it has enrolled, and that are there.
    """

    number: int
    calls: Calls
    photos: list[bytes]
    people: list[str] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.number)

    def act(self) -> None:
        """Do one thing."""
        [chosen] = self.random.choices(list(OFTEN), OFTEN.values())
        if chosen in NEEDS_SOMEBODY and not self.people:
            chosen = "enrol"
        if chosen == "enrol" and len(self.people) > 2 * OWN:
            chosen = "delete"
        ACTIONS[chosen](self)

    def photo(self) -> bytes:
        """One of the photos."""
        return self.random.choice(self.photos)

    def somebody(self) -> str:
        """The address of one of its people."""
        return address(self.random.choice(self.people))


def address(name: str) -> str:
    """Where a person is."""
    return f"/v1/people/{quote(name, safe='')}"


def search(client: Client) -> None:
    """Who is in a photo?"""
    client.calls.send("search", "/v1/search?top=3", [client.photo()])


def verify(client: Client) -> None:
    """Are two photos of one person?"""
    client.calls.send("verify", "/v1/verify", [client.photo(), client.photo()])


def listed(client: Client) -> None:
    """Two pages of everyone."""
    page = client.calls.ask("list", "GET", "/v1/people?limit=100")
    if page and page["next_cursor"]:
        client.calls.ask("list", "GET", f"/v1/people?limit=100&cursor={quote(page['next_cursor'])}")


def enrol(client: Client) -> None:
    """Somebody new."""
    client.made += 1
    name = f"Zoe {client.number}-{client.made}"
    if client.calls.send("enrol", "/v1/people", [client.photo()], {"name": name}):
        client.people.append(name)


def add(client: Client) -> None:
    """Another photo of somebody."""
    client.calls.send("add a photo", f"{client.somebody()}/photos", [client.photo()])


def update(client: Client) -> None:
    """Other metadata, and now and then another name."""
    name = client.random.choice(client.people)
    change: dict[str, object] = {"metadata": {"seen": client.random.randrange(1000)}}
    if client.random.random() < 0.3:
        change["name"] = f"{name}*"[-40:]
    if client.calls.ask("update", "PATCH", address(name), change) and "name" in change:
        client.people[client.people.index(name)] = str(change["name"])


def crop(client: Client) -> None:
    """The face that was kept of a photo."""
    where = client.somebody()
    found = client.calls.ask("photos", "GET", f"{where}/photos")
    if found:
        client.calls.fetch("crop", f"{where}/photos/{found['photos'][0]['id']}/crop")


def delete(client: Client) -> None:
    """Forget somebody; it can be undone for some seconds, and is not."""
    name = client.people.pop(client.random.randrange(len(client.people)))
    client.calls.ask("delete", "DELETE", f"{address(name)}?undo_seconds=20")


def delete_and_undo(client: Client) -> None:
    """Forget somebody, and take it back."""
    gone = client.calls.ask("delete", "DELETE", client.somebody())
    if gone:
        client.calls.ask("undo", "POST", f"/v1/undo/{gone['undo']['token']}")


ACTIONS: dict[str, Callable[[Client], None]] = {
    "search": search, "verify": verify, "list": listed, "enrol": enrol, "add a photo": add, "update": update,
    "crop": crop, "delete": delete, "delete and undo": delete_and_undo,
}  # fmt: skip
NEEDS_SOMEBODY = {"add a photo", "update", "crop", "delete", "delete and undo"}


def measure(place: Place) -> Outcome:
    """Let the clients act for as long as was asked for."""
    seconds = 60 * place.minutes
    photos = [portrait(name, SIDES) for name in PHOTOS]
    with Service(place.folder / "service", place.url, store_crops="true") as service:
        clients = [Client(number, Calls(service.port), photos) for number in range(CLIENTS)]
        jobs = Calls(service.port)
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=_go, args=(client, until)) for client in clients]
        threads.append(threading.Thread(target=_jobs, args=(jobs, photos, until)))
        with Sampler(service) as sampler:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        peak, is_alive = service.memory("VmHWM"), service.is_alive
        status = service.close()
    all_calls = [client.calls for client in clients] + [jobs]
    done: dict[str, list[float]] = {}
    for calls in all_calls:
        for kind, taken in calls.seconds.items():
            done.setdefault(kind, []).extend(taken)
    errors = [error for calls in all_calls for error in calls.errors]
    for error in errors[:20]:
        progress(f"  error: {error}")
    if not is_alive or status not in (0, -15):
        errors.append(f"the service ended with status {status}")
    data = {"seconds": done, "errors": errors, "memory": sampler.samples, "peak": peak, "lasted": seconds}
    return Outcome(
        [requests(done, errors, seconds), memory(sampler, seconds, peak)], data,
        {"mixed load": f"{sum(map(len, done.values()))} requests in {place.minutes:g} minutes, {len(errors)} errors"},
    )  # fmt: skip


def requests(done: dict[str, list[float]], errors: list[str], seconds: float) -> Table:
    """One row a kind of request."""
    rows = [
        [kind, str(len(taken)), f"{len(taken) / seconds:.2f}", f"{percentile(taken, 0.5):.0f}",
         f"{percentile(taken, 0.99):.0f}", str(sum(error.startswith(f"{kind}:") for error in errors))]
        for kind, taken in sorted(done.items(), key=lambda item: -len(item[1]))
    ]  # fmt: skip
    columns = ["request", "number", "per second", "p50, ms", "p99, ms", "errors"]
    return Table(f"Mixed load of {CLIENTS} clients", columns, rows)


def memory(sampler: Sampler, seconds: float, peak: float) -> Table:
    """What the service had in memory early and late."""
    early, late = (median(sampler.between(a * seconds, b * seconds) or [float("nan")]) for a, b in (EARLY, LATE))
    rows = [
        [f"{EARLY[0] * seconds:.0f} to {EARLY[1] * seconds:.0f} s", f"{early:.0f}", "-"],
        [f"{LATE[0] * seconds:.0f} to {LATE[1] * seconds:.0f} s", f"{late:.0f}", f"{100 * (late / early - 1):+.1f} %"],
        ["peak", f"{peak:.0f}", "-"],
    ]
    return Table("Memory of the service under mixed load, medians", ["time", "MB", "change"], rows)


def _go(client: Client, until: float) -> None:
    while time.monotonic() < until:
        client.act()
    client.calls.close()


def _jobs(calls: Calls, photos: list[bytes], until: float) -> None:
    """Now and then a small archive is enrolled, or the gallery exported; what came of it is fetched and removed."""
    number = 0
    while time.monotonic() < until - LAST_JOB:
        number += 1
        if number % 2:
            asked = calls.send("job", "/v1/jobs/enroll", [_archive(photos, number)], field="archive")
        else:
            asked = calls.ask("job", "POST", "/v1/galleries/default/export")
        if asked:
            _follow(calls, asked["id"])
        calls.close()  # which the service would do in the meantime
        time.sleep(max(0.0, min(JOBS_EVERY, until - time.monotonic())))


def _follow(calls: Calls, job: int) -> None:
    until = time.monotonic() + JOB_SECONDS
    while time.monotonic() < until:
        found = calls.ask("job", "GET", f"/v1/jobs/{job}")
        if found is None or found["state"] not in ("queued", "running"):
            break
        time.sleep(0.5)
    if found is not None and found["state"] != "done":
        calls.errors.append(f"job: {job} is {found['state']}: {found.get('error')}")
    calls.ask("job", "GET", f"/v1/jobs/{job}/result")
    calls.ask("job", "DELETE", f"/v1/jobs/{job}")


def _archive(photos: list[bytes], number: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i, photo in enumerate(photos):
            archive.writestr(f"Xaver {i}/{number}.jpg", photo + json.dumps(number).encode())  # another file each time
    return file.getvalue()
