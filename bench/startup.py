"""Seconds that ``recognizer recognize PHOTO`` takes as a whole new process, and ``import recognizer``.

Examples:

    python bench/startup.py
    python bench/startup.py --runs 15 --importtime

Every run is a new process; the files it reads are in the system's cache, as an uncounted run comes first.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import os
import subprocess
import tempfile
import time
from statistics import median

from bench import machine
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from common.errors import FaceError, MissingDependency
from networks import zoo

PICTURE = "obama"
OFFENDERS = 15


def command_line() -> Path:
    """The ``recognizer`` command of the environment that runs this.

    Raises:
        MissingDependency: it is not installed there.
    """
    path = Path(sys.executable).with_name("recognizer")
    if not path.exists():
        raise MissingDependency(f"{path} does not exist. Install the project first: pip install -e .")
    return path


def whole_process(command: list, environment: dict[str, str]) -> float:
    """Seconds from starting a command to its end.

    Raises:
        FaceError: the command failed; the message ends with the last line of its standard error.
    """
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise FaceError(f"{' '.join(map(str, command))} ended with status {done.returncode}: {said}")
    return seconds


def import_times(log: str) -> list[tuple[str, float, float]]:
    """(module, own ms, ms with what it imports) from Python's ``-X importtime``, largest own first."""
    rows = []
    for line in log.splitlines():
        if not line.startswith("import time:") or "self [us]" in line:
            continue
        own, together, module = line.removeprefix("import time:").split("|")
        rows.append((module.strip(), int(own) / 1000, int(together) / 1000))
    return sorted(rows, key=lambda row: -row[1])


def run(runs: int, importtime: bool) -> Report:
    """Measure and put the report together."""
    photo = zoo.sample(PICTURE)
    commands = {
        "recognizer recognize PHOTO": [command_line(), "recognize", photo],
        "import recognizer": [sys.executable, "-c", "import recognizer"],
        "python, nothing imported": [sys.executable, "-c", "pass"],
    }
    facts = machine.facts()
    facts["cold"] = f"new process each time, files in the system's cache; median of {runs} interleaved runs"
    with tempfile.TemporaryDirectory() as data:
        environment = {**os.environ, "RECOGNIZER_DATA": data}  # a gallery of one person, not the user's
        whole_process([command_line(), "enroll", PICTURE, photo], environment)
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(runs + 1):
            progress(f"run {number} of {runs}" if number else "first run, not counted")
            for name, command in commands.items():
                elapsed = whole_process(command, environment)
                if number:
                    seconds[name].append(elapsed)
        tables = [_table(seconds)]
        if importtime:
            tables.append(_import_table(environment))
    return Report(facts, tables, {"seconds": seconds})


def _table(seconds: dict[str, list[float]]) -> Table:
    rows = [
        [name, f"{median(values):.3f}", f"{min(values):.3f}", f"{max(values):.3f}"]
        for name, values in seconds.items()
    ]
    return Table("Whole process, seconds", ["process", "median", "fastest", "slowest"], rows)


def _import_table(environment: dict[str, str]) -> Table:
    command = [sys.executable, "-X", "importtime", "-c", "import recognizer"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    rows = [
        [module, f"{own:.1f}", f"{together:.1f}"]
        for module, own, together in import_times(done.stderr)[:OFFENDERS]
    ]
    return Table(
        "import recognizer: modules that take longest themselves, ms", ["module", "own", "with imports"], rows
    )


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--runs", type=positive, default=9, help="measured runs of each process")
    parser.add_argument(
        "--importtime", action="store_true", help="also list the modules that take longest to import"
    )
    arguments = parser.parse_args()
    run(arguments.runs, arguments.importtime).print(arguments.form)


if __name__ == "__main__":
    run_command(main)
