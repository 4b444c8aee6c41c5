"""``python eval/verify.py``; docs/evaluation.md describes it.

What takes long to import (cv2, OpenVINO, rich, matplotlib) is imported where it is needed: help stays fast.
"""

import shlex
import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cli import failures
from common.cli.quiet import quiet
from common.cli.run import run
from common.errors import BadArgument, FaceError
from eval.results import FORMATS

if TYPE_CHECKING:
    from eval.comparing import Comparison, Failure
    from eval.measuring import Measurement
    from eval.on_demand import SetsOnDemand

PROGRAM = "verify.py"
EXAMPLES = (
    "--datasets lfw,cfp_fp --model mobilefacenet",
    "--datasets all --data faces_emore --models mobilefacenet,runs/r50/bundle --bootstrap 1000 --report report",
    "--datasets lfw --model runs/r50/bundle --backend keras,openvino --out engines.csv",
    "--datasets lfw --model mobilefacenet --calibrate --far 1e-3 --bundle mobilefacenet-lfw",
)
EPILOG = "\n\n".join(
    [
        "[bold]Examples[/bold]",
        *(f"  {PROGRAM} {example}" for example in EXAMPLES),
        "Exit codes: 0 done; 2 an error, or something could not be measured (the rest is printed); 130 interrupted.",
    ]
)

app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def verify(
    context: typer.Context,
    datasets: Annotated[
        str,
        typer.Option(metavar="A,B", help="Verification sets by name, such as lfw; all that are there; or .bin files."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A model's name, a bundle, or a model file.",
            show_default="the model of recognizer.yaml",
        ),
    ] = None,
    models: Annotated[str | None, typer.Option(metavar="A,B", help="Several models, compared.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the sets are.", show_default="$EVAL_DATA, else data"),
    ] = None,
    backend: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Engines, compared: openvino, keras.", show_default="what the device takes"),
    ] = None,
    flip: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="sum_raw, sum_normalised, none, or card: as the model's card says.",
            show_default="sum_raw; with --calibrate, card",
        ),
    ] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Contiguous parts of the pairs.")] = 10,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", help="Draws for 95 % intervals, such as 1000; 0 for none.")
    ] = 0,
    batch: Annotated[int, typer.Option(metavar="N", help="Pictures in a call of the model.")] = 64,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="CPU threads of OpenVINO.", show_default="all")
    ] = None,
    precision: Annotated[
        str, typer.Option(metavar="f32|bf16|f16", help="Arithmetic, where the hardware has it.")
    ] = "f32",
    device: Annotated[str, typer.Option(metavar="auto|cpu|gpu", help="What the model runs on.")] = "auto",
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Accept the licence of the models' weights.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row for each measurement.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables in Markdown.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the results there, too: .txt, .json, .csv or .md."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write an HTML page there: curves, histograms, the pairs judged wrong."),
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Write the measured thresholds into the model's card.")
    ] = False,
    far: Annotated[
        float,
        typer.Option(metavar="RATE", help="With --calibrate: the false accept rate that the recognizer is to have."),
    ] = 1e-3,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With --calibrate: a new bundle, for a model that has no card of its own."),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
) -> None:
    """Measure models on verification sets by the ten-fold protocol of LFW.

    Accuracy, threshold, AUC, EER and TAR at FAR 1e-1 to 1e-6 in one table. What fails does not stop the rest.
    """
    failures.show_tracebacks(debug)
    form = _format(json=as_json, csv=as_csv, markdown=as_markdown)
    names, backends = _models(model, models), _backends(backend)
    rule = _flip(flip, calibrate)
    _check(batch=batch, folds=folds, bootstrap=bootstrap, threads=threads)
    _check_files(out, report)
    if calibrate:
        _check_calibration(names, backends, far, bundle)
    elif context.get_parameter_source("far").name == "COMMANDLINE":
        raise BadArgument("--far is the rate at which --calibrate chooses the threshold: add --calibrate.")
    elif bundle:
        raise BadArgument("--bundle is where --calibrate keeps the thresholds of a model of the zoo: add --calibrate.")

    from eval import sets as verification_sets
    from eval.comparing import Comparison, candidates, compare
    from eval.on_demand import SetsOnDemand

    sets = SetsOnDemand(verification_sets.find(_split(datasets, "--datasets"), data), progress=True)
    loading = {"threads": threads, "precision": precision, "device": device, "accept_license": accept_license}
    with quiet() if "keras" in backends else nullcontext():
        compared, failed = candidates(names, backends, **loading)
    comparison = Comparison()
    _keep(comparison, failed, debug)
    measuring = {"flip": rule, "batch": batch, "folds": folds, "bootstrap": bootstrap}
    try:
        if compared:
            _keep(comparison, compare(compared, sets, progress=True, **measuring), debug)
    finally:  # an interruption does not lose what was measured
        try:
            FORMATS[form](comparison)
        finally:
            done = _succeeded(lambda: _write(out, comparison)) and not comparison.failures
    if calibrate:
        done &= _succeeded(lambda: _calibrate(names[0], comparison, far, bundle))
    if report and comparison.measurements:
        done &= _succeeded(lambda: _report(report, comparison, sets, _command(context)))
    if not done:
        raise typer.Exit(failures.ERROR)


