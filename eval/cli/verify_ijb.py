"""``python eval/verify_ijb.py``; docs/ijb.md describes it.

What takes long to import (cv2, OpenVINO, rich) is imported where it is needed: help stays fast.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli import failures
from common.cli.run import run
from common.errors import BadArgument
from common.folders import write_whole

if TYPE_CHECKING:
    from eval.ijb.measuring import Measured

PROGRAM = "verify_ijb.py"
EXAMPLES = (
    "--data IJB_release --subset IJBC --model mobilefacenet",
    "--data IJBC --subset IJBC --model runs/r50/bundle --modes N1D1F1,N0D1F1 --protocol 1:1 --cache ijb-cache",
    "--data IJB_release --subset IJBB --model runs/r50/bundle --modes all --out ijbb.json",
)
EPILOG = "\n\n".join(
    [
        "[bold]Examples[/bold]",
        *(f"  {PROGRAM} {example}" for example in EXAMPLES),
        "Exit codes: 0 done; 2 an error; 130 interrupted. With --cache, call an interrupted command again: it goes on.",
    ]
)

app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def verify_ijb(
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with loose_crop/ and meta/, or with IJBB/ or IJBC/ of those.")
    ],
    subset: Annotated[str, typer.Option(metavar="IJBB|IJBC", help="Which of the two.")],
    model: Annotated[str, typer.Option(metavar="MODEL", help="A model's name, a bundle, or a model file.")],
    modes: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Such as N1D1F1,N0D1F1, or all. N1: each face scaled to length 1; D1: times the detector score; "
            "F1: mirrored face added.",
        ),
    ] = "N0D1F1",
    protocol: Annotated[
        str, typer.Option(metavar="1:1|1:N|both", help="Pairs, searches in galleries, or both.")
    ] = "both",
    cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep embeddings there: an interrupted run goes on.")
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Pictures in a call of the model.")] = 64,
    backend: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="openvino or keras.", show_default="what the device takes"),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|gpu", help="What the model runs on.")] = "auto",
    precision: Annotated[
        str, typer.Option(metavar="f32|bf16|f16", help="Arithmetic, where the hardware has it.")
    ] = "f32",
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="CPU threads of OpenVINO.", show_default="all")
    ] = None,
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Accept the licence of the model's weights.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the results there, too, as JSON.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Measure a model on IJB-B or IJB-C: TAR at FAR 1e-6 to 1e-1 of template pairs, and searches in two galleries."""
    failures.show_tracebacks(debug)
    if batch < 1:
        raise BadArgument(f"--batch must be 1 or more, not {batch}.")
    if out and not out.parent.is_dir():
        raise BadArgument(f"--out: {out.parent} is not a folder.")
    import networks
    from eval.ijb.measuring import measure
    from eval.ijb.modes import parse
    from eval.ijb.results import to_mapping

    chosen = parse(modes)
    loading = {"backend": backend, "device": device, "precision": precision, "threads": threads}
    network = networks.load(model, accept_license=accept_license, **loading)
    engine = f"{backend or device} {precision}"
    measured = measure(network, data, subset, chosen, protocol, batch=batch, cache=cache, engine=engine)
    document = {**to_mapping(measured), "backend": backend, "device": device, "precision": precision}
    _show(measured, document if as_json else None)
    if out:
        _write(out, document)


app.command(epilog=EPILOG)(failures.reported(verify_ijb))


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    run(app, PROGRAM)


def _write(out: Path, document: dict) -> None:
    try:
        write_whole(out, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    except OSError as error:
        raise BadArgument(f"--out: {out} cannot be written: {error.strerror or error}.") from None


def _show(measured: "Measured", document: dict | None) -> None:
    from common.cli.tables import show, show_json
    from eval.ijb.results import explained, tables

    if document:
        show_json(document)
        return
    counts = f"{measured.pictures} pictures in {measured.templates} templates"
    print(f"{measured.model} on {measured.subset}: {counts}, embedded in {measured.seconds:.1f} s")
    for line in explained(measured):
        print(line)
    for title, headings, rows in tables(measured):
        print(f"\n{title}")
        show(headings, rows, headings)
