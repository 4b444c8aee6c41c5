"""CSV files that go on where a resumed run goes on."""

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any


class Table:
    """A CSV whose first column is ``step``; its rows are whole lines, flushed as they are written.

    Args:
        path: the file.
        columns: its header.
        after: rows of later steps are left out of what is there, because the run begins anew after this step.
    """

    def __init__(self, path: Path, columns: list[str], after: int):
        self._path, self._columns = path, columns
        rows = [row for row in _rows(path) if _step(row) <= after]
        temporary = path.with_name(f".{path.name}.tmp")
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", restval="")
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(path)

    def add(self, row: dict[str, Any]) -> None:
        """One more row."""
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow({key: _written(value) for key, value in row.items()})


def _rows(path: Path) -> list[dict[str, str]]:
    with suppress(FileNotFoundError), path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
    return []


def _step(row: dict[str, str]) -> float:
    try:
        return int(row["step"])
    except (KeyError, TypeError, ValueError):
        return float("inf")  # a line that was cut


def _written(value: Any) -> Any:
    return f"{value:.9g}" if isinstance(value, float) else value  # nine digits give a float32 back exactly
