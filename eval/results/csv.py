"""A row for each measurement and each failure, under the same headings whatever was measured."""

import csv
import sys
from typing import Any

from common.cli.failures import printable
from eval.comparing import Comparison
from eval.measuring import Measurement
from eval.results.document import failure_document, far_name, measurement_document
from eval.roc import FARS

BOUNDS = ("low", "high")
RATES = [f"tar_{far_name(far)}" for far in FARS]
COLUMNS = [
    "model", "backend", "set", "flip", "genuine", "impostor", "accuracy", "std", "threshold", "far", "auc", "eer",
    *RATES, *(f"threshold_{far_name(far)}" for far in FARS), "validation_rate", "validation_std", "validation_far",
    *(f"{name}_{bound}" for name in ("accuracy", "auc", "eer", *RATES) for bound in BOUNDS),
    "pictures", "seconds", "pictures_per_second", "digest", "error",
]  # fmt: skip


def show_comparison(comparison: Comparison) -> None:
    """Print the heading and the rows; what is not known stays empty."""
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    rows = [_flat(each) for each in comparison.measurements] + [failure_document(f) for f in comparison.failures]
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})


def _flat(measurement: Measurement) -> dict[str, Any]:
    document = measurement_document(measurement)
    for name, prefix in (("tar", "tar"), ("thresholds", "threshold")):
        document |= {f"{prefix}_{far}": value for far, value in document.pop(name).items()}
    intervals = document.pop("intervals") or {}
    tar = {f"tar_{far}": interval for far, interval in intervals.pop("tar", {}).items()}
    for name, interval in {**intervals, **tar}.items():
        document |= {f"{name}_{bound}": value for bound, value in zip(BOUNDS, interval or ("", ""))}
    return document


def _cell(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value
