"""How a comparison is written: each a function that prints it on standard output."""

from common.registry import Registry

FORMATS = Registry(
    "format",
    {
        "table": "eval.results.table:show_comparison",
        "json": "eval.results.json:show_comparison",
        "csv": "eval.results.csv:show_comparison",
        "markdown": "eval.results.markdown:show_comparison",
    },
)
SUFFIXES = {".txt": "table", ".json": "json", ".csv": "csv", ".md": "markdown"}
