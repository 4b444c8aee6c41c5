"""``python eval/all_pairs.py``; docs/all-pairs.md describes it.

What takes long to import (cv2, OpenVINO, rich) is imported where it is needed: help stays fast.
"""

from typing import TYPE_CHECKING

import typer

from common.cli import failures
from common.cli.run import run
from eval.cli import folders

if TYPE_CHECKING:
    from eval.roc import Rates

PROGRAM = "all_pairs.py"
EXAMPLES = (
    "aligned/ --model mobilefacenet",
    "photos/ --model runs/r50/bundle --align --missing exclude --embeddings kept/",
    "orl/ --model mobilefacenet --align --enlarge 3 --border 60 --json",
)
EPILOG = "\n\n".join(
    [
        "[bold]Examples[/bold]",
        *(f"  {PROGRAM} {example}" for example in EXAMPLES),
        "Exit codes: 0 done; 2 an error; 130 interrupted. With --embeddings, an interrupted command goes on.",
    ]
)

app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def all_pairs(
    context: typer.Context,
    folder: folders.Folder,
    model: folders.Model,
    align: folders.Align = False,
    detector: folders.Detector = "mtcnn",
    enlarge: folders.Enlarge = 1.0,
    border: folders.Border = 0,
    missing: folders.Missing = "centre",
    flip: folders.Flip = "sum_raw",
    batch: folders.Batch = 64,
    embeddings: folders.Embeddings = None,
    backend: folders.Backend = None,
    device: folders.Device = "auto",
    precision: folders.Precision = "f32",
    threads: folders.Threads = None,
    jobs: folders.Jobs = None,
    accept_license: folders.AcceptLicense = False,
    as_json: folders.Json = False,
    debug: folders.Debug = False,
) -> None:
    """Compare every picture of a folder of identities with every other one.

    AUC, EER, and TAR with its threshold at FAR 1e-1 to 1e-6, of any number of pairs.
    """
    failures.show_tracebacks(debug)
    from eval.protocols import pairs

    with folders.embedded(folders.Wanted.of(context.params), pairs.require_pairs) as (found, network, rule):
        rates = pairs.all_pairs(found.embeddings, found.labels, progress=True)
    if as_json:
        from common.cli.tables import show_json

        show_json({**folders.document(found, network, rule), **_document(rates)})
        return
    _show(folders.heading(found, network, rule), rates)


app.command(epilog=EPILOG)(failures.reported(all_pairs))


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    run(app, PROGRAM)


def _document(rates: "Rates") -> dict:
    from eval.results.document import far_name

    return {
        "genuine": rates.genuine,
        "impostor": rates.impostor,
        "auc": rates.auc,
        "eer": rates.eer,
        "tar": {far_name(far): tar for far, tar in rates.tar.items()},
        "thresholds": {far_name(far): threshold for far, threshold in rates.thresholds.items()},
    }


def _show(heading: str, rates: "Rates") -> None:
    from common.cli.tables import show
    from eval.results.document import far_name
    from eval.results.tables import TOO_FEW, UNKNOWN

    print(f"{heading}; {rates.genuine} genuine pairs, {rates.impostor} impostor pairs")
    print(f"AUC {rates.auc:.6f}, EER {100 * rates.eer:.3f} %\n")
    rows = []
    for far, tar in rates.tar.items():
        threshold = rates.thresholds[far]
        shown = UNKNOWN if threshold is None else f"{threshold:.5f}"
        rows.append((far_name(far), TOO_FEW if tar is None else f"{100 * tar:.2f}", shown))
    show(("FAR", "TAR, %", "Threshold"), rows)
