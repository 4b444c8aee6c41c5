"""The commands under their names."""

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

from common import __version__
from common.cli import failures
from recognizer.cli import (
    audit,
    camera,
    database,
    demo,
    edit,
    enroll,
    erasure,
    gallery,
    health,
    keys,
    models,
    people,
    recognize,
    serve,
    video,
)
from recognizer.cli.options import spread

EXIT_CODES = (
    "Exit codes: 0 done; 1 a clear no (verify, models verify, or a question answered so); 2 an error; 130 interrupted."
)

settings = {"no_args_is_help": True, "rich_markup_mode": "rich", "pretty_exceptions_enable": False}
settings["context_settings"] = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(epilog=EXIT_CODES, **settings)
gallery_app = typer.Typer(help="Galleries as a whole: list, copy, switch, export, re-embed, calibrate.", **settings)
database_app = typer.Typer(help="The database: what it is, and bringing it to this release.", **settings)
keys_app = typer.Typer(help="API keys for the service: make, list, revoke.", **settings)
models_app = typer.Typer(help="The public models: what there is, fetching them, checking them.", **settings)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"recognizer {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")
    ] = False,
) -> None:
    """Find the faces in photos and say whose they are."""
    failures.show_tracebacks(debug)


def _add(group: typer.Typer, name: str, function: Callable, examples: list[str]) -> None:
    epilog = "\n\n".join(["[bold]Examples[/bold]", *(f"  recognizer {example}" for example in examples)])
    paragraphs = inspect.getdoc(function).split("\n\n")
    help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    group.command(name, help=help, epilog=epilog)(failures.reported(spread(function)))


_add(app, "enroll", enroll.enroll, ["enroll Ann ann1.jpg ann2.jpg", 'enroll "Bob Ray" photos-of-bob/'])
_add(app, "enroll-folder", enroll.enroll_folder, ["enroll-folder facebank/"])
_add(
    app,
    "recognize",
    recognize.recognize,
    ["recognize party.jpg", "recognize holidays/ --out annotated/", "recognize party.jpg --json"],
)
_add(
    app,
    "verify",
    recognize.verify,
    ["verify passport.jpg selfie.jpg", "verify a.jpg b.jpg && echo same"],
)
_add(
    app,
    "video",
    video.video,
    ["video party.mp4", "video party.mp4 --out annotated.mp4", "video party.mp4 --json --boxes"],
)
_add(app, "camera", camera.camera, ["camera", "camera --source rtsp://door.local/stream", "camera --source party.mp4"])
_add(app, "take-pic", camera.take_pic, ["take-pic Ann", 'take-pic "Bob Ray" --source 1'])
_add(
    app, "serve", serve.serve,
    ["serve", "serve --workers 2 --database mysql://me@db.local/faces", "serve --host 0.0.0.0 --keys required"],
)  # fmt: skip
_add(app, "health", health.health, ["health", "health --url https://faces.example.org"])
_add(app, "people", people.people, ["people", "people --prefix Ann", "people --limit 100 --after Bob", "people --json"])
_add(app, "photos", people.photos, ["photos Ann"])
_add(app, "rename", edit.rename, ['rename Ann "Ann Lee"'])
_add(app, "merge", edit.merge, ['merge "Ann L." ann --into "Ann Lee"'])
_add(app, "move", edit.move, ['move 17 18 --to "Bob Ray"', "move 19 --to Carl --create"])
_add(app, "metadata", edit.metadata, ["metadata Ann", """metadata Ann --set '{"team": "A"}'""", "metadata Ann --clear"])
_add(app, "forget", people.forget, ["forget Ann", 'forget Ann "Bob Ray" --yes'])
_add(app, "erase", erasure.erase, ["erase Ann", 'erase Ann "Bob Ray" --yes --json'])
_add(app, "expire", erasure.expire, ["expire 365 --dry-run", "expire 365 --yes"])
_add(app, "audit", audit.audit, ["audit", "audit --person Ann --since 2026-11-01", "audit --json"])
_add(app, "demo", demo.demo, ["demo", "demo --out annotated/"])
app.add_typer(gallery_app, name="gallery")
_add(gallery_app, "list", gallery.list_galleries, ["gallery list", "gallery list --json"])
_add(gallery_app, "create", gallery.create, ["gallery create visitors", "gallery create visitors --model buffalo_l"])
_add(gallery_app, "delete", gallery.delete, ["gallery delete visitors", "gallery delete visitors --yes"])
_add(gallery_app, "rename", gallery.rename, ["gallery rename default staff"])
_add(gallery_app, "copy", gallery.copy, ["gallery copy default trial"])
_add(gallery_app, "switch", gallery.switch, ["gallery switch default default-buffalo_l"])
_add(gallery_app, "export", gallery.export, ["gallery export people.gallery --gallery staff"])
_add(
    gallery_app,
    "import",
    gallery.import_,
    ["gallery import people.gallery", "gallery import people.gallery --gallery staff --merge"],
)
_add(
    gallery_app,
    "reembed",
    gallery.reembed,
    ["gallery reembed --model buffalo_l", "gallery reembed --model buffalo_l --gallery staff --background"],
)
_add(
    gallery_app,
    "calibrate",
    gallery.calibrate,
    ["gallery calibrate --far 1e-4", "gallery calibrate --dry-run --plot measured.png"],
)
app.add_typer(database_app, name="db")
_add(database_app, "info", database.info, ["db info", "db info --json"])
_add(database_app, "upgrade", database.upgrade, ["db upgrade"])
_add(database_app, "scrub", database.scrub, ["db scrub"])
app.add_typer(keys_app, name="keys")
_add(
    keys_app,
    "create",
    keys.create,
    ['keys create "door camera"', "keys create importer --role enrol --gallery staff --days 90"],
)
_add(keys_app, "list", keys.list_keys, ["keys list", "keys list --json"])
_add(keys_app, "revoke", keys.revoke, ["keys revoke 3f9a2b1c4d5e"])
app.add_typer(models_app, name="models")
_add(models_app, "list", models.list_models, ["models list", "models list --json"])
_add(models_app, "pull", models.pull, ["models pull mobilefacenet mtcnn", "models pull --all"])
_add(models_app, "verify", models.verify, ["models verify", "models verify mobilefacenet"])
