"""What a measurement prints: tables on standard output, progress on standard error."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from common.errors import FaceError


@dataclass(frozen=True)
class Table:
    """A table of ready-made cells; the first column is aligned left, the others right."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def text(self) -> str:
        """Aligned columns under the title."""
        grid = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in grid) for i in range(len(self.columns))]
        lines = ["  ".join(_pad(cell, widths[i], i) for i, cell in enumerate(row)).rstrip() for row in grid]
        return "\n".join([self.title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]])

    def markdown(self) -> str:
        """A table for a README; vertical bars inside cells are escaped."""
        grid = [[cell.replace("|", "\\|") for cell in row] for row in [self.columns, *self.rows]]
        rule = ["---" if i == 0 else "---:" for i in range(len(self.columns))]
        rows = [f"| {' | '.join(row)} |" for row in [grid[0], rule, *grid[1:]]]
        return "\n".join([f"**{self.title}**", "", *rows])


@dataclass
class Report:
    """All that one command has to say.

    Attributes:
        facts: name -> value, what has to be known to judge the figures.
        tables: for reading.
        data: the raw measurements, JSON values only; printed by ``--json`` alone.
    """

    facts: dict[str, str]
    tables: list[Table]
    data: dict[str, Any]

    def print(self, form: str) -> None:
        """Print as ``text``, ``markdown`` or ``json``."""
        if form == "json":
            print(json.dumps(asdict(self), indent=1, ensure_ascii=False))
        elif form == "markdown":
            print("\n\n".join(table.markdown() for table in self.tables))
            print("\n" + "\n".join(f"- {name}: {value}" for name, value in self.facts.items()))
        else:
            print("\n".join(f"{name}: {value}" for name, value in self.facts.items()))
            print("\n" + "\n\n".join(table.text() for table in self.tables))


def measurement_parser(description: str) -> argparse.ArgumentParser:
    """A parser with ``--json`` and ``--markdown`` (else ``form`` is text), ``description`` kept as it is."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    group = parser.add_mutually_exclusive_group()
    for form in ("json", "markdown"):
        text = f"print {form} instead of aligned text"
        group.add_argument(
            f"--{form}", dest="form", action="store_const", const=form, default="text", help=text
        )
    return parser


def positive(text: str) -> int:
    """An argparse type: a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, not {number}")
    return number


def progress(message: str) -> None:
    """One line on standard error."""
    print(message, file=sys.stderr, flush=True)


def run_command(main: Callable[[], None]) -> None:
    """Call a script's ``main``; an error of the project ends it with its message alone and its exit code."""
    try:
        main()
    except FaceError as error:
        progress(str(error))
        sys.exit(error.exit_code)


def _pad(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)
