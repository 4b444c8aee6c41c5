"""Searches a second, and how long each takes, beside the recognizer without a service."""

import json
from collections.abc import Callable
from statistics import median
from typing import Any

from bench.report import Table, progress
from bench.serving import forms
from bench.serving.outcome import Outcome, Place
from bench.serving.people import require_known
from bench.serving.running import Service
from bench.serving.workers import Worker, load, percentile, request_file

CALLERS = (1, 2, 4)  # threads of the bare recognizer
CLIENTS = (1, 8, 32)
WARM = 1.0  # seconds before each measurement
COLUMNS = ["", "searches/s", "of bare", "p50, ms", "p99, ms", "p99 / p50", "CPU, cores", "CPU of the load, cores"]


def measure(place: Place) -> Outcome:
    """All contestants in turn, round by round."""
    photo = place.folder / "photo.jpg"
    photo.write_bytes(place.photo)
    with (
        Service(place.folder / "service", place.url) as service,
        Worker("bare.py", place.url, str(photo)) as bare,
        load() as asking,
    ):
        require_known(_names(service, place.photo))
        files = request_file(place.folder, "search", forms.search(place.photo))

        def asked(clients: int) -> dict[str, Any]:
            used = service.cpu()
            found = asking(port=service.port, requests=files, seconds=place.seconds, warm=WARM, clients=clients)
            return summary(found) | {"service_cpu": (service.cpu() - used) / (place.seconds + WARM)}

        def called(callers: int) -> dict[str, Any]:
            found = bare(callers=callers, seconds=place.seconds)
            require_known(found["names"])
            return found

        turns: dict[str, Callable[[], dict[str, Any]]] = {}
        turns |= {_bare(callers): lambda callers=callers: called(callers) for callers in CALLERS}
        turns |= {_clients(clients): lambda clients=clients: asked(clients) for clients in CLIENTS}
        runs = in_turn(turns, place.rounds)
    return Outcome([table(runs)], {"runs": runs}, facts(runs))


def in_turn(turns: dict[str, Callable[[], dict[str, Any]]], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each gave, round by round, beginning with another one each round."""
    names = list(turns)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            progress(f"  round {number + 1} of {rounds}: {name}")
            runs[name].append(turns[name]())
    return runs


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """Rate and seconds of the answers that were good, and how many were not."""
    good, done = found["answers"].get("200", []), found["done"]
    return {
        "rate": done.get("200", 0) / found["counted"],
        "seconds": good,
        "failures": len(found["failures"]) + sum(count for status, count in done.items() if status != "200"),
        "load_cpu": found["cpu"],
    }


def table(runs: dict[str, list[dict[str, Any]]]) -> Table:
    """One row a contestant: medians of the rounds; p50 and p99 of all answers of all rounds."""
    rates = {name: median(each["rate"] for each in found) for name, found in runs.items()}
    best = max(rates[_bare(callers)] for callers in CALLERS)
    rows = []
    for name, found in runs.items():
        cells = [name, f"{rates[name]:.1f}", f"{100 * rates[name] / best:.0f} %"]
        seconds = [value for each in found for value in each.get("seconds", ())]
        if seconds:
            p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
            cells += [f"{p50:.0f}", f"{p99:.0f}", f"{p99 / p50:.2f}"]
            cells += [f"{median(each[key] for each in found):.2f}" for key in ("service_cpu", "load_cpu")]
        else:
            cells += ["-", "-", "-", f"{median(each['cpu'] for each in found):.2f}", "-"]
        rows.append(cells)
    return Table("Search: one face, 640x480, JPEG", COLUMNS, rows)


def facts(runs: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """What "of bare" is measured by, and how many requests failed."""
    rates = {callers: median(each["rate"] for each in runs[_bare(callers)]) for callers in CALLERS}
    best = max(rates, key=rates.__getitem__)
    failures = sum(each.get("failures", 0) for found in runs.values() for each in found)
    return {
        "bare": f"the best of {', '.join(map(str, CALLERS))} threads: {best}",
        "searches that failed": str(failures),
    }


def _names(service: Service, photo: bytes) -> list[str | None]:
    answer = json.loads(service.ask("POST", "/v1/search", forms.form([photo]), {"Content-Type": forms.FORM}))
    return [face["name"] for face in answer["photos"][0]["faces"]]


def _bare(callers: int) -> str:
    return f"bare `Recognizer.recognize`, {callers} thread{'s' if callers > 1 else ''}"


def _clients(clients: int) -> str:
    return f"service, {clients} client{'s' if clients > 1 else ''}"
