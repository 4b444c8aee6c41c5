"""``python eval/build.py``; docs/verification-sets.md describes it.

What takes long to import (cv2, OpenVINO, rich) is imported where it is needed: help stays fast.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli import failures
from common.cli.progress import advancing
from common.cli.run import run
from common.errors import BadArgument

if TYPE_CHECKING:
    from eval.building import Built

PROGRAM = "build.py"
SHOWN = 5  # pictures without a face that are named on the terminal
FOLDS = 10
EXAMPLES = (
    "lfw data/lfw data/lfw.bin",
    "cfp_fp data/cfp-dataset data/cfp_fp.bin --missing exclude",
    "agedb_30 data/AgeDB data/agedb_30.bin --pairs-file agedb_30_pair.txt",
    "csv pairs.csv mine.bin --pictures photos/",
    "folder photos/ mine.bin --pairs 6000 --seed 1",
)
FORMS = "lfw, lfw_people, cfp_ff, cfp_fp, agedb_30, calfw, cplfw, csv, folder."

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
        "Exit codes: 0 done; 2 an error; 130 interrupted. Nothing is left half-written.",
    ]
)


def build(
    form: Annotated[str, typer.Argument(metavar="FORM", help=f"What SOURCE is: {FORMS}")],
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The set's folder; of csv, the list of pairs.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.bin", help="The set; OUT.bin.json says what it was made of.")],
    pairs_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The list of pairs (of people), where it lies elsewhere.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the pictures, where it lies elsewhere.")
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Draw so many pairs, half of them genuine (folder, lfw_people).",
            show_default="all of a folder; 6000 of lfw_people",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Of the draw; the same gives the same pairs.", show_default="0")
    ] = None,
    missing: Annotated[
        str,
        typer.Option(
            metavar="centre|exclude|fail",
            help="Pictures without a face: their centre stands for it; their pairs are left out; or an error.",
        ),
    ] = "centre",
    aligned: Annotated[bool, typer.Option("--aligned", help="Pictures are aligned already: only resize them.")] = False,
    detector: Annotated[str, typer.Option(metavar="NAME", help="What finds faces: mtcnn, yunet, ...")] = "mtcnn",
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Accept the licence of the detector's weights.")
    ] = False,
    enlarge: Annotated[float, typer.Option(metavar="K", help="Enlarge photos K times before looking for faces.")] = 1.0,
    border: Annotated[
        int, typer.Option(metavar="PIXELS", help="Then add a border that repeats the edges: for tight crops.")
    ] = 0,
    size: Annotated[str, typer.Option(metavar="HxW", help="Size of the faces.")] = "112x112",
    jobs: Annotated[int | None, typer.Option(metavar="N", help="Threads.", show_default="one for each CPU")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Build a verification set (.bin) from pictures, faces found and aligned by our own detector."""
    failures.show_tracebacks(debug)
    from eval import building, faces, raw

    options = faces.Options(detector, aligned, _size(size), enlarge, border, missing, accept_license, _jobs(jobs))
    building.require_free(out)
    pairs_of = raw.read(form, source, pairs_file=pairs_file, pictures=pictures, pairs=pairs, seed=seed)
    _show(building.build(pairs_of, out, options, advancing), as_json)


app.command(epilog=EPILOG)(failures.reported(build))


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    run(app, PROGRAM)


def _jobs(jobs: int | None) -> int:
    return jobs if jobs is not None else os.cpu_count() or 1


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isascii() and height.isdecimal() and (width or height).isdecimal() and len(text) < 20):
        raise BadArgument(f"--size is written 112x112, height first, not {text!r}.")
    return int(height), int(width or height)


def _show(built: "Built", as_json: bool) -> None:
    from eval.provenance import beside

    made, genuine = built.provenance, sum(built.issame)
    if made.missed:
        names = ", ".join(made.missed[:SHOWN]) + (", ..." if len(made.missed) > SHOWN else "")
        rule = "the centre of the picture stands for it" if made.rule == "centre" else "their pairs are left out"
        failures.say("warning", f"{len(made.missed)} of {built.pictures} pictures show no face; {rule}: {names}.")
    if made.excluded_pairs:
        failures.say("warning", f"{made.excluded_pairs} pairs were left out.")
    if built.several:
        failures.say("note", f"{built.several} photos show several faces; the most prominent was taken.")
    lopsided = _folds_of_one_kind(built.issame)
    if lopsided:
        failures.say("note", f"{lopsided} of {FOLDS} folds hold pairs of one kind only: folds follow the list's order.")
    if as_json:
        from common.cli.tables import show_json

        show_json(_document(built, genuine))
        return
    kinds = f"{len(built.issame)} pairs ({genuine} genuine, {len(built.issame) - genuine} impostor)"
    print(f"Wrote {kinds} of {built.pictures} pictures to {built.path}, and {beside(built.path)}.")


def _folds_of_one_kind(issame: list[bool]) -> int:
    """How many of ten contiguous folds lack a kind of pairs, of which there are enough for all folds."""
    import numpy as np

    if min(sum(issame), len(issame) - sum(issame)) < FOLDS:
        return 0
    return sum(len(set(fold.tolist())) < 2 for fold in np.array_split(np.array(issame), FOLDS))


def _document(built: "Built", genuine: int) -> dict:
    made = built.provenance
    return {
        "path": str(built.path),
        "source": made.source,
        "pairs": len(built.issame),
        "genuine": genuine,
        "pictures": built.pictures,
        "several_faces": built.several,
        "missed": made.missed,
        "rule": made.rule,
        "excluded_pairs": made.excluded_pairs,
    }
