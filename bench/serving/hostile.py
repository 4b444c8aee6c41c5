"""Hostile uploads while somebody works: nothing dies, memory stays bounded, and he goes on being answered."""

import time
from typing import Any

from bench.report import Table, progress
from bench.serving import forms
from bench.serving.attacks import ATTACKS
from bench.serving.outcome import Outcome, Place
from bench.serving.running import Service
from bench.serving.search import summary
from bench.serving.workers import load, percentile, request_file

ALONE = "nothing"
LEAST = 15.0  # seconds that an attack lasts: longer than headers may take
COLUMNS = [
    "attack", "answers", "client's p50, ms", "p99, ms", "at most, ms", "its failures", "memory before, MB", "peak, MB",
    "a while after, MB",
]  # fmt: skip


def measure(place: Place) -> Outcome:
    """A client alone, then with each attack."""
    seconds = max(LEAST, place.seconds)
    runs: dict[str, dict[str, Any]] = {}
    with Service(place.folder / "service", place.url) as service, load() as asking:
        given = {"port": service.port, "requests": request_file(place.folder, "search", forms.search(place.photo))}
        asking(**given, seconds=2.0, warm=0.0, clients=1)
        sockets = service.connections()
        for name, attack in {ALONE: None, **ATTACKS}.items():
            progress(f"  {name}")
            before = service.memory()
            service.reset_peak()
            asking.start(**given, seconds=seconds, warm=0.0, clients=1)
            said = dict(attack(service.port, seconds)) if attack else {}
            client = summary(asking.result())
            peak = service.memory("VmHWM")
            time.sleep(2)
            runs[name] = client | {"answers": said, "before": before, "peak": peak, "after": service.memory()}
        time.sleep(10)  # until the last of the slow ones is cut
        left = service.connections() - sockets
        alive = service.is_alive
        asking(**given, seconds=2.0, warm=0.0, clients=1)
    facts = {"after the attacks": f"{'alive' if alive else 'dead'}, {left} more connections open than before"}
    return Outcome([table(runs)], {"runs": runs, "alive": alive, "left": left}, facts)


def table(runs: dict[str, dict[str, Any]]) -> Table:
    """One row an attack."""
    rows = []
    for name, found in runs.items():
        said = ", ".join(f"{count} x {answer}" for answer, count in sorted(found["answers"].items())) or "-"
        times = [f"{percentile(found['seconds'], share):.0f}" for share in (0.5, 0.99, 1)]
        memory = [f"{found[key]:.0f}" for key in ("before", "peak", "after")]
        rows.append([name, said, *times, str(found["failures"]), *memory])
    return Table("Hostile uploads, while one client searches", COLUMNS, rows)