app.command(epilog=EPILOG)(failures.reported(verify))


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    run(app, PROGRAM)


def _format(**wanted: bool) -> str:
    chosen = [name for name, on in wanted.items() if on]
    if len(chosen) > 1:
        raise BadArgument(f"Only one of --{' and --'.join(chosen)} can be printed; --out FILE writes another one.")
    return chosen[0] if chosen else "table"


def _models(model: str | None, models: str | None) -> list[str]:
    if model is not None and models is not None:
        raise BadArgument("Give --model for one or --models for several, not both.")
    if models is not None:
        return _split(models, "--models")
    return [model if model is not None else _of_the_recognizer()]


def _of_the_recognizer() -> str:
    from common import config

    return config.load("recognizer.yaml")["model"]


def _split(text: str, option: str) -> list[str]:
    found = [part.strip() for part in text.split(",")]
    if "" in found:
        raise BadArgument(f"{option} takes names with commas between them, not {text!r}.")
    return found


def _backends(text: str | None) -> list[str | None]:
    from networks.engines import ENGINES

    if text is None:
        return [None]
    found = _split(text, "--backend")
    for name in found:
        if name not in ENGINES:
            raise BadArgument(f"Unknown backend {name!r}. Expected some of: {', '.join(ENGINES)}.")
    return found


def _flip(flip: str | None, calibrate: bool) -> str | None:
    """The rule for ``eval.measuring.measure``, where None is the card's."""
    from networks.card import FLIPS

    if flip not in (None, "card", *FLIPS):
        raise BadArgument(f"Unknown flip {flip!r}. Expected one of: {', '.join(FLIPS)}, card.")
    if calibrate and flip not in (None, "card"):
        raise BadArgument("A threshold has to fit what the recognizer computes, which is --flip card: leave it out.")
    return None if calibrate or flip == "card" else flip or "sum_raw"


def _check(folds: int, bootstrap: int, **positive: int | None) -> None:
    for name, value in positive.items():
        if value is not None and value < 1:
            raise BadArgument(f"--{name} must be 1 or more, not {value}.")
    if folds < 2:
        raise BadArgument(f"--folds must be 2 or more, not {folds}.")
    if bootstrap < 0:
        raise BadArgument(f"--bootstrap must be 0 or more, not {bootstrap}.")


def _check_files(out: Path | None, report: Path | None) -> None:
    if out:
        from eval.results.output import check_file

        check_file(out)
    if report:
        from eval.report import check

        check(report)


def _check_calibration(names: list[str], backends: list, far: float, bundle: Path | None) -> None:
    from eval import calibration

    if len(names) > 1 or len(backends) > 1:
        raise BadArgument("--calibrate takes one model on one engine.")
    calibration.check(names[0], far, bundle)


def _keep(comparison: "Comparison", outcomes: Iterable["Measurement | Failure"], debug: bool) -> None:
    from eval.comparing import Failure

    for outcome in outcomes:
        comparison.add(outcome)
        if isinstance(outcome, Failure):
            failures.say("error", outcome)
            if debug:
                traceback.print_exception(outcome.error)


def _write(out: Path | None, comparison: "Comparison") -> None:
    if out:
        from eval.results.output import write_file

        write_file(comparison, out)


def _succeeded(step: Callable[[], None]) -> bool:
    """Run a step whose failure is told, and does not keep the next one from being taken."""
    try:
        step()
    except FaceError as error:
        failures.say("error", failures.in_words(error))
        return False
    return True


def _calibrate(model: str, comparison: "Comparison", far: float, bundle: Path | None) -> None:
    from eval import calibration

    if comparison.failures:
        raise BadArgument("The card stays as it is, because not everything could be measured.")
    chosen, card = calibration.calibrate(model, comparison.measurements, far, bundle)
    pairs = f"{chosen.impostor} impostor pairs of {chosen.set}"
    failures.say(
        "note", f"the recognizer's threshold is now {chosen.similarity:.4f}: FAR {far:g} on {pairs}; in {card}"
    )


def _report(folder: Path, comparison: "Comparison", sets: "SetsOnDemand", command: str) -> None:
    from eval.report import write

    page = write(folder, comparison.measurements, sets, command=command)
    failures.say("note", f"the report is {page}")


def _command(context: typer.Context) -> str:
    """What was asked for, as it would be typed: options that differ from their default."""
    words = ["python", "eval/verify.py"]
    for parameter in context.command.params:
        value = context.params.get(parameter.name)
        if value != parameter.default:
            words += [parameter.opts[0]] if value is True else [parameter.opts[0], str(value)]
    return shlex.join(words)
