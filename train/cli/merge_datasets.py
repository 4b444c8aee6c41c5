"""``python train/merge_datasets.py``; docs/merging.md describes it.

What takes long to import (cv2, OpenVINO, rich) is imported where it is needed: help stays fast.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from common.cli import failures
from common.cli.progress import advancing
from common.cli.run import run
from common.errors import BadArgument

PROGRAM = "merge_datasets.py"
EXAMPLES = (
    "emore/ glint/ --model mobilefacenet --threshold 0.7 --report-only",
    "emore/train.rec asian/train.rec --out all/ --model bundle/ --threshold 0.7 --clean --exclude lfw.bin",
)

app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
EPILOG = "\n\n".join(
    [
        "[bold]Examples[/bold]",
        *(f"  {PROGRAM} {example}" for example in EXAMPLES),
        "Exit codes: 0 done; 2 an error; 130 interrupted. Call an interrupted command again, and it goes on.",
    ]
)


def merge(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATASET...",
            help="In order, what comes earlier is kept: .rec files, folders of shards, folders of identities, lists. "
            "Pictures are aligned faces.",
        ),
    ],
    model: Annotated[str, typer.Option(metavar="MODEL", help="A model's name, a bundle, or a model file.")],
    threshold: Annotated[
        float, typer.Option(metavar="COSINE", help="Identities whose centres are closer than this are one person.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="OUT", help="A folder for shards, or a .rec. The report lies at OUT.merge/.")
    ] = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Write the report, at OUT.merge/ or merge/, and no dataset.")
    ] = False,
    on_match: Annotated[
        str, typer.Option(metavar="join|drop", help="What happens to an identity that is there already.")
    ] = "join",
    across_only: Annotated[
        bool, typer.Option("--across-only", help="Compare with identities of other datasets only.")
    ] = False,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(metavar="SET", help="Leave out the people of a test set, a .bin or a dataset. Repeatable."),
    ] = None,
    exclude_threshold: Annotated[float, typer.Option(metavar="COSINE", help="From which on it is one of them.")] = 0.4,
    clean: Annotated[
        bool, typer.Option("--clean", help="Drop pictures that are far from most of their identity's.")
    ] = False,
    clean_angle: Annotated[float, typer.Option(metavar="DEGREES", help="What far is, for --clean.")] = 75.0,
    pairs: Annotated[int, typer.Option(metavar="N", help="Pairs on each of the report's two sheets.")] = 20,
    batch: Annotated[int, typer.Option(metavar="N", help="Pictures in a call of the model.")] = 128,
    device: Annotated[str, typer.Option(metavar="auto|cpu|gpu", help="What the model runs on.")] = "auto",
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Accept the licence of its weights.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("--shards", metavar="N", help="Files. Default: one for 8192 pictures, 16 at least.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the order of shards.")] = 0,
    layout: Annotated[str, typer.Option(metavar="NAME", help="Of a .rec: insightface or im2rec.")] = "insightface",
    jobs: Annotated[int | None, typer.Option(metavar="N", help="Processes. Default: one for each CPU.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Make one dataset of several: identities that a model takes for the same person are joined."""
    failures.show_tracebacks(debug)
    _check(out, report_only, pairs, jobs)
    import networks
    from train.data.merge.merge import Output, Rule, examine, merged_source

    output = None if report_only else Output(out, count, seed, layout, jobs or os.cpu_count() or 1)
    if output:
        output.check()
    rule = Rule(threshold, on_match, across_only, exclude_threshold, clean_angle if clean else None)
    network = networks.load(model, device=device, accept_license=accept_license)
    report = examine(inputs, network, rule, exclude=exclude or (), batch=batch, progress=advancing)
    folder = out.with_name(f"{out.name}.merge") if out else Path("merge")
    written = report.write(folder, pairs)
    if output:
        output.write(merged_source(report), advancing)
    _show(report, as_json)
    if not as_json:
        print("\nWrote " + ", ".join(str(path) for path in (*written, *([out] if output else []))) + ".")


app.command(epilog=EPILOG)(failures.reported(merge))


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    run(app, PROGRAM)


def _check(out: Path | None, report_only: bool, pairs: int, jobs: int | None) -> None:
    if out is None and not report_only:
        raise BadArgument("Say where the dataset goes, with --out, or ask for the report alone, with --report-only.")
    for name, value in (("--pairs", pairs), ("--jobs", jobs)):
        if value is not None and value < 1:
            raise BadArgument(f"{name} must be 1 or more, not {value}.")


def _show(report, as_json: bool) -> None:
    from common.cli.tables import show, show_json
    from train.data.merge.report import COLUMNS

    if as_json:
        show_json(report.to_mapping())
        return
    show(COLUMNS, report.rows())
    print()
    for title, numbers in zip(("The same, least similar", "Different, most similar"), report.nearest(5)):
        rows = [
            (f"{report.decisions.cosine[each]:.4f}", report.name(each), report.name(report.decisions.partner[each]))
            for each in numbers
        ]
        show(("Cosine", title, "and"), rows)
        print()
