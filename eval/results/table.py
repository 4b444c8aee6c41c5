"""Aligned columns for a terminal or a text file."""

from common.cli.failures import printable
from common.cli.tables import show
from eval.comparing import Comparison
from eval.results.tables import tables


def show_comparison(comparison: Comparison) -> None:
    """Print the tables, each under its title, and what failed."""
    parts = tables(comparison)
    for table in parts:
        print(printable(table.title))
        show(table.columns, table.rows)
        if table is not parts[-1]:
            print()
    if comparison.failures:
        print(("\n" if parts else "") + "Not measured")
        for failure in comparison.failures:
            print(printable(failure))
