"""Tables for a README."""

import re

from common.cli.failures import printable
from eval.comparing import Comparison
from eval.results.tables import NAMES, Table, tables

SPECIAL = re.compile(r"([\\`*\[\]<>|&])")


def show_comparison(comparison: Comparison) -> None:
    """Print the tables, each under its title in bold, and what failed as a list."""
    parts = [_table(each) for each in tables(comparison)]
    if comparison.failures:
        parts.append("\n".join(["**Not measured**", "", *(f"- {_escaped(each)}" for each in comparison.failures)]))
    print("\n\n".join(parts))


def _table(table: Table) -> str:
    rule = ["---" if column in NAMES else "---:" for column in table.columns]
    rows = [list(map(_escaped, table.columns)), rule, *(list(map(_escaped, row)) for row in table.rows)]
    return "\n".join([f"**{_escaped(table.title)}**", "", *(f"| {' | '.join(row)} |" for row in rows)])


def _escaped(text: object) -> str:
    """Names are text, whatever Markdown or HTML they look like."""
    return SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))
