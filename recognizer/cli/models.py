"""``recognizer models``: list, pull and verify the public models."""

from dataclasses import asdict
from typing import Annotated

import typer

from common.cli.failures import ERROR, NO, in_words, say
from common.cli.tables import show, show_json
from common.errors import BadArgument, FaceError
from recognizer.cli.options import AcceptLicense, Json


def list_models(as_json: Json = False) -> None:
    """List the public models: what for, how large, under which licence, and whether they are here.

    The threshold is the cosine from which two faces count as one person, with the false accept rate (FAR) it
    was measured at.
    """
    from networks import zoo

    models = [_described(name) for name in zoo.names()]
    if as_json:
        show_json(models)
        return
    columns = ("Model", "Task", "MB", "Licence", "State", "Threshold")
    rows = [
        (
            each["name"],
            each["task"],
            _megabytes(each["bytes"]),
            each["license"],
            each["state"],
            _threshold(each),
        )
        for each in models
    ]
    show(columns, rows)


def pull(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Models to fetch.")] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="All models; without --accept-license only those under a permissive licence."
        ),
    ] = False,
    accept_license: AcceptLicense = False,
) -> None:
    """Fetch models into the cache; each file counts only if its SHA-256 is right."""
    from networks import zoo

    if bool(names) == everything:
        raise BadArgument("Name the models to fetch, or give --all.")
    if everything:
        names = [name for name in zoo.names() if accept_license or zoo.entry(name).license.permissive]
    failed = False
    for name in dict.fromkeys(names):
        try:
            files = zoo.pull(name, accept_license=accept_license)
        except FaceError as error:
            say("error", in_words(error))
            failed = True
        else:
            size = sum(path.stat().st_size for path in files.values())
            print(f"{name}: here, {_megabytes(size)} MB", flush=True)
    if failed:
        raise typer.Exit(ERROR)


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Models to check; without names, all of which a file is here."),
    ] = None,
) -> None:
    """Hash the models' files again. Exits 1 if one is missing or altered."""
    from networks import zoo

    chosen = dict.fromkeys(names) if names else [name for name in zoo.names() if _state(name) != "missing"]
    rows = [
        (name, file.name, zoo.state(name)[role])
        for name in chosen
        for role, file in zoo.entry(name).files.items()
    ]
    if not rows:
        print("No model is here. `recognizer models pull NAME` fetches one.")
        raise typer.Exit(NO)
    show(("Model", "File", "State"), rows)
    if any(state != "ok" for *_, state in rows):
        raise typer.Exit(NO)


def _described(name: str) -> dict:
    from networks import zoo

    entry = zoo.entry(name)
    sizes = [file.bytes for file in entry.files.values()]
    threshold = entry.card.threshold
    return {
        "name": name,
        "task": entry.card.task,
        "bytes": None if None in sizes else sum(sizes),
        "license": entry.license.name,
        "permissive": entry.license.permissive,
        "state": _state(name),
        "threshold": threshold and asdict(threshold),
    }


def _state(name: str) -> str:
    """The model's state: altered if a file is, ok if all are, missing if all are, else incomplete."""
    from networks import zoo

    states = set(zoo.state(name).values())
    if "altered" in states:
        return "altered"
    return states.pop() if len(states) == 1 else "incomplete"


def _megabytes(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:.1f}"


def _threshold(model: dict) -> str:
    if not model["threshold"]:
        return "-"
    far = model["threshold"]["far"]
    return f"{model['threshold']['similarity']:g} ({'FAR not stated' if far is None else f'FAR {far:g}'})"
