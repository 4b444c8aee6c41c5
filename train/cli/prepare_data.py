"""``python train/prepare_data.py``; docs/data.md describes it.

What takes long to import (cv2, OpenVINO, rich) is imported where a command needs it: help stays fast.
"""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli import failures
from common.cli.progress import advancing
from common.cli.run import run
from common.errors import BadArgument

if TYPE_CHECKING:
    from train.data.prepare.options import Options
    from train.data.prepare.plan import Recipe
    from train.data.prepare.report import Report

PROGRAM = "prepare_data.py"
SHOWN = 5  # refused pictures that are named on the terminal
SOURCES = "A .rec file, a folder of identities (SOURCE/NAME/*.jpg), a list (path label, or .lst), or shards."

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 2 an error; 130 interrupted. Call an interrupted command again, and it goes on.",
)

Source = Annotated[Path, typer.Argument(metavar="SOURCE", help=SOURCES)]
Identities = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Only identities of these names: a name, a pattern such as 's?', or a file with one a line. Repeatable.",
    ),
]
Range = Annotated[
    str | None,
    typer.Option("--range", metavar="1-30", help="Of these, only the 1st to the 30th, s2 before s10."),
]
Align = Annotated[bool, typer.Option("--align", help="SOURCE holds raw photos: find the face and align it.")]
Detector = Annotated[str, typer.Option(metavar="NAME", help="What finds faces: mtcnn, yunet, scrfd_10g...")]
AcceptLicense = Annotated[bool, typer.Option("--accept-license", help="Accept the licence of the detector's weights.")]
Enlarge = Annotated[float, typer.Option(metavar="K", help="Enlarge photos K times before looking for faces.")]
Border = Annotated[
    int, typer.Option(metavar="PIXELS", help="Then add a border that repeats the edges: for tight crops.")
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HxW", help="Size of the result. Default: 112x112 with --align; else pictures keep their own."
    ),
]
Quality = Annotated[int, typer.Option(metavar="1-100", help="Of JPEGs that have to be encoded anew.")]
Jobs = Annotated[int | None, typer.Option(metavar="N", help="Processes. Default: one for each CPU.")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail if any picture cannot be used, instead of listing it.")]
Bins = Annotated[bool, typer.Option(help="Copy the verification sets (*.bin) beside the .rec, too.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Prepare datasets for training: shards and .rec files from records, folders of identities and raw photos."""
    failures.show_tracebacks(debug)


def _command(name: str, *examples: str) -> Callable[[Callable], Callable]:
    def add(function: Callable) -> Callable:
        epilog = "\n\n".join(["[bold]Examples[/bold]", *(f"  {PROGRAM} {example}" for example in examples)])
        paragraphs = inspect.getdoc(function).split("\n\n")
        text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        return app.command(name, help=text, epilog=epilog)(failures.reported(function))

    return add


@_command(
    "shards",
    "shards faces_emore/train.rec emore",
    "shards photos/ mine --align",
    "shards orl/ orl-train --align --enlarge 3 --border 60 --range 1-30",
)
def shards(
    source: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the dataset.")],
    identities: Identities = None,
    span: Range = None,
    align: Align = False,
    detector: Detector = "mtcnn",
    accept_license: AcceptLicense = False,
    enlarge: Enlarge = 1.0,
    border: Border = 0,
    size: Size = None,
    quality: Quality = 95,
    count: Annotated[
        int | None,
        typer.Option("--shards", metavar="N", help="Files. Default: one for 8192 pictures, 16 at least."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the order; the same gives the same files.")] = 0,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="How the files' names begin. Default: the folder's name.")
    ] = None,
    jobs: Jobs = None,
    strict: Strict = False,
    bins: Bins = True,
    as_json: Json = False,
) -> None:
    """Make a dataset of shuffled TFRecord shards: what train.py reads fastest.

    JPEGs are taken as they are; every picture is decoded once to see that it is whole. Pictures that cannot be used
    are counted, and listed in OUT/refused.tsv.
    """
    from train.data.prepare.extraction import copy_bins
    from train.data.prepare.options import Options
    from train.data.prepare.shards import prepare_shards

    options = Options(align, _size(size), quality, detector, accept_license, enlarge, border)
    recipe = _recipe(source, options, identities, span)
    report = prepare_shards(
        recipe, out, count=count, seed=seed, name=name, jobs=_jobs(jobs), strict=strict, progress=advancing
    )
    copied = copy_bins(recipe.source.path.parent, out) if bins and recipe.source.path.suffix == ".rec" else []
    _show(report, out, out / "refused.tsv", as_json, copied)


@_command(
    "records",
    "records aligned/ mine/train.rec",
    "records photos/ mine/train.rec --align",
    "records merged/ merged.rec --layout im2rec",
)
def records(
    source: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT.rec", help="The .rec; its .idx and property go beside it.")],
    layout: Annotated[str, typer.Option(metavar="NAME", help="insightface or im2rec.")] = "insightface",
    identities: Identities = None,
    span: Range = None,
    align: Align = False,
    detector: Detector = "mtcnn",
    accept_license: AcceptLicense = False,
    enlarge: Enlarge = 1.0,
    border: Border = 0,
    size: Size = None,
    quality: Quality = 95,
    jobs: Jobs = None,
    strict: Strict = False,
    as_json: Json = False,
) -> None:
    """Write a .rec file as mxnet and InsightFace's tools read it.

    InsightFace's layout knows each identity's pictures; im2rec's is pictures and labels alone.
    """
    from train.data.prepare.options import Options
    from train.data.prepare.records import prepare_records

    options = Options(align, _size(size), quality, detector, accept_license, enlarge, border)
    recipe = _recipe(source, options, identities, span)
    report = prepare_records(recipe, out, layout=layout, jobs=_jobs(jobs), strict=strict, progress=advancing)
    _show(report, out, out.with_name(f"{out.stem}.refused.tsv"), as_json)


@_command("extract", "extract faces_emore/train.rec faces_emore", "extract train.rec out --range 1-100 --no-bins")
def extract(
    source: Annotated[Path, typer.Argument(metavar="SOURCE.rec", help="A .rec file, or a folder with train.rec.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder in which imgs/ is made.")],
    identities: Identities = None,
    span: Range = None,
    bins: Bins = True,
) -> None:
    """Write the pictures of a .rec to OUT/imgs/ID/KEY.jpg, and copy the .bin sets beside it to OUT."""
    from train.data.prepare import extraction

    path = source / "train.rec" if source.is_dir() else source
    done = extraction.extract(path, out, identities or (), span, advancing)
    for picture, reason in done.refused[:SHOWN]:
        failures.say("warning", f"{picture}: left out: {reason}")
    if done.refused:
        failures.say("warning", f"{len(done.refused)} pictures were left out.")
    print(f"Wrote {done.pictures} pictures of {done.identities} identities to {out / extraction.FOLDER}.")
    if bins:
        _show_bins(extraction.copy_bins(path.parent, out))


@_command("statistics", "statistics emore", "statistics faces_emore/train.rec --json")
def statistics(
    source: Source,
    as_json: Json = False,
) -> None:
    """Count identities and pictures, with a histogram of pictures per identity."""
    from common.cli.tables import show, show_json
    from train.data import statistics

    found = statistics.statistics(source)
    if as_json:
        show_json(found.to_mapping())
        return
    print(f"{found.pictures} pictures of {found.identities} identities", end="")
    print(f"; {found.empty} identities without a picture" if found.empty else "")
    print(f"pictures per identity: {found.least} to {found.most}, median {found.median:g}, mean {found.mean:.1f}\n")
    most = max((identities for _, _, identities in found.histogram), default=1)
    rows = [(_group(start, end), str(count), "#" * -(-40 * count // most)) for start, end, count in found.histogram]
    show(("Pictures", "Identities", ""), rows)


@_command(
    "sheet",
    "sheet photos/ sheet.png",
    "sheet orl/ sheet.png --enlarge 3 --border 60",
    "sheet emore sheet.jpg --as-it-is",
)
def sheet(
    source: Source,
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="The sheet, .png or .jpg.")],
    count: Annotated[int, typer.Option(metavar="N", help="Pictures on it.")] = 10,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the draw.")] = 0,
    as_it_is: Annotated[
        bool, typer.Option("--as-it-is", help="SOURCE is aligned already: the pictures alone.")
    ] = False,
    identities: Identities = None,
    span: Range = None,
    detector: Detector = "mtcnn",
    accept_license: AcceptLicense = False,
    enlarge: Enlarge = 1.0,
    border: Border = 0,
) -> None:
    """Draw a sheet of photos, each original beside its aligned face."""
    from train.data.prepare.options import Options
    from train.data.sheets import alignment_sheet, write_sheet
    from train.data.sources import open_source

    options = Options(not as_it_is, None, 95, detector, accept_license, enlarge, border)
    write_sheet(out, alignment_sheet(open_source(source), options, count, seed, identities or (), span))
    print(f"Wrote {out}.")


@_command("check", "check emore")
def check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder of shards, or a .rec file.")],
) -> None:
    """Read a dataset to the end: the checksums of shards, the frames and labels of a .rec."""
    from train.data.dataset import open_dataset
    from train.data.recordio import Reader
    from train.data.shards import check_shard

    found = open_dataset(dataset)
    if found.kind == "shards":
        with advancing("checking shards", len(found.shards)) as advance:
            for shard in found.shards:
                check_shard(found.path, shard)
                advance(1)
    else:
        with Reader(found.path) as reader, advancing("checking records", len(reader)) as advance:
            for number in range(len(reader)):
                reader[number].identity  # noqa: B018 - it raises where the label is none
                advance(1)
    print(f"{dataset} is whole: {found.images} pictures of {found.classes} identities.")


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    run(app, PROGRAM)


def _recipe(source: Path, options: "Options", identities: list[str] | None, span: str | None) -> "Recipe":
    from train.data.prepare.plan import Recipe
    from train.data.sources import open_source

    return Recipe(open_source(source), options, tuple(identities or ()), span)


def _jobs(jobs: int | None) -> int:
    if jobs is None:
        return os.cpu_count() or 1
    if jobs < 1:
        raise BadArgument(f"--jobs must be 1 or more, not {jobs}.")
    return jobs


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and (width or height).isdecimal()):
        raise BadArgument(f"--size is written 112x112, height first, not {text!r}.")
    return int(height), int(width or height)


def _group(start: int, end: int | None) -> str:
    if end is None:
        return f"{start} and more"
    return str(start) if start == end else f"{start} to {end}"


def _show(report: "Report", out: Path, refused: Path, as_json: bool, bins: list[str] | None = None) -> None:
    for note in report.notes[:SHOWN]:
        failures.say("note", note)
    if len(report.notes) > SHOWN:
        failures.say("note", f"and {len(report.notes) - SHOWN} more folders with files that were passed over")
    for picture, kind, reason in report.refused[:SHOWN]:
        failures.say("warning", f"{picture}: {kind}: {reason}")
    if report.refused:
        kinds = ", ".join(f"{count} {kind}" for kind, count in report.kinds().items())
        failures.say(
            "warning",
            f"{len(report.refused)} of {report.pictures} pictures could not be used ({kinds}); {refused} lists them.",
        )
    if report.without_pictures:
        names = ", ".join(report.without_pictures[:SHOWN]) + (", ..." if len(report.without_pictures) > SHOWN else "")
        failures.say("warning", f"{len(report.without_pictures)} identities have no usable picture: {names}.")
    if report.several:
        failures.say("note", f"{report.several} photos show several faces; the most prominent was taken.")
    if as_json:
        from common.cli.tables import show_json

        show_json({**report.to_mapping(), "bins": bins or []})
        return
    print(f"Wrote {sum(report.counts)} pictures of {len(report.names)} identities to {out}.")
    _show_bins(bins or [])


def _show_bins(names: list[str]) -> None:
    if names:
        print(f"Copied {', '.join(names)}.")
