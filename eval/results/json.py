"""One JSON document with everything that was measured."""

from common.cli.tables import show_json
from eval.comparing import Comparison
from eval.results.document import failure_document, measurement_document


def show_comparison(comparison: Comparison) -> None:
    """Print ``{"measurements": [...], "failures": [...]}``."""
    show_json(
        {
            "measurements": [measurement_document(each) for each in comparison.measurements],
            "failures": [failure_document(each) for each in comparison.failures],
        }
    )
