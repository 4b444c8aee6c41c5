"""The service under load, and videos: how fast, how steady, and what is left of it under overload and attack.

Examples:

    python bench/service.py
    python bench/service.py --parts search overload --rounds 3 --json
    python bench/service.py --parts mixed --minutes 30

The service is ``recognizer serve`` in a process of its own, on SQLite, with a gallery of random vectors and one person
whose photos are there. Who asks is another process, on the same cores: its share of them is told, and counts against
the service. All parts take 25 minutes, ten of them the mixed load. A part that fails is told as such, and the others
are measured all the same.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import argparse
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench import machine
from bench.report import Report, measurement_parser, positive, progress, run_command
from bench.serving import hostile, keys, mixed, overload, search, video
from bench.serving.outcome import Outcome, Place
from bench.serving.people import ASKED, fill
from bench.serving.photos import portrait
from common.errors import FaceError

PARTS: dict[str, Callable[[Place], Outcome]] = {
    "search": search.measure,
    "keys": keys.measure,
    "overload": overload.measure,
    "hostile": hostile.measure,
    "video": video.measure,
    "mixed": mixed.measure,
}


def run(parts: Sequence[str], people: int, seconds: float, rounds: int, minutes: float) -> Report:
    """Measure the parts, one after the other."""
    facts, tables, data = machine.facts(), [], {}
    facts["gallery"] = f"{people} people of random vectors, and one of photos, on SQLite"
    facts["rounds"] = f"{rounds} of {seconds:g} s each, contestants in turn"
    with tempfile.TemporaryDirectory(prefix="bench-service-") as temporary:
        place = Place(Path(temporary), "", portrait(ASKED), seconds, rounds, minutes)
        for name in parts:
            progress(f"{name}")
            try:
                found = PARTS[name](_own(place, name, people))
            except Exception as error:  # the other parts are worth their time
                progress(str(error) if isinstance(error, FaceError) else traceback.format_exc())
                facts[name] = f"not measured: {type(error).__name__}: {error}"
                continue
            tables += found.tables
            data[name] = found.data
            facts |= found.facts
    return Report(facts, tables, data)


def _own(place: Place, part: str, people: int) -> Place:
    """A folder and a database for one part: what it enrols concerns no other."""
    folder = place.folder / part
    folder.mkdir()
    url = f"sqlite:///{folder}/people.db"
    fill(url, people)
    return replace(place, folder=folder, url=url)


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="measure these alone")
    parser.add_argument("--people", type=positive, default=10_000, help="in the gallery")
    parser.add_argument("--seconds", type=_seconds, default=6.0, help="of one measurement of load")
    parser.add_argument("--rounds", type=positive, default=5, help="turns of each contestant")
    parser.add_argument("--minutes", type=_seconds, default=10.0, help="of mixed load")
    arguments = parser.parse_args()
    run(arguments.parts, arguments.people, arguments.seconds, arguments.rounds, arguments.minutes).print(arguments.form)


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < 86_400:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text}")
    return number


if __name__ == "__main__":
    run_command(main)
