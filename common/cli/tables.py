"""Tables for people on a terminal, aligned text elsewhere, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from common.cli.failures import printable

UNLIMITED = 100_000  # columns: what is piped is never cut


def show(columns: Sequence[str], rows: Iterable[Sequence[str]], whole: Sequence[str] = ()) -> None:
    """Print rows of text under headings, as wide as the terminal; columns named in ``whole`` are not wrapped.

    Columns in which every cell is a number are aligned to the right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [[printable(cell) for cell in row] for row in rows]
    terminal = sys.stdout.isatty()
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold underline" if terminal else ""
    )
    for number, column in enumerate(columns):
        right = all(_is_number(row[number]) for row in rows)
        table.add_column(
            column, justify="right" if right else "left", no_wrap=right or column in whole, overflow="fold"
        )
    for row in rows:
        table.add_row(*map(Text, row))
    if terminal:
        Console().print(table)
        return
    console = Console(width=UNLIMITED, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def show_json(document: Any) -> None:
    """Print one JSON document, every script as it is written."""
    print(json.dumps(document, ensure_ascii=False, indent=2))


def _is_number(cell: str) -> bool:
    return cell in ("", "-") or cell.removeprefix("-").replace(".", "", 1).isdecimal()
