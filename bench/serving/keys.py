"""What it costs to check a key: in this process, and as what a request takes longer with keys than without."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median
from typing import Any

import db
from bench.report import Table
from bench.serving import forms
from bench.serving.outcome import Outcome, Place
from bench.serving.running import Service
from bench.serving.search import in_turn, summary
from bench.serving.workers import load, percentile, request_file
from common.errors import KeyRefused

HELD, READ = 20_000, 300  # checks; those that take microseconds, and those that ask the database
SECRET = 64  # last characters of a key
WARM = 0.5
COLUMNS = ["", "p50, microseconds", "p99, microseconds"]


def measure(place: Place) -> Outcome:
    """In this process, then over HTTP, where the service with keys and that without take turns."""
    direct = checks(f"sqlite:///{place.folder}/keys.db")
    with db.open(place.url) as database:
        secret = database.keys.create("bench", "read").secret
    path = "/v1/people?limit=1"
    plain = request_file(place.folder, "plain", forms.request("GET", path))
    with_key = forms.request("GET", path, headers={"Authorization": f"Bearer {secret}"})
    shown = request_file(place.folder, "shown", with_key)
    with (
        Service(place.folder / "off", place.url) as off,
        Service(place.folder / "required", place.url, service_keys="required") as required,
        load() as asking,
    ):

        def asked(service: Service, files: list[str]) -> Callable[[], dict[str, Any]]:
            return lambda: summary(
                asking(port=service.port, requests=files, seconds=place.seconds / 2, warm=WARM, clients=1)
            )

        turns = {"without keys": asked(off, plain), "with a key": asked(required, shown)}
        runs = in_turn(turns, 2 * place.rounds)
    return Outcome([table(direct), over_http(runs)], {"direct": direct, "runs": runs})


def checks(url: str) -> dict[str, list[float]]:
    """Seconds of each check: of a key that was read lately, of keys that have to be read, and of wrong ones.

    Args:
        url: of a database that is not used otherwise.
    """
    with db.open(url) as made, db.open(url) as other:
        first = iter([made.keys.create("bench", "read").secret for _ in range(READ)])
        secret, keys = made.keys.create("bench", "read").secret, other.keys
        wrong = secret[:-SECRET] + secrets.token_hex(SECRET // 2)
        keys.check(secret)
        return {
            "right key, read within 5 s": _timed(lambda: keys.check(secret), HELD),
            "right key, read from the database": _timed(lambda: keys.check(next(first)), READ),
            "wrong secret of a key read within 5 s": _timed(lambda: keys.check(wrong), HELD),
            "key that is not there": _timed(lambda: keys.check(f"rk_{secrets.token_hex(6)}_{wrong[-SECRET:]}"), READ),
            "no key in its shape": _timed(lambda: keys.check("rk_letmein"), HELD),
        }


def table(direct: dict[str, list[float]]) -> Table:
    """One row a kind of key."""
    rows = [
        [name, f"{1e3 * percentile(seconds, 0.5):.1f}", f"{1e3 * percentile(seconds, 0.99):.1f}"]
        for name, seconds in direct.items()
    ]
    return Table("Checking a key, in the process, SQLite", COLUMNS, rows)


def over_http(runs: dict[str, list[dict[str, Any]]]) -> Table:
    """Medians of the rounds' medians."""
    middle = {name: median(percentile(each["seconds"], 0.5) for each in found) for name, found in runs.items()}
    off, on = middle.values()
    rows = [[name, f"{value:.2f}"] for name, value in middle.items()]
    return Table("GET /v1/people?limit=1, one client", ["", "p50, ms"], [*rows, ["difference", f"{on - off:.2f}"]])


def _timed(check: Callable[[], object], count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        with suppress(KeyRefused):
            check()
        seconds.append(time.perf_counter() - began)
    return seconds
