"""Ten times as many requests as can be done: are those that are accepted done as fast, and the others told at once?"""

from statistics import median
from typing import Any

from bench.report import Table, progress
from bench.serving import forms
from bench.serving.outcome import Outcome, Place
from bench.serving.running import Service
from bench.serving.workers import load, percentile, request_file

CLIENTS = 32  # that the capacity is measured with
TIMES = 10
CONNECTIONS = 400  # of which those that are accepted wait in the queue, and the others come and go
WARM = 3.0  # seconds, in which the queue fills
COLUMNS = [
    "", "offered/s", "done/s", "of capacity", "refused/s", "503 after p50, ms", "p99, ms", "at most, ms",
    "CPU of the load, cores",
]  # fmt: skip


def measure(place: Place) -> Outcome:
    """Capacity and overload in turn, round by round."""
    runs: list[dict[str, Any]] = []
    with Service(place.folder / "service", place.url) as service, load() as asking:
        given = {"port": service.port, "requests": request_file(place.folder, "search", forms.search(place.photo))}
        asking(**given, seconds=1.0, warm=1.0, clients=CLIENTS)
        for number in range(place.rounds):
            progress(f"  round {number + 1} of {place.rounds}")
            capacity = asking(**given, seconds=place.seconds, warm=1.0, clients=CLIENTS)
            offered = TIMES * capacity["done"].get("200", 1) / place.seconds
            over = asking(**given, seconds=place.seconds, warm=WARM, rate=offered, connections=CONNECTIONS)
            runs.append({"capacity": capacity, "offered": offered, "over": over})
    return Outcome([table(runs)], {"runs": runs}, facts(runs))


def table(runs: list[dict[str, Any]]) -> Table:
    """Medians of the rounds; how long a 503 takes of all rounds."""
    capacities = [_rate(each["capacity"], "200") for each in runs]
    done = [_rate(each["over"], "200") for each in runs]
    refused = [value for each in runs for value in each["over"]["answers"].get("503", [])]
    share = median(one / other for one, other in zip(done, capacities))
    full = [f"{CLIENTS} clients", "-", f"{median(capacities):.1f}", "100 %", "0", "-", "-", "-",
            f"{median(each['capacity']['cpu'] for each in runs):.2f}"]  # fmt: skip
    over = [
        f"{TIMES} times as many", f"{median(each['offered'] for each in runs):.0f}", f"{median(done):.1f}",
        f"{100 * share:.0f} %", f"{median(_rate(each['over'], '503') for each in runs):.0f}",
        f"{percentile(refused, 0.5):.1f}", f"{percentile(refused, 0.99):.1f}", f"{percentile(refused, 1):.0f}",
        f"{median(each['over']['cpu'] for each in runs):.2f}",
    ]  # fmt: skip
    return Table("Overload: searches, offered without waiting for answers", COLUMNS, [full, over])


def facts(runs: list[dict[str, Any]]) -> dict[str, str]:
    """What did not go as it should."""
    other = {status for each in runs for status in each["over"]["done"]} - {"200", "503"}
    unsent, failed = (sum(each["over"][key] if key == "unsent" else len(each["over"][key]) for each in runs)
                      for key in ("unsent", "failures"))  # fmt: skip
    return {
        "overload": f"{unsent} requests could not be sent as {CONNECTIONS} connections waited, {failed} connections "
        f"failed, other answers: {', '.join(sorted(other)) or 'none'}"
    }


def _rate(found: dict[str, Any], status: str) -> float:
    return found["done"].get(status, 0) / found["counted"]
