"""``python eval/identify.py``; docs/all-pairs.md describes it.

What takes long to import (cv2, OpenVINO, rich) is imported where it is needed: help stays fast.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli import failures
from common.cli.run import run
from common.errors import BadArgument
from eval.cli import folders

if TYPE_CHECKING:
    from eval.protocols.identification import Identification
    from eval.splits import Split

PROGRAM = "identify.py"
EXAMPLES = (
    "aligned/ --model mobilefacenet",
    "photos/ --model runs/r50/bundle --align --gallery 3 --strangers 0.3 --seed 1 --embeddings kept/",
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


def identify(
    context: typer.Context,
    folder: folders.Folder,
    model: folders.Model,
    gallery: Annotated[int, typer.Option(metavar="K", help="Pictures of each person in the gallery.")] = 1,
    strangers: Annotated[
        float, typer.Option(metavar="SHARE", help="Of the people, who are kept out of the gallery; 0 for nobody.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw; the same gives the same gallery.")] = 0,
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
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Draw the cumulative match characteristic there.")
    ] = None,
    as_json: folders.Json = False,
    debug: folders.Debug = False,
) -> None:
    """Search pictures of a folder of identities in a gallery drawn from it.

    Rank-1, 5 and 10, the CMC, and TPIR at FPIR 0.1 and 0.01, where strangers search too.
    """
    failures.show_tracebacks(debug)
    from eval.protocols.identification import identification
    from eval.splits import split

    if plot:
        _check_plot(plot)

    def drawn(labels):
        return split(labels, gallery=gallery, strangers=strangers, seed=seed)

    with folders.embedded(folders.Wanted.of(context.params), drawn) as (found, network, rule):
        rows, labels = found.embeddings, found.labels
        parts = drawn(labels)
        result = identification(rows[parts.gallery], labels[parts.gallery], rows[parts.probes], labels[parts.probes])
    if plot:
        _plot(plot, network.name, result)
    if as_json:
        from common.cli.tables import show_json

        asked = {"gallery": gallery, "gallery_pictures": len(parts.gallery), "strangers": strangers, "seed": seed}
        show_json({**folders.document(found, network, rule), **asked, **_document(result)})
        return
    _show(folders.heading(found, network, rule), parts, result)


app.command(epilog=EPILOG)(failures.reported(identify))


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    run(app, PROGRAM)


def _check_plot(path: Path) -> None:
    """See that it can be drawn before anything long is done for it."""
    from eval.report import check

    if path.suffix != ".svg":
        raise BadArgument(f"--plot draws an .svg file, not {path.name}.")
    check(path.parent)


def _plot(path: Path, name: str, result: "Identification") -> None:
    from common.folders import write_whole
    from eval.report.plots import cmc

    try:
        write_whole(path, cmc([(name, result.cmc)]))
    except OSError as error:
        raise BadArgument(f"{path} cannot be written: {error.strerror}.") from None


def _document(result: "Identification") -> dict:
    return {
        "people": result.people,
        "mated": result.mated,
        "unmated": result.unmated,
        "rank": {str(k): share for k, share in result.rank.items()},
        "cmc": result.cmc.tolist(),
        "tpir": {f"{fpir:g}": tpir for fpir, tpir in result.tpir.items()},
        "thresholds": {f"{fpir:g}": threshold for fpir, threshold in result.thresholds.items()},
    }


def _show(heading: str, parts: "Split", result: "Identification") -> None:
    from common.cli.tables import show

    print(f"{heading}; gallery of {result.people} people, {len(parts.gallery)} pictures")
    print(f"{result.mated} probes of them, {result.unmated} of {len(parts.strangers)} strangers\n")
    show(("Rank", "Found, %"), [(str(k), f"{100 * share:.2f}") for k, share in result.rank.items()])
    print()
    rows = []
    for fpir, tpir in result.tpir.items():
        threshold = result.thresholds[fpir]
        shown = "-" if threshold is None else f"{threshold:.5f}"
        rows.append((f"{fpir:g}", "too few strangers" if tpir is None else f"{100 * tpir:.2f}", shown))
    show(("FPIR", "TPIR, %", "Threshold"), rows)
